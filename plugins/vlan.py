"""vlan: one IEEE 802.1Q VLAN of a link, as the container's interface."""

from __future__ import annotations

import errno

from cni_multus.cni.result import Interface, Result
from cni_multus.linux.links import remove_link
from cni_multus.plugin.interface import Attached, InterfacePlugin, require_ipam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

_HINTS = {
    errno.EEXIST: "a link has each VLAN once, so this one of MASTER may be that of another pod: pods share a VLAN by "
    "macvlans on top of it, or a bridge"
}


class VlanConfig:
    """The keys of a vlan configuration."""

    __slots__ = ("master", "number")

    def __init__(self, request: Request) -> None:
        from cni_multus.masters import Master

        config = request.config
        self.master = Master(config)
        if not self.master.name:
            raise config.wrong("master", "it is missing: a VLAN is one of a link that is named")
        self.number = config.number("vlanId", high=4094)
        require_ipam(request)


class Vlan(InterfacePlugin["VlanConfig"]):
    """See README.md for the keys."""

    kind = "vlan"

    def parse(self, request: Request) -> VlanConfig:
        return VlanConfig(request)

    def prepare(self, request: Request, config: VlanConfig, host: Namespace, container: Namespace) -> None:
        config.master.require(self.kind, host, container)

    def attach(
        self,
        request: Request,
        config: VlanConfig,
        host: Namespace,
        container: Namespace,
        ipam: Result,
        undo: Undo,
    ) -> Attached:
        from cni_multus.linux.linkdata import vlan_data

        link = config.master.add(request, self.kind, vlan_data(config.number), host, container, hints=_HINTS)
        undo.callback(remove_link, container, link.index)
        return Attached([Interface(request.ifname, link.mac, request.netns, link.mtu)], 0, link)

    def verify(
        self, request: Request, config: VlanConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        wrong = config.master.differences(request, host, container, link)
        number = link.data.get("id")
        if number != config.number:
            wrong.append(f"its vlanId is {number}, not {config.number}")
        return wrong

    def ready(self, request: Request, config: VlanConfig, host: Namespace) -> None:
        config.master.ready(host)
