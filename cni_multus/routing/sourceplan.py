"""Source based routing: which rules, tables and routes an attachment shall have, and the change to them."""

from __future__ import annotations

import errno

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.linux.routes import RT_SCOPE_UNIVERSE, Route, list_routes
from cni_multus.linux.routetables import (
    GONE,
    add_routes,
    cidr_of,
    in_table,
    missing,
    next_free,
    own_routes,
    remove_routes,
    send_each,
    tables_in_use,
)
from cni_multus.linux.rules import Rule, list_rules
from cni_multus.routing.sourcerouting import Routing, add_rules, remove_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.result import IpConfig, Result
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.routetables import Messages
    from cni_multus.undo import Undo

FIRST_TABLE = 100
FIRST_PRIORITY = 32000
"""Of the first address's rule, the next one's is one more; the rule of the main table has 32766."""

LAST_PRIORITY = 32765
_LINK_LOCAL = Cidr.parse("fe80::/10")
_LINK_LOCAL_ROUTE = Route(6, Ip.parse("fe80::").packed, 64, priority=256, scope=RT_SCOPE_UNIVERSE)


def plan_rules(ips: list[IpConfig], table: int, index: int) -> Routing:
    """All addresses look into one table, which is somebody else's to fill."""
    return Routing(index, [_rule(ip, at, table) for at, ip in enumerate(ips)])


def plan_tables(
    container: Namespace, link: Link, ips: list[IpConfig], told: Result, had: Routing, gateway: Ip | None
) -> Routing:
    """A table for each address, with the routes that serve it; the main table loses them.

    What `had` moved on an earlier occasion counts as if it still were in the main table.
    """
    # Packets from a link-local address match no rule: their network stays in the main table, too.
    here = [route for route in own_routes(container, link.index) if not _LINK_LOCAL.contains(cidr_of(route).ip)]
    routes = here + missing(had.moved, here)
    tables = _tables(container, ips, had)
    families = {ip.address.family for ip in ips}
    planned = Routing(link.index)
    for at, ip in enumerate(ips):
        table = tables[ip.address.ip]
        planned.rules.append(_rule(ip, at, table))
        own = [route for route in routes if _serves(route, ip, ips)]
        if ip.address.family == 6:
            own.append(_LINK_LOCAL_ROUTE)
        via = _gateway(ip, ips, told, own, gateway)
        if via == ip.address.ip:
            raise InvalidNetworkConfig(f"prevResult: {via} is its own gateway, and would reach nothing by it")
        if via and not any(route.default and route.gateway == via.packed for route in own):
            onlink = not ip.address.contains(via)
            own.append(Route(via.family, gateway=via.packed, scope=RT_SCOPE_UNIVERSE, onlink=onlink))
        planned.routes += [in_table(route, table) for route in own]
    planned.moved = [route for route in routes if route.family in families]
    return planned


def carry_out(container: Namespace, link: Link, planned: Routing, had: Routing, undo: Undo) -> None:
    """Make what is there what is planned: the main table loses its routes once everything else stands."""
    index, name = link.index, link.name
    rules = {rule.key for rule in list_rules(container)}
    shown = list_routes(container, index=index)
    in_main = own_routes(container, index)
    wanted = {rule.key for rule in planned.rules}
    routes = missing(planned.routes, shown) + missing(missing(had.moved, planned.moved), in_main)
    new = [rule for rule in planned.rules if rule.key not in rules]
    _step(
        container,
        undo,
        add_routes(routes, index, name) + add_rules(new),
        remove_rules(new) + remove_routes(routes, index, name),
        GONE,
    )
    stale = [rule for rule in had.rules if rule.key in rules and rule.key not in wanted]
    gone = missing(had.routes, missing(had.routes, shown))
    gone = missing(gone, planned.routes) + missing(planned.moved, missing(planned.moved, in_main))
    _step(
        container,
        undo,
        remove_rules(stale) + remove_routes(gone, index, name),
        add_routes(gone, index, name) + add_rules(stale),
        (errno.EEXIST,),
    )


def _step(container: Namespace, undo: Undo, there: Messages, back: Messages, harmless: tuple[int, ...]) -> None:
    undo.callback(send_each, container, back, harmless)
    container.netlink.batch(there)


def _rule(ip: IpConfig, at: int, table: int) -> Rule:
    return Rule.of(ip.address.ip.packed, table, min(FIRST_PRIORITY + at, LAST_PRIORITY))


def _tables(container: Namespace, ips: list[IpConfig], had: Routing) -> dict[Ip, int]:
    """The table of each address: the one that it had, else the next that nobody uses."""
    mine = {rule.key for rule in had.rules}
    before = {rule.source: rule.table for rule in had.rules}
    taken = tables_in_use(
        container,
        lambda rule: rule.key in mine,
        lambda route: route.leaves_by(had.index) and route.table in before.values(),
    )
    kept = {ip.address.ip: before.get(ip.address.ip.packed, 0) for ip in ips}
    tables = {ip: table for ip, table in kept.items() if table >= FIRST_TABLE and table not in taken}
    taken.update(tables.values())
    for ip in kept:
        if ip not in tables:
            tables[ip] = next_free(taken, FIRST_TABLE)
    return tables


def _serves(route: Route, ip: IpConfig, ips: list[IpConfig]) -> bool:
    """Whether a route belongs into the table of an address: one by its own network, or one that is nobody's."""
    if route.family != ip.address.family:
        return False
    return _is_of(route, ip) or not any(_is_of(route, other) for other in ips)


def _is_of(route: Route, ip: IpConfig) -> bool:
    return any(
        ip.address.contains(Ip(route.family, int.from_bytes(packed, "big")))
        for packed in (route.source, route.gateway)
        if len(packed) == len(ip.address.ip.packed)
    )


def _gateway(ip: IpConfig, ips: list[IpConfig], told: Result, own: list[Route], configured: Ip | None) -> Ip | None:
    """Its own gateway, else the configured one, else one in its network: another address's, a default route's, any."""
    family = ip.address.family
    for gateway in (ip.gateway, configured):
        if gateway is not None and gateway.family == family:
            return gateway
    routes = [(route.is_default, route.gw) for route in told.routes if route.gw]
    routes += [
        (route.default, Ip(family, int.from_bytes(route.gateway, "big")))
        for route in own
        if len(route.gateway) == len(ip.address.ip.packed)
    ]
    inherited = [other.gateway for other in ips if other.gateway]
    inherited += [gateway for default, gateway in routes if default]
    inherited += [gateway for default, gateway in routes if not default]
    return next((gateway for gateway in inherited if ip.address.contains(gateway) and gateway != ip.address.ip), None)
