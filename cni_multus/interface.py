"""An interface of a container, between a result and the kernel: configure it, and tell where the two differ."""

from __future__ import annotations

import time
from binascii import crc32

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig, NetlinkFailure
from cni_multus.linux import addresses, routes
from cni_multus.linux.announce import notify_sysctls
from cni_multus.linux.interfaces import bring_up
from cni_multus.linux.sysctl import write_many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.result import IpConfig, Route
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace

SECONDARY_METRIC = 4096
"""The least metric of a default route that must not take over from another interface's: IPv4's own default is 0,
IPv6's 1024, and DHCP clients and RA use 100 to 1024."""

MAIN = 254
LINK_SCOPE = 253
DAD_WAIT = 5.0


def group_of(container_id: str) -> int:
    """The device group of a container's links: one message deletes them all. Never 0, the kernel's default."""
    return crc32(container_id.encode()) & 0x3FFFFFFF | 0x40000000


def configure(
    container: Namespace, link: Link, ips: list[IpConfig], wanted: list[Route], *, dad: bool = False
) -> list[Route]:
    """Give `link` its addresses, bring it up, add its routes; returns the routes as they were made.

    IPAM owns the addresses, so duplicate address detection (1 s) is left out unless `dad` asks for it.
    """
    write_many(container, _sysctls(link.name, ips, dad=dad))
    made = _resolve(container, link, ips, wanted)
    bring_up(
        container,
        link.index,
        [(ip.address.ip.packed, ip.address.prefix) for ip in ips],
        [_kernel_route(route, ips) for route in made],
        nodad=not dad,
        name=link.name,
    )
    if dad:
        _await_dad(container, link)
    return made


def differences(container: Namespace, link: Link, ips: list[IpConfig], wanted: list[Route]) -> list[str]:
    """What the kernel does not show of `ips` and `wanted`. Later plugins may have moved routes to other tables."""
    found = []
    shown = {
        (address.family, address.packed, address.prefix): address for address in addresses.list_addresses(container, link.index)
    }
    for ip in ips:
        address = shown.get((ip.address.family, ip.address.ip.packed, ip.address.prefix))
        if address is None:
            found.append(f"address {ip.address} is not on {link.name}")
        elif address.dadfailed:
            found.append(f"address {ip.address} on {link.name} is a duplicate of another host's")
    table = routes.list_routes(container)
    return found + [
        f"route {route.dst}{f' via {route.gw}' if route.gw else ''} is missing"
        for route in wanted
        if not any(_same_route(route, other) for other in table)
    ]


def _sysctls(name: str, ips: list[IpConfig], *, dad: bool) -> list[tuple[str, str, bool]]:
    """What must stand before the link comes up; (name, value, whether the kernel may lack it)."""
    v6 = f"net/ipv6/conf/{name}"
    writes = [(f"{v6}/accept_ra", "0", True)]
    if any(ip.address.family == 6 for ip in ips):
        writes += [(f"{v6}/disable_ipv6", "0", False), (f"{v6}/keep_addr_on_down", "1", True)]
    if dad:
        writes += [(f"{v6}/enhanced_dad", "1", True), (f"{v6}/accept_dad", "1", True)]
    else:
        writes += [(f"{v6}/accept_dad", "0", True)]
    return [*writes, *notify_sysctls(name)]


def _resolve(container: Namespace, link: Link, ips: list[IpConfig], wanted: list[Route]) -> list[Route]:
    """Fill in gateways, drop what the kernel makes itself or what is there twice, and rank default routes."""
    connected = {ip.address.network for ip in ips}
    seen = set()
    resolved = []
    for route in wanted:
        if route.gw is None and route.scope not in (LINK_SCOPE, 254):
            route.gw = _gateway(ips, route.dst.family)
        in_main = route.table in (None, 0, MAIN)
        if in_main and route.gw is None and route.dst.network in connected:
            continue
        if in_main and route.is_default and not route.priority:
            route.priority = _rank(container, link, route.dst.family)
        key = (route.dst.network, route.table or MAIN, route.priority)
        if key not in seen:
            seen.add(key)
            resolved.append(route)
    return resolved


def _gateway(ips: list[IpConfig], family: int) -> Ip | None:
    return next((ip.gateway for ip in ips if ip.gateway is not None and ip.gateway.family == family), None)


def _rank(container: Namespace, link: Link, family: int) -> int:
    """The metric that keeps another interface's default route in force; 0 (the kernel's own) where there is none."""
    others = [
        route.priority
        for route in routes.list_routes(container, family=family, table=MAIN)
        if route.default and not route.leaves_by(link.index)
    ]
    return max(SECONDARY_METRIC, max(others) + 1) if others else 0


def _kernel_route(route: Route, ips: list[IpConfig]) -> routes.Route:
    dst, gateway = route.dst.network, route.gw
    return routes.Route(
        dst.family,
        dst.ip.packed if dst.prefix else b"",
        dst.prefix,
        gateway.packed if gateway else b"",
        table=route.table or MAIN,
        priority=route.priority,
        scope=route.scope,
        onlink=gateway is not None and not any(ip.address.contains(gateway) for ip in ips),
        mtu=route.mtu,
        advmss=route.advmss,
    )


def _same_route(wanted: Route, shown: routes.Route) -> bool:
    dst = wanted.dst.network
    if (shown.family, shown.prefix) != (dst.family, dst.prefix):
        return False
    if dst.prefix and shown.dst != dst.ip.packed:
        return False
    if wanted.table not in (None, 0) and shown.table != wanted.table:
        return False
    return dst.prefix == 0 or wanted.gw is None or shown.gateway == wanted.gw.packed


def _await_dad(container: Namespace, link: Link) -> None:
    deadline = time.monotonic() + DAD_WAIT
    while True:
        shown = addresses.list_addresses(container, link.index, 6)
        failed = [address for address in shown if address.dadfailed]
        if failed:
            taken = Cidr(Ip(6, int.from_bytes(failed[0].packed, "big")), failed[0].prefix)
            raise NetlinkFailure(f"address {taken} of {link.name} is in use by another host on the link")
        if not any(address.tentative for address in shown):
            return
        if time.monotonic() > deadline:
            raise NetlinkFailure(f"duplicate address detection on {link.name} did not end within {DAD_WAIT:g} s")
        time.sleep(0.02)


def refuse_mtu(mtu: int, largest: int, master: str) -> None:
    """Raise where a link would be larger than what carries it."""
    if mtu > largest:
        raise InvalidNetworkConfig(f"mtu: {mtu} is more than the {largest} of its master {master}")
