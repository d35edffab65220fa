"""The gateway of one VLAN of a bridge: a veth pair, whose one end has the addresses, and whose other is a port.

It is made with the first port that needs it, and goes with the last port that is in the VLAN. One without our alias is
somebody else's: used, and left alone.
"""

from __future__ import annotations

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.linux import sysctl
from cni_multus.linux.bridgevlans import NATIVE, PVID, join_message, leave_message, list_vlans
from cni_multus.linux.links import (
    add_veth,
    change_link,
    change_message,
    find_link,
    find_link_by_index,
    link,
    list_links,
    random_mac,
    random_veth_name,
    remove_link,
)
from cni_multus.linux.sharedbridge import keep_mac, turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

_ALIAS = "multus-gateway:"


def gateway_name(bridge: str, vlan: int) -> str:
    """The name that the reference gives it."""
    return f"{bridge}.{vlan}"


def ensure_gateway(host: Namespace, bridge: Link, vlan: int, *, mtu: int, undo: Undo) -> Link:
    """The gateway's interface, made if it is missing, up; call it in the bridge's turn."""
    name = gateway_name(bridge.name, vlan)
    found = find_link(host, name)
    if found is None:
        return _make(host, bridge, vlan, name, mtu, undo)
    if why := why_no_gateway(host, bridge, vlan, found):
        raise InvalidNetworkConfig(f"vlan: {why}")
    if not found.up:
        undo.callback(_bring_down, host, bridge, found)
        change_link(host, found.index, up=True, attempt=f"cannot bring {name} up")
    return found


def why_no_gateway(host: Namespace, bridge: Link, vlan: int, found: Link) -> str:
    """Why a link cannot be the gateway of that VLAN of the bridge, "" if it can."""
    if found.kind == "vlan":  # one that an operator made
        return "" if found.parent == bridge.index else f"{found.name} is not on {bridge.name}"
    if found.kind != "veth":
        return f"{found.name} is a {found.kind or 'device'}, not a gateway of {bridge.name}"
    port = find_link_by_index(host, found.parent)
    if port is None or port.parent != found.index or port.master != bridge.index:
        return f"{found.name} does not lead to a port of {bridge.name}"
    if not list_vlans(host).get(port.index, {}).get(vlan, 0) & PVID:
        return f"{found.name} leads to {port.name}, whose frames are not in VLAN {vlan}"
    return ""


def remove_unused(host: Namespace) -> None:
    """Remove the gateways of ours in whose VLAN nobody is any more."""
    links = list_links(host)
    indexed = {each.index: each for each in links}
    for gateway in links:
        if not gateway.alias.startswith(_ALIAS):
            continue
        port = indexed.get(gateway.parent)
        bridge = indexed.get(port.master) if port else None
        if bridge is None:
            remove_link(host, gateway.index)
            continue
        with turn(host, bridge.name):
            if not _used(host, bridge, gateway):
                remove_link(host, gateway.index)


def _used(host: Namespace, bridge: Link, gateway: Link) -> bool:
    """Whether another port that may be a pod's, or a virtual machine's, is in the gateway's VLAN."""
    vlans = list_vlans(host)
    native = {vlan for vlan, flags in vlans.get(gateway.parent, {}).items() if flags & PVID}
    ports = [each for each in list_links(host) if each.master == bridge.index and each.kind in ("veth", "tun")]
    return any(native & vlans.get(port.index, {}).keys() for port in ports if port.index != gateway.parent)


def _bring_down(host: Namespace, bridge: Link, gateway: Link) -> None:
    with turn(host, bridge.name):
        if not _used(host, bridge, gateway):
            change_link(host, gateway.index, up=False)


def _make(host: Namespace, bridge: Link, vlan: int, name: str, mtu: int, undo: Undo) -> Link:
    undo.callback(remove_unused, host)
    port = add_veth(
        host,
        random_veth_name(),
        master=bridge.index,
        mtu=mtu,
        # The highest there is: a bridge whose MAC nobody set takes its lowest port's.
        mac="fe" + random_mac()[2:],
        up=False,
        peer=name,
        peer_namespace=host,
        peer_mac=random_mac(),
    )
    for each in (name, port.name):
        sysctl.write(host, f"net/ipv6/conf/{each}/accept_ra", "0", missing_ok=True)
    attempt = f"cannot set up {name}"
    batch = [leave_message(port.index), join_message(port.index, {vlan: NATIVE}), change_message(port.index, up=True)]
    batch.append(change_message(port.parent, up=True, alias=f"{_ALIAS}{bridge.name}:{vlan}"))
    host.netlink.batch([(each, attempt) for each in batch])
    keep_mac(host, bridge, link(host, bridge.name))
    return link(host, name)
