"""tap: a TAP device in the container, by which a program (a virtual machine's) sends and receives frames."""

from __future__ import annotations

import os

from cni_multus.cni.errors import InvalidNetworkConfig, UnsupportedField
from cni_multus.cni.result import Interface, Result
from cni_multus.linux.links import change_link, find_link, link, remove_link
from cni_multus.plugin.interface import Attached, InterfacePlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

_TIMEOUT = 10.0
_LARGEST_MTU = 65521  # the kernel's 65535, less an Ethernet header
_LARGEST_ID = 0xFFFFFFFE  # the one above means none


class TapConfig:
    """The keys of a tap configuration; `mtu` 0 means the kernel's own, an owner None nobody in particular."""

    __slots__ = ("bridge", "context", "group", "mac", "mtu", "multi_queue", "owner")

    def __init__(self, request: Request) -> None:
        from cni_multus.marks import requested_mac

        config = request.config
        self.multi_queue = config.flag("multiQueue")
        self.mtu = config.number("mtu", high=_LARGEST_MTU)
        self.mac = requested_mac(request)
        self.owner = _identity(config, "owner")
        self.group = _identity(config, "group")
        self.context = config.text("selinuxContext")
        self.bridge = config.text("bridge")


class Tap(InterfacePlugin["TapConfig"]):
    """See README.md for the keys."""

    kind = "tun"

    def parse(self, request: Request) -> TapConfig:
        return TapConfig(request)

    def prepare(self, request: Request, config: TapConfig, host: Namespace, container: Namespace) -> None:
        if config.bridge:
            _bridge(config, container)
        if config.context:
            from cni_multus.linux.selinux import is_enabled

            if not is_enabled():
                raise UnsupportedField("selinuxContext: SELinux is not enabled on this node")

    def attach(
        self, request: Request, config: TapConfig, host: Namespace, container: Namespace, ipam: Result, undo: Undo
    ) -> Attached:
        from cni_multus.linux.taps import add_tap
        from cni_multus.marks import group_of

        if config.context:
            _add_labelled(request, config, container)
        else:
            add_tap(container, request.ifname, owner=config.owner, group=config.group, multi_queue=config.multi_queue)
        undo.callback(remove_link, container, request.ifname)
        change_link(
            container,
            link(container, request.ifname).index,
            mac=config.mac or None,
            mtu=config.mtu or None,
            master=_bridge(config, container).index if config.bridge else None,
            group=group_of(request.sandbox),
            attempt=f"cannot set up tap {request.ifname}",
        )
        made = link(container, request.ifname)
        return Attached([Interface(made.name, made.mac, request.netns, made.mtu)], 0, made)

    def verify(
        self, request: Request, config: TapConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        wrong = [] if link.up else ["it is down"]
        if config.bridge:
            bridge = find_link(container, config.bridge)
            if bridge is None or link.master != bridge.index:
                wrong.append(f"it is not a port of {config.bridge}")
        if link.data:  # kernels before 4.20 tell nothing
            wrong += _differences(config, link)
        return wrong


def _identity(config: Section, key: str) -> int | None:
    return config.number(key, high=_LARGEST_ID) if config.has(key) else None


def _bridge(config: TapConfig, container: Namespace) -> Link:
    bridge = find_link(container, config.bridge)
    if bridge is None or bridge.kind != "bridge":
        what = f"{config.bridge} is no bridge" if bridge else f"there is no bridge {config.bridge}"
        raise InvalidNetworkConfig(f"bridge: {what} in {container}, where a plugin before this one has to make it")
    return bridge


def _differences(config: TapConfig, link: Link) -> list[str]:
    from cni_multus.linux.taps import TYPE_TAP

    wrong = [] if link.data.get("type") == TYPE_TAP else ["it is a TUN device, not a TAP device"]
    for key, set_, wanted in (
        ("owner", link.data.get("owner"), config.owner),
        ("group", link.data.get("group"), config.group),
        ("multiQueue", bool(link.data.get("multi_queue")), config.multi_queue),
    ):
        if set_ != wanted:
            wrong.append(f"its {key} is {_word(set_)}, not {_word(wanted)}")
    return wrong


def _word(value: int | None) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "nobody" if value is None else str(value)


def _add_labelled(request: Request, config: TapConfig, container: Namespace) -> None:
    """Have `ip` make the device under a label: SELinux gives a device that of the process, and lets exec change it."""
    from cni_multus.cni.errors import NetlinkFailure
    from cni_multus.linux.selinux import NextProgram
    from cni_multus.program import foreign_environment, run

    words = ["tuntap", "add", "name", request.ifname, "mode", "tap", *(["multi_queue"] if config.multi_queue else [])]
    for word, number in (("user", config.owner), ("group", config.group)):
        words += [word, str(number)] if number is not None else []
    directories = [*request.environment.get("PATH", "").split(":"), "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
    program = next((f"{each}/ip" for each in directories if each and os.access(f"{each}/ip", os.X_OK)), "ip")
    with container.inside(), NextProgram(config.context):
        outcome = run(program, foreign_environment(request.environment), b"", _TIMEOUT, tuple(words))
    if outcome.status:
        said = outcome.stderr.decode(errors="replace").strip()
        raise NetlinkFailure(f"cannot add tap {request.ifname} as {config.context}: {said or outcome.status}")
