"""ipvlan: a link with addresses of its own, and the MAC of the link that it stands on."""

from __future__ import annotations

from cni_multus.cni.errors import UnsupportedField
from cni_multus.cni.result import Interface, Result
from cni_multus.linux.links import remove_link
from cni_multus.plugin.interface import Attached, InterfacePlugin, require_ipam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

MODES = {"l2": 0, "l3": 1, "l3s": 2}
"""The kernel's IPVLAN_MODE_ numbers."""

FLAGS = {"bridge": 0, "private": 1, "vepa": 2}
"""The kernel's IPVLAN_F_ bits."""


class IpvlanConfig:
    """The keys of an ipvlan configuration; `flag` None is whatever the master's other ipvlans have."""

    __slots__ = ("flag", "master", "mode")

    def __init__(self, request: Request) -> None:
        from cni_multus.masters import Master

        config = request.config
        self.master = Master(config)
        mode, flag = config.text("mode") or "l2", config.text("flag")
        if mode not in MODES:
            raise config.wrong("mode", f"{mode!r} is not one of {', '.join(MODES)}")
        if flag and flag not in FLAGS:
            raise config.wrong("flag", f"{flag!r} is not one of {', '.join(FLAGS)}")
        self.mode = MODES[mode]
        self.flag = FLAGS[flag] if flag else None
        for section in (config, config.section("runtimeConfig")):
            _refuse_mac(section)
        if request.command == "ADD":
            if not (request.previous and request.previous.ips):
                require_ipam(request)
            self.master.name = self.master.name or _name_in_result(request, in_container=self.master.in_container)


class Ipvlan(InterfacePlugin["IpvlanConfig"]):
    """See README.md for the keys."""

    kind = "ipvlan"

    def parse(self, request: Request) -> IpvlanConfig:
        return IpvlanConfig(request)

    def inherit(self, request: Request) -> Result:
        """Without `ipam`, the addresses, routes and dns of the plugin before it."""
        from cni_multus.cni.config import Section

        previous = request.previous or Result()
        inherited = Result.parse(Section(previous.to_json("1.1.0"), "prevResult"), "1.1.0")
        inherited.interfaces = []
        return inherited

    def prepare(self, request: Request, config: IpvlanConfig, host: Namespace, container: Namespace) -> None:
        config.master.require(self.kind, host, container)

    def attach(
        self,
        request: Request,
        config: IpvlanConfig,
        host: Namespace,
        container: Namespace,
        ipam: Result,
        undo: Undo,
    ) -> Attached:
        from cni_multus.linux.linkdata import ipvlan_data

        link = config.master.add(request, self.kind, ipvlan_data(config.mode, config.flag), host, container)
        undo.callback(remove_link, container, link.index)
        return Attached([Interface(request.ifname, link.mac, request.netns, link.mtu)], 0, link)

    def verify(
        self, request: Request, config: IpvlanConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        wrong = config.master.differences(request, host, container, link)
        mode, flag = link.data.get("mode", 0), link.data.get("flags", 0)
        # The kernel has one mode and one flag for all ipvlans of a master: the last one made decides.
        if mode != config.mode:
            wrong.append(f"its mode is {_word(MODES, mode)}, not {_word(MODES, config.mode)}")
        if config.flag is not None and flag != config.flag:
            wrong.append(f"its flag is {_word(FLAGS, flag)}, not {_word(FLAGS, config.flag)}")
        return wrong

    def ready(self, request: Request, config: IpvlanConfig, host: Namespace) -> None:
        config.master.ready(host)


def _refuse_mac(section: Section) -> None:
    if section.mac("mac"):
        raise UnsupportedField(f"{section.where('mac')}: an ipvlan has its master's MAC and no other: use macvlan")


def _name_in_result(request: Request, *, in_container: bool) -> str:
    """The one interface of the plugin before that can be the master; "" where there was no plugin before."""
    if request.previous is None:
        return ""
    named = [interface for interface in request.previous.interfaces if interface.name]
    here = [interface for interface in named if bool(interface.sandbox) == in_container]
    for candidates in (here, named):
        if len(candidates) == 1:
            return candidates[0].name
    names = ", ".join(interface.name for interface in named) or "none"
    raise request.config.wrong("master", f"none is given, and prevResult has no single interface (it has {names})")


def _word(words: dict[str, int], number: int) -> str:
    return next((word for word, value in words.items() if value == number), str(number))
