"""The netlink socket: sends messages, pairs answers with them, says in the kernel's own words what was refused.

Numbers are those of the kernel's <linux/netlink.h>.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct

from cni_multus.cni.errors import IoFailure, NetlinkFailure, TryAgainLater
from cni_multus.linux.codec import (
    NLA_TYPE_MASK,
    NLM_F_CAPPED,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    number,
    numbered,
    parse_attributes,
    signed,
    split_messages,
    text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_AF_NETLINK = 16
ROUTE = 0
NETFILTER = 12
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NETLINK_GET_STRICT_CHK = 12
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_SO_RCVTIMEO = 20

_NLMSGERR_ATTR_MSG = 1
_NLMSGERR_ATTR_OFFS = 2
_NLMSGERR_ATTR_MISS_TYPE = 5

# The kernel answers before send() returns, so a batch's ACKs wait in the receive buffer all at once:
# 256 of them, at 2304 bytes of accounted memory each, fit.
_RECEIVE_BUFFER = 1 << 20
_BATCH_MESSAGES = 256
_BATCH_BYTES = 1 << 16
_READ = 1 << 16
_TIMEOUT = struct.pack("@ll", 10, 0)
_DUMP_ATTEMPTS = 20
_PASSING = (errno.ENOMEM, errno.ENOBUFS)


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

    __slots__ = ("_missed", "_sequence", "_socket", "takes_torn", "was_torn")

    def __init__(self, protocol: int = ROUTE) -> None:
        try:
            self._socket = _socket.socket(_AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, protocol)
        except OSError as error:
            raise IoFailure(f"cannot open a netlink socket: {error.strerror}") from error
        self._sequence = 0
        self._missed: OSError | None = None
        self.takes_torn = False
        """Whether a listing will do that changes whenever it is read, as on a busy node; `was_torn`: there was one."""
        self.was_torn = False
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
        """(type, body) of everything that `message` asks for, read in one piece; TryAgainLater if it keeps changing."""
        for left in range(_DUMP_ATTEMPTS - 1, -1, -1):
            listed, whole = self._dump_once(message, attempt)
            self.was_torn = self.was_torn or not (whole or left)
            if whole or (self.takes_torn and not left):
                return listed
        raise TryAgainLater(f"{attempt}: it changed while it was read, {_DUMP_ATTEMPTS} times in a row")

    def transaction(self, messages: list[tuple[bytes, str]]) -> None:
        """Send (message, attempt) pairs of which the kernel does all or none; the first failure is raised.

        The last but one message is the one that is acknowledged; whatever comes with an error is the failure's.
        """
        attempt = messages[0][1]
        size = sum([len(each) for each, _ in messages])
        if size > _BATCH_BYTES and not self._set(_socket.SOL_SOCKET, _SO_SNDBUFFORCE, 2 * size):
            self._set(_socket.SOL_SOCKET, _socket.SO_SNDBUF, 2 * size)
        first = self._send([each for each, _ in messages], attempt)
        while True:
            for kind, flags, sequence, body in self._receive(attempt):
                position = sequence - first
                if kind != NLMSG_ERROR or not 0 <= position < len(messages):
                    continue
                message, tried = messages[position]
                if failure := failure_of(tried, message, flags, body):
                    raise failure
                if position == len(messages) - 2:
                    return

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

    def _dump_once(self, message: bytes, attempt: str) -> tuple[list[tuple[int, bytes]], bool]:
        """What is listed, and whether nothing changed meanwhile."""
        expected = self._send([message], attempt)
        listed: list[tuple[int, bytes]] = []
        interrupted = False
        while True:
            try:
                received = self._receive(attempt, (errno.ENOMEM,))
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
                    return listed, not interrupted
                listed.append((kind, body))

    def _send(self, messages: list[bytes], attempt: str) -> int:
        self._missed = None
        first = self._sequence + 1
        self._sequence += len(messages)
        datagram = b"".join([numbered(each, first + position) for position, each in enumerate(messages)])
        try:
            self._socket.send(datagram)
        except OSError as error:
            raise _lost(attempt, error) from error
        return first

    def _receive(self, attempt: str, passing: tuple[int, ...] = _PASSING) -> list[tuple[int, int, int, bytes]]:
        while True:
            try:
                data, _, flags, sender = self._socket.recvmsg(_READ, 0, _socket.MSG_DONTWAIT if self._missed else 0)
            except OSError as error:
                if error.errno in passing and self._missed is None:
                    self._missed = error  # the answer may be there all the same: who misses it takes back too little
                    continue
                raise _lost(attempt, self._missed or error) from error
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
