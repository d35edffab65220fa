"""Routing rules with all that they look at; those that every namespace has are left out.

Numbers are those of the kernel's <linux/fib_rules.h>.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.linux.addresses import AF_INET, AF_INET6, written
from cni_multus.linux.codec import dump_request, number, parse_attributes, text

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

RTM_NEWRULE, RTM_GETRULE = 32, 34
_HEADER = struct.Struct("=BBBBBxxBI")  # family, dst length, src length, tos, table, action, flags
_INVERT = 0x2
_DST, _SRC, _IIF, _PRIORITY, _MARK, _TABLE, _MASK, _OIF, _L3MDEV = 1, 2, 3, 6, 10, 15, 16, 17, 19
_OTHERS = {12: "tun_id", 20: "uidrange", 22: "ipproto", 23: "sport", 24: "dport"}
_ACTIONS = {1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_OF_EVERYBODY = {(0, 255), (32766, 254), (32767, 253), (32765, 253)}
_BITS = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule; `text` is what `ip rule` would say behind the priority."""

    family: int
    priority: int
    table: int
    source: str
    """The address, or the network, that it looks at; "" for any."""
    iif: str
    oif: str
    text: str

    def __str__(self) -> str:
        return f"{self.priority}: {self.text}"


def list_policies(ns: Namespace) -> list[Policy]:
    """The rules of both families that somebody has added, in the order in which the kernel asks them."""
    request = dump_request(RTM_GETRULE, _HEADER.pack(0, 0, 0, 0, 0, 0, 0))
    found = []
    for kind, body in ns.netlink.dump(request, f"cannot list routing rules of {ns}"):
        if kind == RTM_NEWRULE and body[:1] in (b"\x02", b"\x0a") and (policy := decode_policy(body)):
            found.append(policy)
    return found


def decode_policy(body: bytes) -> Policy | None:
    """The rule in the body of an RTM_NEWRULE; None for one that every namespace has."""
    if len(body) < _HEADER.size:
        raise ValueError(f"rule message of {len(body)} bytes")
    family, to, prefix, tos, table, action, flags = _HEADER.unpack_from(body)
    if family not in (AF_INET, AF_INET6):
        raise ValueError(f"rule of family {family}")
    family = 4 if family == AF_INET else 6
    found = parse_attributes(body[_HEADER.size :])
    table = number(found[_TABLE]) if _TABLE in found else table
    priority = number(found.get(_PRIORITY, b""))
    source = _network(found.get(_SRC, b""), prefix, family)
    iif, oif = text(found.get(_IIF, b"")), text(found.get(_OIF, b""))
    words = ["not"] if flags & _INVERT else []
    words += ["from", source or "all"]
    words += _narrowed(found, _network(found.get(_DST, b""), to, family), tos, iif, oif)
    if words == ["from", "all"] and action == 1 and (priority, table) in _OF_EVERYBODY:
        return None
    words.append(_ACTIONS.get(action, f"action {action}"))
    if action == 1:
        words.append("[l3mdev-table]" if number(found.get(_L3MDEV, b"")) else str(table))
    return Policy(family, priority, table, source, iif, oif, " ".join(words))


def _narrowed(found: dict[int, bytes], to: str, tos: int, iif: str, oif: str) -> list[str]:
    words = []
    if to:
        words += ["to", to]
    if tos:
        words += ["tos", f"{tos:#x}"]
    if _MARK in found and (mark := number(found[_MARK])):
        mask = number(found.get(_MASK, b"")) or 0xFFFFFFFF
        words += ["fwmark", f"{mark:#x}" if mask == 0xFFFFFFFF else f"{mark:#x}/{mask:#x}"]
    for word, name in (("iif", iif), ("oif", oif)):
        words += [word, name] if name else []
    return words + [word for kind, word in _OTHERS.items() if kind in found]


def _network(packed: bytes, prefix: int, family: int) -> str:
    if not packed:
        return ""
    return written(packed) if prefix == _BITS[family] else f"{written(packed)}/{prefix}"
