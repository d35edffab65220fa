"""dummy: a link of the container that leads nowhere, for addresses that programs in it listen on."""

from __future__ import annotations

from cni_multus.cni.result import Interface, Result
from cni_multus.linux.links import add_child_link, remove_link
from cni_multus.plugin.interface import Attached, InterfacePlugin, require_ipam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo


class Dummy(InterfacePlugin[None]):
    """It has no keys of its own."""

    kind = "dummy"

    def parse(self, request: Request) -> None:
        require_ipam(request)

    def attach(
        self, request: Request, config: None, host: Namespace, container: Namespace, ipam: Result, undo: Undo
    ) -> Attached:
        from cni_multus.marks import group_of

        group = group_of(request.sandbox)
        link = add_child_link(
            container, self.kind, b"", parent=0, name=request.ifname, namespace=container, group=group
        )
        undo.callback(remove_link, container, link.index)
        return Attached([Interface(request.ifname, link.mac, request.netns, link.mtu)], 0, link)

    def verify(self, request: Request, config: None, host: Namespace, container: Namespace, link: Link) -> list[str]:
        return [] if link.up else ["it is down"]
