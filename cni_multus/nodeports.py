"""The node's ends of an attachment's veth pairs, found by their label where nothing else leads to them."""

from __future__ import annotations

from cni_multus.cni.request import Attachment
from cni_multus.linux.hostports import remove_ports
from cni_multus.linux.netns import Namespace
from cni_multus.marks import label, labels_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link


def remove_stranded_ports(request: Request, host: Namespace, *, of_bridge: bool = False) -> None:
    """DEL without the container's namespace: remove what is labelled, and what prevResult tells by name and MAC.

    With `of_bridge` the latter must be a port of some bridge: the gateway of a VLAN is told too, and is not the pod's.
    """
    told = request.previous.interfaces if request.previous else []
    ours = {(interface.name, interface.mac) for interface in told if not interface.sandbox and interface.mac}
    mark = label(request.attachment)

    def is_ours(port: Link) -> bool:
        return port.alias == mark or ((port.name, port.mac) in ours and (not of_bridge or port.master != 0))

    remove_ports(host, is_ours)


def collect_ports(request: Request) -> None:
    """GC: remove those of the network whose attachments the runtime does not know any more."""
    valid = {label(Attachment(request.name, *attached)) for attached in request.valid_attachments()}
    start = labels_start(request.name)
    with Namespace.host() as host:
        remove_ports(host, lambda port: port.alias.startswith(start) and port.alias not in valid)
