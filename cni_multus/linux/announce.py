"""Tell the neighbours of a link where its addresses are now: gratuitous ARP, unsolicited neighbour advertisements.

Formats are those of RFC 826, RFC 5227 and RFC 4861.
"""

from __future__ import annotations

import _socket
import struct

from cni_multus.linux.addresses import written
from cni_multus.linux.linktable import packed_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.linux.netns import Namespace

_AF_PACKET = 17
_ETH_P_ARP = 0x0806
_ETH_P_IPV6 = 0x86DD
_ETHERNET = struct.Struct("!6s6sH")  # to, from, protocol
_ARP = struct.Struct("!HHBBH6s4s6s4s")  # hardware, protocol, lengths, operation, sender's mac and ip, target's
_ARP_REQUEST = 1
_ARP_REPLY = 2
_IPV6 = struct.Struct("!IHBB16s16s")  # version, payload length, next header, hop limit, source, destination
_ADVERTISEMENT = struct.Struct("!BBHI16sBB6s")  # type, code, checksum, flags, target, option, its length, mac
_ICMPV6 = 58
_NEIGHBOUR_ADVERTISEMENT = 136
_OVERRIDE = 0x20000000
_TARGET_LINK_LAYER_ADDRESS = 2

_EVERYBODY = b"\xff" * 6
_ALL_NODES_MAC = b"\x33\x33\x00\x00\x00\x01"
_ALL_NODES = b"\xff\x02" + b"\0" * 13 + b"\x01"


def announce(ns: Namespace, ifname: str, mac: str, addresses: Iterable[bytes]) -> list[str]:
    """Announce packed addresses from a link that is up; returns what failed, since nothing depends on being heard."""
    failures: list[str] = []
    hardware = packed_mac(mac)
    try:
        with ns.inside():
            sender = _socket.socket(_AF_PACKET, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 0)
    except OSError as error:
        return [f"cannot announce the addresses of {ifname}: {error.strerror}"]
    try:
        for packed in addresses:
            try:
                for frame in frames(hardware, packed):
                    sender.sendto(frame, (ifname, 0))
            except OSError as error:
                failures.append(f"cannot announce {written(packed)} on {ifname}: {error.strerror}")
    finally:
        sender.close()
    return failures


def frames(mac: bytes, packed: bytes) -> list[bytes]:
    """The Ethernet frames that announce one packed address."""
    if len(packed) == 16:
        return [_ETHERNET.pack(_ALL_NODES_MAC, mac, _ETH_P_IPV6) + _advertisement(mac, packed)]
    header = _ETHERNET.pack(_EVERYBODY, mac, _ETH_P_ARP)
    # Some hear only requests, others only replies; Linux takes a reply for an announcement if it is to its sender.
    targets = ((_ARP_REQUEST, bytes(6)), (_ARP_REPLY, mac))
    return [header + _ARP.pack(1, 0x0800, 6, 4, kind, mac, packed, target, packed) for kind, target in targets]


def _advertisement(mac: bytes, packed: bytes) -> bytes:
    def icmp(checksum: int) -> bytes:
        start = (_NEIGHBOUR_ADVERTISEMENT, 0, checksum, _OVERRIDE, packed)
        return _ADVERTISEMENT.pack(*start, _TARGET_LINK_LAYER_ADDRESS, 1, mac)

    length = _ADVERTISEMENT.size
    pseudo_header = packed + _ALL_NODES + struct.pack("!II", length, _ICMPV6)
    header = _IPV6.pack(6 << 28, length, _ICMPV6, 255, packed, _ALL_NODES)
    return header + icmp(_checksum(pseudo_header + icmp(0)))


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
