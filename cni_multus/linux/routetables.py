"""Routing tables of a namespace: which of them are taken, and a link's routes on their way from one to another.

Whoever chooses a number, or moves routes, takes a turn (`tables_turn`): attachments of one pod come at once.
"""

from __future__ import annotations

import errno

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import written
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.links import list_links
from cni_multus.linux.routes import (
    RT_TABLE_MAIN,
    RTPROT_STATIC,
    Route,
    list_routes,
    remove_route_message,
    route_message,
)
from cni_multus.linux.rules import list_rules
from cni_multus.undo import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cni_multus.cni.config import Section
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.rules import Rule

    Messages = list[tuple[bytes, str]]

OF_THE_KERNEL = (253, 254, 255)
"""default, main and local."""

LAST_TABLE = 0xFFFFFFFF

GONE = (errno.ENOENT, errno.ESRCH, errno.ENODEV)
"""What the kernel says of a rule, a route or a link that is not there."""

IMPOSSIBLE = (errno.EEXIST, errno.EINVAL, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENODEV)
"""What it says of a route that is there already, or whose address, gateway or link is there no more."""

_UNICAST = 1
_IPV6_METRIC = 1024
_NUMBERS = ("table", "priority", "mtu", "advmss")


def namespace_mark(container: Namespace) -> str:
    """What tells a namespace from another one that is at the same path later."""
    device, inode = container.identity
    return f"{device}:{inode}"


def tables_turn(container: Namespace) -> Exclusion:
    """One at a time among those that give tables of this namespace numbers."""
    return Exclusion(container, "routing tables")


def tables_in_use(
    container: Namespace, mine: Callable[[Rule], bool] | None = None, own: Callable[[Route], bool] | None = None
) -> set[int]:
    """The tables that rules, routes or VRFs have, and the kernel's own; not counting rules and routes of one's own."""
    ruled = {rule.table for rule in list_rules(container) if mine is None or not mine(rule)}
    routed = {route.table for route in list_routes(container) if own is None or not own(route)}
    return ruled | routed | vrf_tables(container) | {*OF_THE_KERNEL, 0}


def vrf_tables(container: Namespace) -> set[int]:
    """The tables of the VRFs of a namespace."""
    return {link.data.get("table", 0) for link in list_links(container) if link.kind == "vrf"}


def next_free(taken: set[int], first: int) -> int:
    """The smallest number from `first` on that is not taken; it is taken then."""
    table = next(table for table in range(first, LAST_TABLE) if table not in taken)
    taken.add(table)
    return table


def own_routes(container: Namespace, index: int, table: int = RT_TABLE_MAIN) -> list[Route]:
    """A link's own routes in a table, each with one way; ways that it shares with other links count singly."""
    found = []
    for route in list_routes(container, table=table, index=index):
        if route.type != _UNICAST:
            continue
        if not route.multipath:
            found.append(route)
        elif route.family == 6:  # equal routes of several links, which the kernel shows as one
            found += [
                in_table(route, route.table, gateway=gateway, index=hop)
                for hop, gateway in route.multipath
                if hop == index
            ]
    return found


def in_table(route: Route, table: int, *, gateway: bytes | None = None, index: int | None = None) -> Route:
    """The same route in another table."""
    return Route(
        route.family,
        route.dst,
        route.prefix,
        route.gateway if gateway is None else gateway,
        index=route.index if index is None else index,
        source=route.source,
        table=table,
        priority=route.priority,
        scope=route.scope,
        protocol=route.protocol,
        mtu=route.mtu,
        advmss=route.advmss,
        onlink=route.onlink,
    )


def route_key(route: Route) -> tuple[object, ...]:
    """Equal for two routes of one link that the kernel would not keep beside each other."""
    metric = route.priority or (_IPV6_METRIC if route.family == 6 else 0)
    return route.family, route.dst, route.prefix, route.gateway, route.table, metric


def missing(routes: Iterable[Route], shown: Iterable[Route]) -> list[Route]:
    """Those of `routes` that are not among `shown`."""
    there = {route_key(route) for route in shown}
    return [route for route in routes if route_key(route) not in there]


def add_routes(routes: Iterable[Route], index: int, name: str) -> Messages:
    """The messages that add routes by a link, networks before the gateways in them."""
    return [
        (route_message(route, index), f"cannot add route {route} on {name} to table {route.table}")
        for route in sorted(routes, key=lambda route: bool(route.gateway))
    ]


def remove_routes(routes: Iterable[Route], index: int, name: str) -> Messages:
    """The messages that remove exactly these routes."""
    return [
        (
            remove_route_message(
                index,
                route.family,
                route.dst,
                route.prefix,
                route.gateway,
                table=route.table,
                priority=route.priority,
            ),
            f"cannot remove route {route} on {name} from table {route.table}",
        )
        for route in routes
    ]


def send_each(container: Namespace, messages: Messages, harmless: tuple[int, ...]) -> None:
    """Send all of them, then raise the first failure that is not harmless."""

    def send(each: tuple[bytes, str]) -> None:
        try:
            container.netlink.request(*each)
        except NetlinkFailure as failure:
            if failure.errno not in harmless:
                raise

    do_all(send, messages)


def route_to_json(route: Route) -> dict[str, object]:
    """A route as it is written down; what is not told is 0."""
    anywhere = "0.0.0.0" if route.family == 4 else "::"
    shown: dict[str, object] = {"dst": f"{written(route.dst) if route.dst else anywhere}/{route.prefix}"}
    for key, packed in (("gateway", route.gateway), ("source", route.source)):
        if packed:
            shown[key] = written(packed)
    shown.update({key: getattr(route, key) for key in _NUMBERS if getattr(route, key)})
    shown["protocol"] = route.protocol
    shown["scope"] = route.scope or 0
    return {**shown, "onlink": True} if route.onlink else shown


def route_from_json(section: Section) -> Route:
    """The way back; raises CniError where it is none."""
    dst = section.cidr("dst")
    return Route(
        dst.family,
        dst.network.ip.packed if dst.prefix else b"",
        dst.prefix,
        _packed(section.ip("gateway")),
        source=_packed(section.ip("source")),
        scope=section.number("scope", high=255),
        protocol=section.number("protocol", RTPROT_STATIC, high=255),
        onlink=section.flag("onlink"),
        table=section.number("table"),
        priority=section.number("priority"),
        mtu=section.number("mtu"),
        advmss=section.number("advmss"),
    )


def cidr_of(route: Route) -> Cidr:
    """Where a route leads."""
    return Cidr(Ip(route.family, int.from_bytes(route.dst, "big")), route.prefix)


def _packed(ip: Ip | None) -> bytes:
    return b"" if ip is None else ip.packed
