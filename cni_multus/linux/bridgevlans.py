"""VLANs of a bridge's ports, as {VLAN: its flags}, and whether a bridge keeps them apart at all.

Numbers are those of the kernel's <linux/if_bridge.h>, <linux/if_link.h> and <linux/rtnetlink.h>.
"""

from __future__ import annotations

import struct

from cni_multus.linux.codec import attribute, dump_request, message, nested, parse_attributes, string, u8, u32
from cni_multus.linux.linkinfo import (
    IFINFOMSG,
    IFLA_BR_VLAN_FILTERING,
    IFLA_EXT_MASK,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cni_multus.linux.netns import Namespace

PVID = 2
"""Frames that come in without a tag are in this VLAN."""
UNTAGGED = 4
"""Frames of this VLAN leave without a tag."""
NATIVE = PVID | UNTAGGED

LAST = 4094

_RANGE_BEGIN = 8
_RANGE_END = 16
_AF_BRIDGE = 7
_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK, _RTM_SETLINK = range(16, 20)
_IFLA_AF_SPEC = 26
_IFLA_BRIDGE_VLAN_INFO = 2
_RTEXT_FILTER_BRVLAN_COMPRESSED = 4
_VLAN_INFO = struct.Struct("=HH")  # flags, VLAN
_ATTRIBUTE = struct.Struct("=HH")


def filtering_message(bridge: int, on: bool) -> bytes:
    """The message that lets a bridge keep VLANs apart, or not."""
    data = nested(IFLA_INFO_DATA, attribute(IFLA_BR_VLAN_FILTERING, u8(on)))
    body = nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, string("bridge")), data)
    return message(_RTM_NEWLINK, 0, IFINFOMSG.pack(0, 0, bridge, 0, 0) + body)


def join_message(port: int, vlans: dict[int, int]) -> bytes:
    """The message that puts a port into VLANs, with the flags of each."""
    return _port_message(_RTM_SETLINK, port, *_spans(vlans))


def leave_message(port: int) -> bytes:
    """The message that takes a port out of every VLAN that it is in; it may be in none."""
    return _port_message(_RTM_DELLINK, port, (1, LAST, 0))


def list_vlans(host: Namespace) -> dict[int, dict[int, int]]:
    """The VLANs of every port and of every bridge, by the link's index; a kernel without VLANs of bridges has none."""
    compressed = attribute(IFLA_EXT_MASK, u32(_RTEXT_FILTER_BRVLAN_COMPRESSED))
    request = dump_request(_RTM_GETLINK, IFINFOMSG.pack(_AF_BRIDGE, 0, 0, 0, 0) + compressed)
    found = {}
    for kind, body in host.netlink.dump(request, f"cannot list the VLANs of bridges of {host}"):
        if kind == _RTM_NEWLINK and len(body) >= IFINFOMSG.size:
            index = IFINFOMSG.unpack_from(body)[2]
            found[index] = dict(_vlans(parse_attributes(body[IFINFOMSG.size :]).get(_IFLA_AF_SPEC, b"")))
    return found


def written(vlans: Iterable[int]) -> str:
    """VLANs for people: 1, 100-109."""
    spans = _spans(dict.fromkeys(vlans, 0))
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last, _ in spans)


def _port_message(kind: int, port: int, *spans: tuple[int, int, int]) -> bytes:
    told = b"".join([_span(*span) for span in spans])
    return message(kind, 0, IFINFOMSG.pack(_AF_BRIDGE, 0, port, 0, 0) + nested(_IFLA_AF_SPEC, told))


def _spans(vlans: dict[int, int]) -> list[tuple[int, int, int]]:
    """(first, last, flags) of VLANs that follow each other with the same flags."""
    spans: list[tuple[int, int, int]] = []
    for vlan, flags in sorted(vlans.items()):
        # The kernel takes no range of PVIDs: there can be only one.
        if spans and not flags & PVID and spans[-1][1:] == (vlan - 1, flags):
            spans[-1] = (spans[-1][0], vlan, flags)
        else:
            spans.append((vlan, vlan, flags))
    return spans


def _span(first: int, last: int, flags: int) -> bytes:
    if first == last:
        return attribute(_IFLA_BRIDGE_VLAN_INFO, _VLAN_INFO.pack(flags, first))
    begin = attribute(_IFLA_BRIDGE_VLAN_INFO, _VLAN_INFO.pack(flags | _RANGE_BEGIN, first))
    return begin + attribute(_IFLA_BRIDGE_VLAN_INFO, _VLAN_INFO.pack(flags | _RANGE_END, last))


def _vlans(told: bytes) -> Iterator[tuple[int, int]]:
    first = at = 0
    while at + _ATTRIBUTE.size <= len(told):
        length, kind = _ATTRIBUTE.unpack_from(told, at)
        if length < _ATTRIBUTE.size or at + length > len(told):
            raise ValueError(f"VLAN attribute of {length} bytes at {at} of {len(told)}")
        if kind == _IFLA_BRIDGE_VLAN_INFO and length >= _ATTRIBUTE.size + _VLAN_INFO.size:
            flags, vlan = _VLAN_INFO.unpack_from(told, at + _ATTRIBUTE.size)
            if flags & _RANGE_BEGIN:
                first = vlan
            else:
                for each in range(first if flags & _RANGE_END else vlan, vlan + 1):
                    yield each, flags & NATIVE
        at += (length + 3) & ~3
