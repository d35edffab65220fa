"""A pod's default route, led through the interface that the pod asked for, in place of all others of that family.

The new one is there before the others go, and what went can be put back exactly. The results of the attachments say
what is so afterwards.
"""

from __future__ import annotations

import errno

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import CniError, InvalidNetworkConfig, NetlinkFailure, note_leftovers
from cni_multus.cni.result import Route
from cni_multus.linux.addresses import list_addresses
from cni_multus.linux.defaultroutes import ORDINARY_METRIC, default_routes
from cni_multus.linux.links import find_link, find_link_by_index, list_links
from cni_multus.linux.routes import RT_TABLE_MAIN, add_route_message, list_routes, remove_route_message
from cni_multus.linux.routetables import GONE, tables_turn
from cni_multus.linux.sysctl import read_many, write_many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.result import Result
    from cni_multus.linux.defaultroutes import DefaultRoute, Hop
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace

_ATTEMPTS = 3
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH)
_LINK_SCOPE = 253
_LINK_LOCAL = Cidr.parse("fe80::/10")


class Wanted:
    """What one attachment asks for: the gateways that the pod's default routes are to have, by its interface."""

    __slots__ = ("gateways", "ifname")

    def __init__(self, ifname: str, gateways: tuple[Ip, ...]) -> None:
        self.ifname = ifname
        self.gateways = gateways


class Moved:
    """What was done, to be taken back while the namespace is open."""

    __slots__ = ("_added", "_container", "_heard", "_removed", "_told")

    def __init__(self, container: Namespace) -> None:
        self._container = container
        self._added: list[_Way] = []
        self._removed: list[DefaultRoute] = []
        self._heard: list[str] = []
        self._told: list[tuple[Result, list[Route]]] = []

    def take_back(self) -> list[str]:
        """Restore routes, settings and results; what failed."""
        failures: list[str] = []
        # The old ones first: there is no moment without any.
        for route in self._removed:
            self._try(failures, self._put_back, route)
        for way in self._added:
            self._try(failures, self._send, way.removal(), f"cannot remove the default route {way}", GONE)
        self._try(failures, write_many, self._container, [(name, "1", True) for name in self._heard])
        for result, routes in self._told:
            result.routes = routes
        self._removed, self._added, self._heard, self._told = [], [], [], []
        return failures

    def lead(self, way: _Way) -> None:
        """Make `way` the only default route of its family."""
        if way.family == 6:
            self._stop_listening()
        others: list[DefaultRoute] = []
        for _ in range(_ATTEMPTS):
            shown = default_routes(self._container, way.family)
            own = next((route for route in shown if route.is_to(way.hop)), None)
            others = [route for route in shown if route is not own]
            if own is not None and not others:
                return
            if own is None and way.add(self._container):
                self._added.append(way)
            # IPv6 takes a removal without a gateway for any route by that link.
            for other in sorted(others, key=lambda each: each.family == 6 and not each.hops[0][1]):
                self._remove(other, way)
        raise NetlinkFailure(
            f"{way.attempt}: the kernel has other default routes: {', '.join(map(str, others)) or 'none'}"
        )

    def tell(self, way: _Way, results: list[tuple[str, Result]]) -> None:
        """Let the results say it: what they said before is not so any more."""
        for ifname, result in results:
            self._told.insert(0, (result, result.routes))
            result.routes = [route for route in result.routes if not way.replaces(route)]
            if ifname == way.ifname:
                result.routes.append(Route(Cidr(Ip(way.family, 0), 0), way.gateway))

    def _try(self, failures: list[str], step: Callable[..., object], *arguments: object) -> None:
        try:
            step(*arguments)
        except CniError as failure:
            failures.append(failure.message)

    def _send(self, message: bytes, attempt: str, harmless: tuple[int, ...]) -> None:
        try:
            self._container.netlink.request(message, attempt)
        except NetlinkFailure as failure:
            if failure.errno not in harmless:
                raise

    def _put_back(self, route: DefaultRoute) -> None:
        try:
            self._send(route.restoral(), f"cannot put back the default route {route}", (errno.EEXIST,))
        except NetlinkFailure:
            links = [find_link_by_index(self._container, index) for index, _ in route.hops]
            if any(link and link.up for link in links):
                raise  # else it is gone with its link

    def _remove(self, route: DefaultRoute, way: _Way) -> None:
        self._removed.append(route)
        for message in route.removals(way.hop):
            self._send(message, f"{way.attempt}: cannot remove the one {route}", GONE)

    def _stop_listening(self) -> None:
        """Let no router advertise another default route: it would stand beside this one."""
        names = [f"net/ipv6/conf/{link.name}/" for link in list_links(self._container) if link.name != "lo"]
        found = read_many(self._container, [name + key for name in names for key in ("accept_ra", "accept_ra_defrtr")])
        heard = [f"{name}accept_ra_defrtr" for name in names if found.get(f"{name}accept_ra", "0") != "0"]
        heard = [name for name in heard if found.get(name) == "1"]
        self._heard += heard
        write_many(self._container, [(name, "0", True) for name in heard])


class _Way:
    """A gateway behind a link."""

    __slots__ = ("attempt", "family", "gateway", "hop", "ifname", "subnets")

    def __init__(self, ifname: str, gateway: Ip, link: Link, subnets: list[Cidr]) -> None:
        self.ifname = ifname
        self.gateway = gateway
        self.family = gateway.family
        self.hop: Hop = (link.index, gateway.packed)
        self.subnets = subnets
        self.attempt = _attempt(ifname, gateway)

    def add(self, container: Namespace) -> bool:
        """Make it a default route, before all others; False where it is one of the ways of one already."""
        try:
            self._request(container, onlink=False)
        except NetlinkFailure as failure:
            if failure.errno == errno.EEXIST:
                return False
            if failure.errno not in _UNREACHABLE:
                raise
            self._require_near(container, failure)
            self._request(container, onlink=True)
        return True

    def removal(self) -> bytes:
        """The message that removes what `add` made."""
        index, gateway = self.hop
        return remove_route_message(index, self.family, b"", 0, gateway, priority=ORDINARY_METRIC[self.family])

    def replaces(self, route: Route) -> bool:
        """Whether it stands in the place of a result's route."""
        in_main = route.table in (None, 0, RT_TABLE_MAIN)
        return route.is_default and in_main and route.dst.family == self.family

    def _require_near(self, container: Namespace, failure: NetlinkFailure) -> None:
        """Raise where the gateway is not on the link; it may be, and the main table not say so: `sbr` moved that."""
        index, packed = self.hop
        if any(cidr.contains(self.gateway) for cidr in self.subnets):
            return
        if not any(route.gateway == packed for route in list_routes(container, family=self.family, index=index)):
            told = ", ".join(map(str, self.subnets))
            raise InvalidNetworkConfig(
                f"{failure.message}; {self.gateway} is in no subnet of {self.ifname} ({told})", failure.details
            ) from failure

    def _request(self, container: Namespace, *, onlink: bool) -> None:
        index, gateway = self.hop
        message = add_route_message(index, self.family, b"", 0, gateway, onlink=onlink)
        container.netlink.request(message, self.attempt)

    def __str__(self) -> str:
        return f"via {self.gateway} by {self.ifname}"


def refuse_conflicts(wanted: list[Wanted]) -> None:
    """Raise where a family's default route is to have more than one gateway."""
    for family in (4, 6):
        asked = [f"{gateway} by {one.ifname}" for one in wanted for gateway in one.gateways if gateway.family == family]
        if len(asked) > 1:
            raise InvalidNetworkConfig(
                f"default-route: a pod has one default route of IPv{family}, and several gateways are asked for "
                f"({', '.join(asked)}): keep one of them"
            )


def move(container: Namespace, wanted: list[Wanted], results: list[tuple[str, Result]]) -> Moved:
    """Lead the default routes of a pod as `wanted`, and let the results say so; all of it, or an error and nothing.

    `results` are those of all attachments, each with its interface's name. Other families' routes stay as they are.
    """
    ways = [_find_way(container, one.ifname, gateway) for one in wanted for gateway in one.gateways]
    moved = Moved(container)
    if not ways:
        return moved
    with tables_turn(container):
        try:
            for way in ways:
                moved.lead(way)
                moved.tell(way, results)
        except BaseException as error:
            note_leftovers(error, moved.take_back())
            raise
    return moved


def _find_way(container: Namespace, ifname: str, gateway: Ip) -> _Way:
    """The way to a gateway, as far as it can be told without trying; raises where it is none."""
    attempt = _attempt(ifname, gateway)
    if not gateway.number:
        raise InvalidNetworkConfig(f"{attempt}: that is no gateway's address")
    link = find_link(container, ifname)
    if link is None:
        raise NetlinkFailure(f"{attempt}: {container} has no interface {ifname}", errno=errno.ENODEV)
    master = find_link_by_index(container, link.master)
    if master is not None and master.kind == "vrf":
        raise InvalidNetworkConfig(f"{attempt}: {ifname} is in the VRF {master.name}, apart from the pod's own routes")
    near = _LINK_LOCAL.contains(gateway)
    subnets = [
        Cidr(Ip(address.family, int.from_bytes(address.packed, "big")), address.prefix)
        for address in list_addresses(container, link.index, gateway.family)
        if gateway.family == 4 or near or address.scope != _LINK_SCOPE
    ]
    if not subnets:
        raise InvalidNetworkConfig(f"{attempt}: {ifname} has no IPv{gateway.family} address")
    if any(cidr.ip == gateway for cidr in subnets):
        raise InvalidNetworkConfig(f"{attempt}: that is its own address")
    return _Way(ifname, gateway, link, subnets)


def _attempt(ifname: str, gateway: Ip) -> str:
    return f"cannot lead the default route through {ifname} via {gateway}"
