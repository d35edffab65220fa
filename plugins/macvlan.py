"""macvlan: a link of its own MAC over a link of the node (or, with linkInContainer, of the container)."""

from __future__ import annotations

import errno

from cni_multus.cni.errors import InvalidNetworkConfig, NetlinkFailure, NotAvailable
from cni_multus.cni.result import Interface, Result
from cni_multus.linux.links import add_macvlan, find_link, find_link_by_index, remove_link
from cni_multus.marks import group_of, requested_mac
from cni_multus.plugin import Attached, InterfacePlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
"""The kernel's MACVLAN_MODE_ bits; `source` needs a list of addresses that CNI has no key for."""

_MAIN = 254


class MacvlanConfig:
    """The keys of a macvlan configuration; `master` "" means the device of the default route, `mtu` 0 the master's."""

    __slots__ = ("bc_queue_len", "found", "in_container", "mac", "master", "mode", "mtu")

    def __init__(self, request: Request) -> None:
        config = request.config
        self.master = config.text("master")
        mode = config.text("mode") or "bridge"
        if mode not in MODES:
            raise config.wrong("mode", f"{mode!r} is not one of {', '.join(MODES)}")
        self.mode = MODES[mode]
        self.mtu = config.number("mtu", high=65535)
        self.bc_queue_len = config.number("bcqueuelen")
        self.in_container = config.flag("linkInContainer")
        self.mac = requested_mac(request)
        self.found: Link | None = None
        """The master, once it was looked up."""

    def home(self, host: Namespace, container: Namespace) -> Namespace:
        """Where the master is."""
        return container if self.in_container else host


class Macvlan(InterfacePlugin["MacvlanConfig"]):
    """See README.md for the keys."""

    kind = "macvlan"

    def parse(self, request: Request) -> MacvlanConfig:
        return MacvlanConfig(request)

    def prepare(self, request: Request, config: MacvlanConfig, host: Namespace, container: Namespace) -> None:
        master = config.found = _master(config, config.home(host, container))
        if config.mtu > master.mtu:
            raise InvalidNetworkConfig(f"mtu: {config.mtu} is more than the {master.mtu} of its master {master.name}")
        if not master.up:
            raise InvalidNetworkConfig(f"master: {master.name} is down, and a macvlan on it would carry nothing")

    def attach(
        self,
        request: Request,
        config: MacvlanConfig,
        host: Namespace,
        container: Namespace,
        ipam: Result,
        undo: Undo,
    ) -> Attached:
        link = _add(request, config, host, container)
        undo.callback(remove_link, container, link.index)
        return Attached([Interface(request.ifname, link.mac, request.netns, link.mtu)], 0, link)

    def verify(
        self, request: Request, config: MacvlanConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        wrong = []
        if link.data.get("mode") != config.mode:
            wrong.append(f"its mode is {_mode(link.data.get('mode', 0))}, not {_mode(config.mode)}")
        if not link.up:
            wrong.append("it is down")
        # Without a configured master it stands on what was the default route's link then, which need not be so now.
        if config.master and (why := _not_on(config, config.home(host, container), link)):
            wrong.append(why)
        return wrong

    def ready(self, request: Request, config: MacvlanConfig, host: Namespace) -> None:
        if config.in_container:
            return
        try:
            master = _master(config, host)
        except InvalidNetworkConfig as error:
            raise NotAvailable(error.message) from error
        if not master.up:
            raise NotAvailable(f"master: {master.name} is down")


def _add(request: Request, config: MacvlanConfig, host: Namespace, container: Namespace) -> Link:
    home = config.home(host, container)
    master = config.found or _master(config, home)
    try:
        return add_macvlan(
            home,
            parent=master.index,
            parent_name=master.name,
            name=request.ifname,
            mode=config.mode,
            namespace=container,
            mac=config.mac,
            mtu=config.mtu,
            bc_queue_len=config.bc_queue_len,
            group=group_of(request.sandbox),
        )
    except NetlinkFailure as failure:
        if failure.errno == errno.EINVAL:
            # The kernel says no more than that.
            failure.message += f"; a macvlan in passthru mode wants {master.name} for itself, and there may be another"
        raise


def _mode(bit: int) -> str:
    return next((name for name, value in MODES.items() if value == bit), str(bit))


def _not_on(config: MacvlanConfig, home: Namespace, link: Link) -> str:
    """Why a macvlan is not on the configured master, "" if it is."""
    master = find_link(home, config.master)
    if master is None:
        return f"there is no link {config.master} in {home}"
    # The kernel puts a macvlan on a macvlan beside it.
    lower = master.parent if master.kind == "macvlan" else master.index
    return "" if link.parent == lower else f"its master is link {link.parent}, not {master.name} ({lower})"


def _master(config: MacvlanConfig, home: Namespace) -> Link:
    if config.master:
        master = find_link(home, config.master)
        if master is None:
            raise InvalidNetworkConfig(f"master: there is no link {config.master} in {home}")
        return master
    from cni_multus.linux.routes import list_routes

    defaults = [route for route in list_routes(home, table=_MAIN) if route.default and route.index]
    if not defaults:
        raise InvalidNetworkConfig(f"master: none is given, and {home} has no default route to take it from")
    chosen = min(defaults, key=lambda route: route.priority)
    master = find_link_by_index(home, chosen.index)
    if master is None:
        raise InvalidNetworkConfig(f"master: none is given, and the default route's link is gone from {home}")
    return master
