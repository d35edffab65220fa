"""The netlink codec: bytes to messages and attributes and back; it touches no socket and knows no message's meaning.

Numbers are those of the kernel's <linux/netlink.h>.
"""

from __future__ import annotations

import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_CAPPED = 0x100
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_SEQUENCE = slice(8, 12)


def u8(value: int) -> bytes:
    """One byte."""
    return value.to_bytes(1, sys.byteorder)


def u16(value: int) -> bytes:
    """Two bytes in the machine's order."""
    return value.to_bytes(2, sys.byteorder)


def u32(value: int) -> bytes:
    """Four bytes in the machine's order."""
    return value.to_bytes(4, sys.byteorder)


def s32(value: int) -> bytes:
    """Four bytes in the machine's order, signed."""
    return value.to_bytes(4, sys.byteorder, signed=True)


def string(value: str) -> bytes:
    """A name as the kernel stores it: its bytes and a NUL."""
    return value.encode("utf-8", "surrogateescape") + b"\0"


def number(payload: bytes) -> int:
    """The unsigned number in a payload of any width."""
    return int.from_bytes(payload, sys.byteorder)


def signed(payload: bytes) -> int:
    """The signed number in a payload of any width."""
    return int.from_bytes(payload, sys.byteorder, signed=True)


def text(payload: bytes) -> str:
    """The string up to the first NUL; bytes that are not UTF-8 survive the way back through `string`."""
    return payload.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)


def attributes(*pairs: tuple[int, bytes]) -> bytes:
    """Several attributes, one after another."""
    return b"".join([attribute(kind, payload) for kind, payload in pairs])


def nested(kind: int, *children: bytes) -> bytes:
    """An attribute that holds encoded attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(children))


def parse_attributes(data: bytes) -> dict[int, bytes]:
    """Attribute type (without its flag bits) to payload; the last one wins; ValueError when one is cut off."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4 or offset + length > len(data):
            raise ValueError(f"netlink attribute of {length} bytes at {offset} of {len(data)}")
        found[kind & NLA_TYPE_MASK] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def message(kind: int, flags: int, body: bytes) -> bytes:
    """A request that is acknowledged: header, family's own header and attributes; the socket numbers it."""
    return _HEADER.pack(16 + len(body), kind, flags | NLM_F_REQUEST | NLM_F_ACK, 0, 0) + body


def silent(message: bytes) -> bytes:
    """The same request, answered only if it fails."""
    flags = number(message[6:8]) & ~NLM_F_ACK
    return message[:6] + u16(flags) + message[8:]


def dump_request(kind: int, body: bytes) -> bytes:
    """A request for everything that the kernel has of a kind."""
    return _HEADER.pack(16 + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, 0, 0) + body


def split_messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(type, flags, sequence, body) of each message in a datagram; ValueError when one is cut off."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        if length < 16 or offset + length > len(data):
            raise ValueError(f"netlink message of {length} bytes at {offset} of {len(data)}")
        yield kind, flags, sequence, data[offset + 16 : offset + length]
        offset += (length + 3) & ~3


def numbered(message: bytes, sequence: int) -> bytes:
    """The same message under a sequence number."""
    return message[: _SEQUENCE.start] + u32(sequence) + message[_SEQUENCE.stop :]
