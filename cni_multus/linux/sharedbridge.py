"""A bridge that many attachments share: changed by one at a time, and changed back only while nobody relies on it.

Who relies on a change are the ports that came after it.
"""

from __future__ import annotations

import errno

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig, NetlinkFailure, UnsupportedField
from cni_multus.linux import sysctl
from cni_multus.linux.addresses import add_address_message, list_addresses, remove_address_message
from cni_multus.linux.bridgevlans import filtering_message
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.linkinfo import IFF_PROMISC
from cni_multus.linux.links import add_bridge, change_link, find_link, list_links, random_mac, remove_link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.addresses import Address
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

_NO_MAC = "00:00:00:00:00:00"
_LINK_LOCAL = Cidr.parse("fe80::/10")


def turn(host: Namespace, name: str) -> Exclusion:
    """A context in which nobody else of ours changes the bridge `name`, or gives it ports."""
    return Exclusion(host, f"bridge {name}")


def require_bridge(
    host: Namespace, found: Link | None, name: str, *, filtering: bool = False, switch: bool = False
) -> None:
    """Raise where a link cannot be the bridge `name`; with `filtering` it must keep VLANs apart, or be one to `switch`.

    One that has no ports is: nobody relies on its being otherwise.
    """
    if found is None:
        return
    if found.kind != "bridge":
        raise InvalidNetworkConfig(f"bridge: {name} is a {found.kind or 'device'}, not a bridge")
    if not filtering or found.data.get("vlan_filtering"):
        return
    if "vlan_default_pvid" not in found.data:
        raise _no_vlans()
    if not switch and bridge_ports(host, found):
        raise InvalidNetworkConfig(
            f"vlan: {name} does not keep VLANs apart, and other ports may rely on that: set vlanFiltering to true to "
            f'have it switched over, or do it with "ip link set {name} type bridge vlan_filtering 1"'
        )


def ensure_bridge(
    host: Namespace,
    name: str,
    *,
    mtu: int = 0,
    promisc: bool = False,
    filtering: bool = False,
    switch: bool = False,
    undo: Undo,
) -> Link:
    """The bridge `name`, made if it is missing, up; call it in the bridge's turn."""
    found = find_link(host, name) or _make(host, name, mtu, promisc, filtering, undo) or find_link(host, name)
    if found is None:
        raise NetlinkFailure(f"cannot add bridge {name}: it comes and goes")
    require_bridge(host, found, name, filtering=filtering, switch=switch)
    if found.mac == _NO_MAC:
        # A bridge that nobody gave a MAC has none while it has no port, and takes its first one's.
        found.mac = random_mac()
        change_link(host, found.index, mac=found.mac, attempt=f"cannot give {name} a MAC")
    # The flag is what somebody set; `promiscuity` also counts who listens for a while.
    set_promisc = promisc and not found.flags & IFF_PROMISC
    if filtering and not found.data["vlan_filtering"]:
        undo.callback(_mix_vlans, host, found, bridge_ports(host, found))
        host.netlink.request(filtering_message(found.index, True), f"cannot let {name} keep VLANs apart")
    if set_promisc or not found.up:
        undo.callback(_put_back, host, found, bridge_ports(host, found))
        attempt = f"cannot bring {name} up"
        change_link(host, found.index, up=True, promisc=True if set_promisc else None, attempt=attempt)
    return found


def add_gateways(
    host: Namespace, bridge: Link, gateways: list[Cidr], *, force: bool, undo: Undo, holder: Link | None = None
) -> None:
    """Give the bridge, or `holder` in its stead, the addresses it lacks, in the bridge's turn.

    `force` removes those that conflict with them.
    """
    holder = holder or bridge
    shown = [_cidr(address) for address in list_addresses(host, holder.index)]
    missing = [gateway for gateway in gateways if gateway not in shown]
    if not missing:
        return
    ports = bridge_ports(host, bridge)
    for gateway in missing:
        rivals = [cidr for cidr in shown if cidr not in gateways and _conflict(cidr, gateway)]
        if rivals and not force:
            raise InvalidNetworkConfig(
                f"forceAddress: {holder.name} has {rivals[0]} already, and {gateway} would conflict with it"
            )
        undo.callback(_take_back, host, bridge, holder, gateway, rivals, ports)
        for rival in rivals:
            _remove_address(host, holder, rival)
            shown.remove(rival)
        _add_address(host, holder, gateway)
    # A bridge whose MAC nobody set takes its lowest port's, and a gateway's must not change.
    change_link(host, holder.index, mac=holder.mac, attempt=f"cannot fix the MAC of {holder.name}")


def missing_gateways(host: Namespace, holder: Link, gateways: list[Ip]) -> list[Ip]:
    """Which of the addresses a bridge, or what holds them in its stead, does not have."""
    shown = {_cidr(address).ip for address in list_addresses(host, holder.index)}
    return [gateway for gateway in gateways if gateway not in shown]


def keep_mac(host: Namespace, bridge: Link, now: Link) -> Link:
    """Give a bridge the MAC back that a new port took from it; returns it as it is `now`, with that."""
    if now.mac != bridge.mac:
        change_link(host, bridge.index, mac=bridge.mac, attempt=f"cannot keep the MAC of {bridge.name}")
        now.mac = bridge.mac
    return now


def bridge_ports(host: Namespace, bridge: Link) -> set[int]:
    """The indexes of a bridge's ports."""
    return {link.index for link in list_links(host) if link.master == bridge.index}


def _make(host: Namespace, name: str, mtu: int, promisc: bool, filtering: bool, undo: Undo) -> Link | None:
    try:
        # A MAC given at creation stays.
        bridge = add_bridge(host, name, mac=random_mac(), mtu=mtu, vlan_filtering=filtering, promisc=promisc)
    except NetlinkFailure as failure:
        if failure.errno == errno.EEXIST:  # made just now by a program that does not wait for its turn
            return None
        if failure.errno == errno.EOPNOTSUPP and filtering:
            raise _no_vlans() from failure
        raise
    undo.callback(_remove_unless_used, host, bridge)
    sysctl.write(host, f"net/ipv6/conf/{name}/accept_ra", "0", missing_ok=True)
    return bridge


def _no_vlans() -> UnsupportedField:
    return UnsupportedField(
        "vlan: the kernel of this node cannot keep the VLANs of a bridge apart (CONFIG_BRIDGE_VLAN_FILTERING)"
    )


def _remove_unless_used(host: Namespace, bridge: Link) -> None:
    with turn(host, bridge.name):
        if not bridge_ports(host, bridge):
            remove_link(host, bridge.index)


def _put_back(host: Namespace, found: Link, ports: set[int]) -> None:
    with turn(host, found.name):
        if bridge_ports(host, found) <= ports:
            change_link(host, found.index, up=found.up, promisc=bool(found.flags & IFF_PROMISC))


def _mix_vlans(host: Namespace, found: Link, ports: set[int]) -> None:
    with turn(host, found.name):
        if bridge_ports(host, found) <= ports:
            host.netlink.request(filtering_message(found.index, False), f"cannot change {found.name} back")


def _take_back(host: Namespace, bridge: Link, holder: Link, gateway: Cidr, rivals: list[Cidr], ports: set[int]) -> None:
    with turn(host, bridge.name):
        if not bridge_ports(host, bridge) <= ports:
            return
        shown = [_cidr(address) for address in list_addresses(host, holder.index)]
        if gateway in shown:
            _remove_address(host, holder, gateway)
        for rival in rivals:
            if rival not in shown:
                _add_address(host, holder, rival)


def _conflict(shown: Cidr, wanted: Cidr) -> bool:
    """Two IPv4 networks on one bridge are a mistake; IPv6 knows several, as long as they do not overlap."""
    if shown.family != wanted.family or _LINK_LOCAL.contains(shown.ip):
        return False
    return shown.family == 4 or shown.contains(wanted.ip) or wanted.contains(shown.ip)


def _cidr(address: Address) -> Cidr:
    return Cidr(Ip(address.family, int.from_bytes(address.packed, "big")), address.prefix)


def _add_address(host: Namespace, bridge: Link, cidr: Cidr) -> None:
    request = add_address_message(bridge.index, cidr.ip.packed, cidr.prefix, nodad=True)
    _unless(errno.EEXIST, host, request, f"cannot add address {cidr} to {bridge.name}")


def _remove_address(host: Namespace, bridge: Link, cidr: Cidr) -> None:
    request = remove_address_message(bridge.index, cidr.ip.packed, cidr.prefix)
    _unless(errno.EADDRNOTAVAIL, host, request, f"cannot remove address {cidr} from {bridge.name}")


def _unless(done: int, host: Namespace, request: bytes, attempt: str) -> None:
    """Send a request; the errno `done` says that somebody who does not wait for a turn was faster."""
    try:
        host.netlink.request(request, attempt)
    except NetlinkFailure as failure:
        if failure.errno != done:
            raise
