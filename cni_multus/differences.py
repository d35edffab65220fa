"""CHECK: an interface of a container as a result tells it, and as the kernel shows it."""

from __future__ import annotations

from cni_multus.linux.addresses import list_addresses
from cni_multus.linux.links import find_link
from cni_multus.linux.routes import RT_TABLE_MAIN, list_routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Interface, IpConfig, Route
    from cni_multus.linux.addresses import Address
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.routeinfo import Route as KernelRoute


def link_differences(link: Link, interface: Interface, kind: str) -> list[str]:
    """What of a link is not as `interface` tells; what that, or `kind`, does not tell may be anything."""
    wrong = []
    if kind and link.kind != kind:
        wrong.append(f"it is a {link.kind or 'device'}, not a {kind}")
    if interface.mac and link.mac != interface.mac.lower():
        wrong.append(f"its MAC is {link.mac}, not {interface.mac.lower()}")
    if interface.mtu and link.mtu != interface.mtu:
        wrong.append(f"its MTU is {link.mtu}, not {interface.mtu}")
    return wrong


def differences(
    container: Namespace, link: Link, ips: list[IpConfig], wanted: list[Route], ways: Iterable[int] = ()
) -> list[str]:
    """What the kernel does not show of `ips` and `wanted`; routes may also leave by the links with indexes `ways`.

    Later plugins may have moved routes to other tables.
    """
    table = list_routes(container) if wanted else []
    return told_apart(link, list_addresses(container, link.index), table, ips, wanted, ways)


def told_apart(
    link: Link,
    addresses: list[Address],
    table: list[KernelRoute],
    ips: list[IpConfig],
    wanted: list[Route],
    ways: Iterable[int] = (),
) -> list[str]:
    """The same of what was listed: the `addresses` of the link, and the routes of its namespace."""
    found = []
    shown = {(address.family, address.packed, address.prefix): address for address in addresses}
    for ip in ips:
        address = shown.get((ip.address.family, ip.address.ip.packed, ip.address.prefix))
        if address is None:
            found.append(f"address {ip.address} is not on {link.name}")
        elif address.dadfailed:
            found.append(f"address {ip.address} on {link.name} is a duplicate of another host's")
    leaving = {link.index, *ways}
    return found + [
        f"route {_told(route)} is missing"
        for route in wanted
        if not any(_is_same(route, other, leaving) for other in table)
    ]


def other_links(container: Namespace, request: Request) -> list[int]:
    """The indexes of what else the attachment has in the container: a later plugin of a list may have added it."""
    told = request.previous.interfaces if request.previous else []
    names = [each.name for each in told if each.sandbox == request.netns and each.name != request.ifname]
    found = [find_link(container, name) for name in names]
    return [link.index for link in found if link is not None]


def _told(route: Route) -> str:
    told = [("via", route.gw), ("table", route.table), ("metric", route.priority), ("scope", route.scope)]
    told += [("mtu", route.mtu), ("advmss", route.advmss)]
    return " ".join([str(route.dst.network), *(f"{word} {value}" for word, value in told if value)])


def _is_same(wanted: Route, shown: KernelRoute, leaving: set[int]) -> bool:
    dst = wanted.dst.network
    if (shown.family, shown.prefix, shown.dst) != (dst.family, dst.prefix, dst.ip.packed if dst.prefix else b""):
        return False
    told = [
        # The main table is what routes have that nobody gave a table: later plugins may have moved them.
        (wanted.table if wanted.table != RT_TABLE_MAIN else None, shown.table),
        (wanted.priority, shown.priority),
        (wanted.mtu, shown.mtu),
        (wanted.advmss, shown.advmss),
        # IPv6 knows no scopes of routes.
        (wanted.scope if dst.family == 4 else None, shown.scope),
    ]
    hops = shown.multipath or ((shown.index, shown.gateway),)
    return all(value == other for value, other in told if value) and any(
        index in leaving and (wanted.gw is None or gateway == wanted.gw.packed) for index, gateway in hops
    )
