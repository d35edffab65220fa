"""The link that a macvlan, an ipvlan or a vlan stands on: its keys, what an ADD needs of it, and what is on it."""

from __future__ import annotations

import errno

from cni_multus.cni.errors import InvalidNetworkConfig, NetlinkFailure, NotAvailable
from cni_multus.linux.links import add_child_link, find_link, find_link_by_index
from cni_multus.marks import group_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace

_MAIN = 254
_FLAT = ("macvlan", "ipvlan")
"""Kinds of which one on another stands beside it, on what that stands on."""

_NO_HINTS: dict[int, str] = {}


class Master:
    """The keys `master` ("": the device of the default route), `mtu` (0: the master's) and `linkInContainer`."""

    __slots__ = ("found", "in_container", "mtu", "name")

    def __init__(self, config: Section) -> None:
        self.name = config.text("master")
        self.mtu = config.number("mtu", high=65535)
        self.in_container = config.flag("linkInContainer")
        self.found: Link | None = None
        """What was found for an ADD."""

    def require(self, kind: str, host: Namespace, container: Namespace) -> None:
        """Find the master, and refuse one that a `kind` of link cannot stand on."""
        found = self.found = self._look_up(container if self.in_container else host)
        if self.mtu > found.mtu:
            raise InvalidNetworkConfig(f"mtu: {self.mtu} is more than the {found.mtu} of its master {found.name}")
        if not found.up:
            raise InvalidNetworkConfig(f"master: {found.name} is down, and a link of kind {kind} would carry nothing")

    def add(
        self,
        request: Request,
        kind: str,
        data: bytes,
        host: Namespace,
        container: Namespace,
        *,
        mac: str = "",
        hints: Mapping[int, str] = _NO_HINTS,
    ) -> Link:
        """Make CNI_IFNAME, down, on the master that `require` found; `hints` say what an errno most likely means."""
        assert self.found is not None
        try:
            return add_child_link(
                container if self.in_container else host,
                kind,
                data,
                parent=self.found.index,
                parent_name=self.found.name,
                name=request.ifname,
                namespace=container,
                mac=mac,
                mtu=self.mtu,
                group=group_of(request.sandbox),
            )
        except NetlinkFailure as failure:
            hint = hints.get(failure.errno, "") or (_taken_by(kind) if failure.errno == errno.EBUSY else "")
            if hint:
                failure.message += f"; {hint.replace('MASTER', self.found.name)}"
            raise

    def differences(self, request: Request, host: Namespace, container: Namespace, link: Link) -> list[str]:
        """CHECK: what of a link's place and size is not as ADD left it."""
        wrong = [] if link.up else ["it is down"]
        previous = request.previous
        told = previous.of_interface(request.ifname, request.netns) if previous else None
        # Where the result tells the MTU, a later plugin may have changed both.
        if self.mtu and link.mtu != self.mtu and not (told and told[1].mtu):
            wrong.append(f"its MTU is {link.mtu}, not {self.mtu}")
        # Without a configured master it stands on what was the default route's link then, which need not be so now.
        if self.name and (why := self._not_below(link, container if self.in_container else host)):
            wrong.append(why)
        return wrong

    def ready(self, host: Namespace) -> None:
        """STATUS: raise NotAvailable where there is no master for an ADD, or one that is down."""
        if self.in_container:
            return
        try:
            found = self._look_up(host)
        except InvalidNetworkConfig as error:
            raise NotAvailable(error.message) from error
        if not found.up:
            raise NotAvailable(f"master: {found.name} is down")

    def _look_up(self, home: Namespace) -> Link:
        found = find_link(home, self.name) if self.name else _of_default_route(home)
        if found is None:
            raise InvalidNetworkConfig(f"master: there is no link {self.name} in {home}")
        return found

    def _not_below(self, link: Link, home: Namespace) -> str:
        master = find_link(home, self.name)
        if master is None:
            return f"there is no link {self.name} in {home}"
        lower = master.parent if master.kind == link.kind and link.kind in _FLAT else master.index
        return "" if link.parent == lower else f"its master is link {link.parent}, not {master.name} ({lower})"


def _taken_by(kind: str) -> str:
    other = "ipvlan" if kind == "macvlan" else "macvlan"
    return f"a link cannot carry a {kind} while it carries a {other}, or is a port of a bridge or a bond, as MASTER may"


def _of_default_route(home: Namespace) -> Link:
    from cni_multus.linux.routes import list_routes

    defaults = [route for route in list_routes(home, table=_MAIN) if route.default and route.index]
    if not defaults:
        raise InvalidNetworkConfig(f"master: none is given, and {home} has no default route to take it from")
    chosen = min(defaults, key=lambda route: route.priority)
    found = find_link_by_index(home, chosen.index)
    if found is None:
        raise InvalidNetworkConfig(f"master: none is given, and the default route's link is gone from {home}")
    return found
