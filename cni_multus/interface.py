"""An interface of a container, from a result to the kernel: its addresses and routes. Only ADD imports this."""

from __future__ import annotations

import time

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig, NetlinkFailure
from cni_multus.linux import addresses, routes
from cni_multus.linux.announce import announce, notify_sysctls
from cni_multus.linux.interfaces import bring_up
from cni_multus.linux.sysctl import write_many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.result import IpConfig, Route
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace

__all__ = ["announce", "configure", "require_ipv6_mtu"]

SECONDARY_METRIC = 4096
"""The least metric of a default route that must not take over from another interface's: IPv4's own default is 0,
IPv6's 1024, and DHCP clients and RA use 100 to 1024."""

MAIN = 254
LINK_SCOPE = 253
HOST_SCOPE = 254
WORST_METRIC = 0xFFFFFFFF
DAD_WAIT = 5.0
IPV6_MTU = 1280


def configure(
    container: Namespace,
    link: Link,
    ips: list[IpConfig],
    wanted: list[Route],
    *,
    dad: bool = False,
    own: list[routes.Route] | None = None,
) -> list[Route]:
    """Give `link` its addresses, bring it up, add its routes; returns the routes as they were made.

    IPAM owns the addresses, so duplicate address detection (1 s) is left out unless `dad` asks for it.
    The routes `own` stand in the place of those that the kernel makes to the addresses' networks.
    """
    if any(ip.address.family == 6 for ip in ips):
        require_ipv6_mtu(link)
    write_many(container, _sysctls(link.name, ips, dad=dad))
    made = _resolve(container, link, ips, wanted)
    bring_up(
        container,
        link.index,
        [(ip.address.ip.packed, ip.address.prefix) for ip in ips],
        _kernel_routes(made, ips, own),
        nodad=not dad,
        routed=own is None,
        name=link.name,
    )
    if dad and any(ip.address.family == 6 for ip in ips):
        _await_dad(container, link)
    return made


def _sysctls(name: str, ips: list[IpConfig], *, dad: bool) -> list[tuple[str, str, bool]]:
    """What must stand before the link comes up; (name, value, whether the kernel may lack it).

    An interface without IPAM is the kernel's: it may get its addresses from router advertisements.
    """
    if not ips:
        return []
    v6 = f"net/ipv6/conf/{name}"
    writes = [(f"{v6}/accept_ra", "0", True)]
    if any(ip.address.family == 6 for ip in ips):
        # Packets to an address of one's own pass through lo.
        writes += [("net/ipv6/conf/lo/disable_ipv6", "0", False), (f"{v6}/disable_ipv6", "0", False)]
        writes.append((f"{v6}/keep_addr_on_down", "1", True))
    if dad:
        writes += [(f"{v6}/enhanced_dad", "1", True), (f"{v6}/accept_dad", "1", True)]
    else:
        writes.append((f"{v6}/accept_dad", "0", True))
    return [*writes, *notify_sysctls(name)]


def _resolve(container: Namespace, link: Link, ips: list[IpConfig], wanted: list[Route]) -> list[Route]:
    """Fill in gateways, drop what the kernel makes itself or what is there twice, and rank default routes."""
    connected = {ip.address.network for ip in ips}
    seen = set()
    resolved = []
    for route in wanted:
        own = route.dst.network in connected
        in_main = route.table in (None, 0, MAIN)
        if route.gw is None and own and in_main and not (route.priority or route.mtu or route.advmss):
            continue
        if route.gw is None and not own and route.scope not in (LINK_SCOPE, HOST_SCOPE):
            route.gw = _gateway(ips, route.dst.family)
        if in_main and route.is_default and not route.priority:
            route.priority = _rank(container, link, route.dst.family)
        key = (route.dst.network, route.table or MAIN, route.priority, route.gw)
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
    return min(max(SECONDARY_METRIC, max(others) + 1), WORST_METRIC) if others else 0


def _kernel_routes(made: list[Route], ips: list[IpConfig], own: list[routes.Route] | None) -> list[routes.Route]:
    """Own routes first; none is made twice, and a gateway that stands at the link needs no other way to it."""
    if own is None:
        return [_kernel_route(route, [ip.address for ip in ips]) for route in made]
    near = [Cidr(Ip(each.family, int.from_bytes(each.dst, "big")), each.prefix) for each in own if not each.gateway]
    known = {_key(route) for route in own}
    wanted = [_kernel_route(route, near) for route in made]
    return own + [route for route in wanted if _key(route) not in known]


def _key(route: routes.Route) -> tuple[int, bytes, int, bytes, int, int]:
    return route.family, route.dst, route.prefix, route.gateway, route.table, route.priority


def _kernel_route(route: Route, near: list[Cidr]) -> routes.Route:
    dst, gateway = route.dst.network, route.gw
    return routes.Route(
        dst.family,
        dst.ip.packed if dst.prefix else b"",
        dst.prefix,
        gateway.packed if gateway else b"",
        table=route.table or MAIN,
        priority=route.priority,
        scope=route.scope,
        onlink=gateway is not None and not any(cidr.contains(gateway) for cidr in near),
        mtu=route.mtu,
        advmss=route.advmss,
    )


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


def require_ipv6_mtu(link: Link) -> None:
    """Raise where the kernel would have no IPv6 on a link, and say so with no word about the MTU."""
    if link.mtu < IPV6_MTU:
        raise InvalidNetworkConfig(f"mtu: {link.mtu} of {link.name} is less than the {IPV6_MTU} that IPv6 needs")
