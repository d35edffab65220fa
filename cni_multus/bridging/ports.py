"""A pod's port of a bridge: made with all its settings before a frame can pass, and compared with them."""

from __future__ import annotations

from cni_multus.bridging.vlans import PortVlans
from cni_multus.linux import sysctl
from cni_multus.linux.bridges import port_message, port_of
from cni_multus.linux.bridgevlans import join_message, leave_message, list_vlans, written
from cni_multus.linux.hostports import find_port
from cni_multus.linux.linkinfo import decode_link
from cni_multus.linux.links import add_veth, change_message, random_mac, random_veth_name, remove_link
from cni_multus.linux.linktable import get_message
from cni_multus.linux.sharedbridge import keep_mac
from cni_multus.marks import group_of, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Attachment, Request
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

    Guard = Callable[[Namespace, Attachment, Link, str, Undo], None]


class PortSettings:
    """What a configuration asks for a port; `mtu` 0 means the kernel's own."""

    __slots__ = ("hairpin", "isolated", "mtu", "vlans")

    def __init__(self, mtu: int, vlans: PortVlans, *, hairpin: bool, isolated: bool) -> None:
        self.mtu = mtu
        self.vlans = vlans
        self.hairpin = hairpin
        self.isolated = isolated

    @staticmethod
    def parse(config: Section) -> PortSettings:
        """Read `mtu`, `hairpinMode`, `portIsolation`, and the keys of VLANs."""
        return PortSettings(
            config.number("mtu", high=65535),
            PortVlans(config),
            hairpin=config.flag("hairpinMode"),
            isolated=config.flag("portIsolation"),
        )

    def messages(self, port: Link, bridge: Link) -> list[tuple[bytes, str]]:
        """What gives a new port its settings."""
        batch = []
        if self.hairpin or self.isolated:
            settings = port_message(port.index, hairpin=self.hairpin, isolated=self.isolated)
            batch.append((settings, f"cannot change port {port.name}"))
        if vlans := self.vlans.wanted(_default_vlan(bridge)):
            attempt = f"cannot give port {port.name} of {bridge.name} its VLANs"
            batch += [(leave_message(port.index), attempt), (join_message(port.index, vlans), attempt)]
        return batch


def add_port(
    request: Request,
    settings: PortSettings,
    host: Namespace,
    container: Namespace,
    bridge: Link,
    mac: str,
    undo: Undo,
    guard: Guard | None,
) -> tuple[Link, Link]:
    """Make the pair; returns its port, and the bridge as it is with it, its MAC unchanged.

    `guard` is told of the port, and of the container's MAC, while the port is still down.
    """
    port = add_veth(
        host,
        random_veth_name(),
        master=bridge.index,
        mtu=settings.mtu,
        # The highest there is: a bridge whose MAC nobody set takes its lowest port's.
        mac="fe" + random_mac()[2:],
        up=False,
        peer=request.ifname,
        peer_namespace=container,
        peer_mac=mac,
        peer_group=group_of(request.sandbox),
    )
    undo.callback(remove_link, host, port.index)
    sysctl.write(host, f"net/ipv6/conf/{port.name}/accept_ra", "0", missing_ok=True)
    if guard is not None:
        guard(host, request.attachment, port, mac, undo)
    batch = settings.messages(port, bridge)
    batch.append((change_message(port.index, alias=label(request.attachment), up=True), f"cannot bring {port.name} up"))
    batch.append((get_message(bridge.name), f"cannot look up link {bridge.name}"))
    answer = host.netlink.batch(batch)[-1]
    return port, keep_mac(host, bridge, decode_link(answer) if answer else bridge)


def port_differences(settings: PortSettings, host: Namespace, bridge: Link, inner: Link) -> list[str]:
    """What of the port whose pair's other end is `inner` is not as it was made."""
    port = find_port(host, inner)
    if port is None:
        return ["its peer on the node is gone"]
    if port.master != bridge.index:
        return [f"its peer {port.name} is not a port of {bridge.name}"]
    wrong = [] if port.up else [f"port {port.name} is down"]
    shown = port_of(port)
    for key, set_, wanted in (
        ("hairpinMode", shown.hairpin, settings.hairpin),
        ("portIsolation", shown.isolated, settings.isolated),
    ):
        if set_ != wanted:
            wrong.append(f"port {port.name} has {key} {'on' if set_ else 'off'}")
    return wrong + _vlan_differences(settings.vlans, host, bridge, port)


def _vlan_differences(vlans: PortVlans, host: Namespace, bridge: Link, port: Link) -> list[str]:
    wrong = []
    if vlans.filtering and not bridge.data.get("vlan_filtering"):
        wrong.append(f"bridge {bridge.name} does not keep VLANs apart")
    wanted = vlans.wanted(_default_vlan(bridge))
    if not wanted:
        return wrong
    shown = list_vlans(host).get(port.index, {})
    for said, found in (
        ("is not in", wanted.keys() - shown.keys()),
        ("should not be in", shown.keys() - wanted.keys()),
        ("has the wrong flags in", {vlan for vlan in wanted.keys() & shown.keys() if wanted[vlan] != shown[vlan]}),
    ):
        if found:
            wrong.append(f"port {port.name} {said} VLAN {written(found)}")
    return wrong


def _default_vlan(bridge: Link) -> int:
    return bridge.data.get("vlan_default_pvid", 0)
