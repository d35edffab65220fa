"""A bridge that many attachments share: changed by one at a time, and changed back only while nobody relies on it.

Who relies on a change are the ports that came after it.
"""

from __future__ import annotations

import errno

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig, NetlinkFailure
from cni_multus.linux import sysctl
from cni_multus.linux.addresses import add_address_message, list_addresses, remove_address_message
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.linkinfo import IFF_PROMISC
from cni_multus.linux.links import add_bridge, change_link, find_link, list_links, random_mac, remove_link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.addresses import Address
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

_FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
_NO_MAC = "00:00:00:00:00:00"
_LINK_LOCAL = Cidr.parse("fe80::/10")


def turn(host: Namespace, name: str) -> Exclusion:
    """A context in which nobody else of ours changes the bridge `name`, or gives it ports."""
    return Exclusion(host, f"bridge {name}")


def why_no_bridge(found: Link | None, name: str) -> str:
    """Why a link cannot be the bridge `name`, "" if it can, or if there is none yet."""
    if found is None or found.kind == "bridge":
        return ""
    return f"bridge: {name} is a {found.kind or 'device'}, not a bridge"


def ensure_bridge(host: Namespace, name: str, *, mtu: int = 0, promisc: bool = False, undo: Undo) -> Link:
    """The bridge `name`, made if it is missing, up; call it in the bridge's turn."""
    found = find_link(host, name) or _make(host, name, mtu, promisc, undo) or find_link(host, name)
    if found is None:
        raise NetlinkFailure(f"cannot add bridge {name}: it comes and goes")
    if why := why_no_bridge(found, name):
        raise InvalidNetworkConfig(why)
    if found.mac == _NO_MAC:
        # A bridge that nobody gave a MAC has none while it has no port, and takes its first one's.
        found.mac = random_mac()
        change_link(host, found.index, mac=found.mac, attempt=f"cannot give {name} a MAC")
    # The flag is what somebody set; `promiscuity` also counts who listens for a while.
    set_promisc = promisc and not found.flags & IFF_PROMISC
    if set_promisc or not found.up:
        undo.callback(_put_back, host, found, _ports(host, found))
        attempt = f"cannot bring {name} up"
        change_link(host, found.index, up=True, promisc=True if set_promisc else None, attempt=attempt)
    return found


def add_gateways(host: Namespace, bridge: Link, gateways: list[Cidr], *, force: bool, undo: Undo) -> None:
    """Give the bridge the addresses it lacks, in its turn; `force` removes those that conflict with them."""
    shown = [_cidr(address) for address in list_addresses(host, bridge.index)]
    missing = [gateway for gateway in gateways if gateway not in shown]
    if not missing:
        return
    ports = _ports(host, bridge)
    for gateway in missing:
        rivals = [cidr for cidr in shown if cidr not in gateways and _conflict(cidr, gateway)]
        if rivals and not force:
            raise InvalidNetworkConfig(
                f"forceAddress: {bridge.name} has {rivals[0]} already, and {gateway} would conflict with it"
            )
        undo.callback(_take_back, host, bridge, gateway, rivals, ports)
        for rival in rivals:
            _remove_address(host, bridge, rival)
            shown.remove(rival)
        _add_address(host, bridge, gateway)
    # A bridge whose MAC nobody set takes its lowest port's, and a gateway's must not change.
    change_link(host, bridge.index, mac=bridge.mac, attempt=f"cannot fix the MAC of {bridge.name}")


def missing_gateways(host: Namespace, bridge: Link, gateways: list[Ip]) -> list[Ip]:
    """Which of the addresses the bridge does not have."""
    shown = {_cidr(address).ip for address in list_addresses(host, bridge.index)}
    return [gateway for gateway in gateways if gateway not in shown]


def forwards(host: Namespace, family: int) -> bool:
    """Whether the node forwards packets of family 4 or 6."""
    return sysctl.read(host, _FORWARDING[family]) == "1"


def forward(host: Namespace, family: int) -> None:
    """Let the node forward packets of family 4 or 6; it stays so, since others may come to rely on it."""
    if not forwards(host, family):
        sysctl.write(host, _FORWARDING[family], "1")


def _make(host: Namespace, name: str, mtu: int, promisc: bool, undo: Undo) -> Link | None:
    try:
        # A MAC given at creation stays.
        bridge = add_bridge(host, name, mac=random_mac(), mtu=mtu, promisc=promisc)
    except NetlinkFailure as failure:
        if failure.errno == errno.EEXIST:  # made just now by a program that does not wait for its turn
            return None
        raise
    undo.callback(_remove_unless_used, host, bridge)
    sysctl.write(host, f"net/ipv6/conf/{name}/accept_ra", "0", missing_ok=True)
    return bridge


def _remove_unless_used(host: Namespace, bridge: Link) -> None:
    with turn(host, bridge.name):
        if not _ports(host, bridge):
            remove_link(host, bridge.index)


def _put_back(host: Namespace, found: Link, ports: set[int]) -> None:
    with turn(host, found.name):
        if _ports(host, found) <= ports:
            change_link(host, found.index, up=found.up, promisc=bool(found.flags & IFF_PROMISC))


def _take_back(host: Namespace, bridge: Link, gateway: Cidr, rivals: list[Cidr], ports: set[int]) -> None:
    with turn(host, bridge.name):
        if not _ports(host, bridge) <= ports:
            return
        shown = [_cidr(address) for address in list_addresses(host, bridge.index)]
        if gateway in shown:
            _remove_address(host, bridge, gateway)
        for rival in rivals:
            if rival not in shown:
                _add_address(host, bridge, rival)


def _ports(host: Namespace, bridge: Link) -> set[int]:
    return {link.index for link in list_links(host) if link.master == bridge.index}


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
