"""rtnetlink: our own codec and socket; it knows messages and attributes, not what any of them is for.

Numbers are those of the kernel's <linux/netlink.h> and <linux/rtnetlink.h>.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct
import sys

from cni_multus.cni.errors import IoFailure, NetlinkFailure, TryAgainLater

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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

_AF_NETLINK = 16
_NETLINK_ROUTE = 0
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NETLINK_GET_STRICT_CHK = 12
_SO_RCVBUFFORCE = 33
_SO_RCVTIMEO = 20

_NLMSGERR_ATTR_MSG = 1
_NLMSGERR_ATTR_OFFS = 2
_NLMSGERR_ATTR_MISS_TYPE = 5

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_SEQUENCE_AT = 8

# The kernel answers before send() returns, so a batch's ACKs wait in the receive buffer all at once:
# 256 of them, at 2304 bytes of accounted memory each, fit.
_RECEIVE_BUFFER = 1 << 20
_BATCH_MESSAGES = 256
_BATCH_BYTES = 1 << 16
_READ = 1 << 16
_TIMEOUT = struct.pack("@ll", 10, 0)
_DUMP_ATTEMPTS = 5


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


def failure_of(attempt: str, request: bytes, flags: int, body: bytes) -> NetlinkFailure | None:
    """What an NLMSG_ERROR says about `request`: None when it is an acknowledgement."""
    if len(body) < 20:
        raise ValueError(f"netlink error of {len(body)} bytes")
    code = -signed(body[:4])
    if code == 0:
        return None
    capped = flags & NLM_F_CAPPED
    return _failure(attempt, request, code, body[20 if capped else 4 + ((number(body[4:8]) + 3) & ~3) :])


def _failure(attempt: str, request: bytes, code: int, extended: bytes) -> NetlinkFailure:
    said = parse_attributes(extended)
    words = text(said.get(_NLMSGERR_ATTR_MSG, b""))
    details = [words] if words else []
    if _NLMSGERR_ATTR_OFFS in said:
        offset = number(said[_NLMSGERR_ATTR_OFFS])
        kind = number(request[offset + 2 : offset + 4]) & NLA_TYPE_MASK
        details.append(f"offending attribute: type {kind} at offset {offset}")
    if _NLMSGERR_ATTR_MISS_TYPE in said:
        details.append(f"missing attribute: type {number(said[_NLMSGERR_ATTR_MISS_TYPE])}")
    reason = f"{os.strerror(code)}: {words}" if words else os.strerror(code)
    return NetlinkFailure(f"{attempt}: {reason}", "; ".join(details), errno=code)


class Socket:
    """A conversation with the kernel in the network namespace that it was opened in; one thread at a time."""

    __slots__ = ("_sequence", "_socket")

    def __init__(self) -> None:
        try:
            self._socket = _socket.socket(_AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
        except OSError as error:
            raise IoFailure(f"cannot open a netlink socket: {error.strerror}") from error
        self._sequence = 0
        for option in (_NETLINK_EXT_ACK, _NETLINK_CAP_ACK, _NETLINK_GET_STRICT_CHK):
            self._set(_SOL_NETLINK, option, 1)
        if not self._set(_socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER):
            self._set(_socket.SOL_SOCKET, _socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._set(_socket.SOL_SOCKET, _SO_RCVTIMEO, _TIMEOUT)

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()

    def request(self, message: bytes, attempt: str) -> bytes | None:
        """Send one message and return the body of the kernel's answer, if it gives one beside its ACK."""
        return self._exchange([(message, attempt)])[0]

    def batch(self, messages: Iterable[tuple[bytes, str]]) -> list[bytes | None]:
        """Send (message, attempt) pairs at once; the kernel tries them all, then the first failure is raised."""
        waiting = list(messages)
        replies: list[bytes | None] = []
        while waiting:
            count = _that_fit(waiting)
            replies += self._exchange(waiting[:count])
            del waiting[:count]
        return replies

    def dump(self, message: bytes, attempt: str = "cannot list") -> list[tuple[int, bytes]]:
        """(type, body) of everything that `message` asks for, as one consistent list; TryAgainLater if there is none."""
        for _ in range(_DUMP_ATTEMPTS):
            listed = self._dump_once(message, attempt)
            if listed is not None:
                return listed
        raise TryAgainLater(f"{attempt}: it changed while it was read, {_DUMP_ATTEMPTS} times in a row")

    def _exchange(self, pairs: list[tuple[bytes, str]]) -> list[bytes | None]:
        first = self._send([message for message, _ in pairs], pairs[0][1])
        replies: list[bytes | None] = [None] * len(pairs)
        failure: NetlinkFailure | None = None
        unanswered = len(pairs)
        while unanswered:
            for kind, flags, sequence, body in self._receive(pairs[0][1]):
                position = sequence - first
                if not 0 <= position < len(pairs):
                    continue
                if kind != NLMSG_ERROR:
                    replies[position] = body
                    continue
                unanswered -= 1
                request, attempt = pairs[position]
                failure = failure or failure_of(attempt, request, flags, body)
        if failure:
            raise failure
        return replies

    def _dump_once(self, message: bytes, attempt: str) -> list[tuple[int, bytes]] | None:
        expected = self._send([message], attempt)
        listed: list[tuple[int, bytes]] = []
        interrupted = False
        while True:
            try:
                received = self._receive(attempt)
            except NetlinkFailure as failure:
                if failure.errno != errno.ENOBUFS:
                    raise
                interrupted = True
                continue
            for kind, flags, sequence, body in received:
                if sequence != expected:
                    continue
                interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
                if kind == NLMSG_ERROR:
                    raise failure_of(attempt, message, flags, body) or NetlinkFailure(f"{attempt}: no answer")
                if kind == NLMSG_DONE:
                    if len(body) >= 4 and signed(body[:4]) < 0:
                        raise _failure(attempt, message, -signed(body[:4]), body[4:])
                    return None if interrupted else listed
                listed.append((kind, body))

    def _send(self, messages: list[bytes], attempt: str) -> int:
        first = self._sequence + 1
        self._sequence += len(messages)
        numbered = [
            each[:_SEQUENCE_AT] + u32(first + position) + each[_SEQUENCE_AT + 4 :]
            for position, each in enumerate(messages)
        ]
        try:
            self._socket.send(b"".join(numbered))
        except OSError as error:
            raise _lost(attempt, error) from error
        return first

    def _receive(self, attempt: str) -> list[tuple[int, int, int, bytes]]:
        while True:
            try:
                data, _, flags, sender = self._socket.recvmsg(_READ)
            except OSError as error:
                raise _lost(attempt, error) from error
            if flags & _socket.MSG_TRUNC:
                raise NetlinkFailure(f"{attempt}: the kernel's answer exceeds {_READ} bytes", errno=errno.EMSGSIZE)
            # A privileged process in the container can send to this socket: only port 0 is the kernel.
            if sender[0] == 0:
                return list(split_messages(data))

    def _set(self, level: int, option: int, value: int | bytes) -> bool:
        # Kernels before 4.20 lack some options; everything here works without them, with fewer words.
        try:
            self._socket.setsockopt(level, option, value)
        except OSError:
            return False
        return True


def _that_fit(pairs: list[tuple[bytes, str]]) -> int:
    size = 0
    for count, (each, _) in enumerate(pairs[:_BATCH_MESSAGES]):
        size += len(each)
        if size > _BATCH_BYTES and count:
            return count
    return min(len(pairs), _BATCH_MESSAGES)


def _lost(attempt: str, error: OSError) -> NetlinkFailure:
    code = errno.ETIMEDOUT if error.errno == errno.EAGAIN else error.errno or errno.EIO
    return NetlinkFailure(f"{attempt}: no word from the kernel: {os.strerror(code)}", errno=code)
