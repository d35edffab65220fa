"""Data as nftables has it: types, numbers, comments, verdicts and keys. It knows no table.

Numbers are those of the kernel's <linux/netfilter/nf_tables.h>, and those of comments and types nft's own, so that
`nft list ruleset` reads well.
"""

from __future__ import annotations

import struct

from cni_multus.linux.codec import attribute, nested, string

ACCEPT, DROP, RETURN, JUMP, GOTO = 1, 0, -5, -3, -4

IPV4_ADDR, IPV6_ADDR, ETHER_ADDR, INET_PROTO, INET_SERVICE, MARK, IFNAME = 7, 8, 9, 12, 13, 19, 41
"""nft's numbers of data types."""

_LENGTHS = {IPV4_ADDR: 4, IPV6_ADDR: 16, ETHER_ADDR: 6, INET_PROTO: 1, INET_SERVICE: 2, MARK: 4, IFNAME: 16}
_OF_HOST_ORDER = (MARK, IFNAME)

_DATA_VERDICT = 2
_TYPE_BITS = 6
_COMMENT_BYTES = 127
"""What nft takes for a comment when it reads a listing back, without the NUL."""


def be32(value: int) -> bytes:
    """A number as nftables has them: big endian."""
    return struct.pack("!I", value)


def udata(comment: str) -> bytes:
    """A comment as nft keeps it beside a rule, a chain or an element."""
    text = comment.encode("utf-8", "surrogateescape")[:_COMMENT_BYTES] + b"\0"
    return bytes((0, len(text))) + text


def byte_order(kind: int) -> bytes:
    """What nft keeps beside a set of keys of that type: whose order their bytes have."""
    return bytes((0, 4)) + struct.pack("=I", 1 if kind in _OF_HOST_ORDER else 2)


def verdict_data(code: int, chain: str = "") -> bytes:
    """What a packet meets."""
    data = attribute(1, struct.pack("!i", code)) + (attribute(2, string(chain)) if chain else b"")
    return nested(_DATA_VERDICT, data)


def concatenated(*fields: bytes) -> bytes:
    """A key of several fields, each padded to whole registers."""
    return b"".join([field + b"\0" * (_padded(len(field)) - len(field)) for field in fields])


def type_of(types: tuple[int, ...]) -> int:
    """The number of several types put together, as nft has it."""
    kind = 0
    for each in types:
        kind = kind << _TYPE_BITS | each
    return kind


def length_of(types: tuple[int, ...]) -> int:
    """The bytes of a key of one type, or of several put together."""
    return sum([_padded(_LENGTHS[each]) for each in types]) if len(types) > 1 else _LENGTHS[types[0]]


def _padded(length: int) -> int:
    return (length + 3) & ~3
