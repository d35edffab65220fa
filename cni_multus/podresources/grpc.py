"""One call after the other of a gRPC server on a unix socket: a message goes there, a message comes back.

What the protocol is stands in RFC 9113 (HTTP/2) and in gRPC's "gRPC over HTTP2". A library does the same (h2, hpack),
and costs 30 ms to import. The largest windows that there are spare us flow control: what comes is bounded by its size.
"""

from __future__ import annotations

from cni_multus import VERSION
from cni_multus.podresources.faults import Malformed, Refused
from cni_multus.podresources.hpack import Decoder
from cni_multus.podresources.wire import Wire, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.kube.deadline import Deadline

LARGEST = 16 << 20
"""The most bytes of a message, the other clients' limit."""
LARGEST_HEADERS = 1 << 15
"""The most bytes of a block of header fields, compressed."""
MOST_SAID = 400
"""How much of the server's own words is passed on."""

_DATA, _HEADERS, _RESET, _SETTINGS, _PUSH, _PING, _GOAWAY, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
_ACK, _END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_PREFIX = 5
"""Bytes before a message: whether it is compressed, and its size."""

_MOST_WINDOW = (1 << 31) - 1
_FIRST_WINDOW = (1 << 16) - 1
_GREETING = (  # nothing is pushed (2), and the windows of a call (4) and of the connection are as large as can be
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frame(_SETTINGS, 0, 0, b"\0\2\0\0\0\0" + b"\0\4" + _MOST_WINDOW.to_bytes(4, "big"))
    + frame(_WINDOW, 0, 0, (_MOST_WINDOW - _FIRST_WINDOW).to_bytes(4, "big"))
)


class Channel:
    """A connection to a server. Calls raise Refused, Malformed or OSError; only after Refused there may be another."""

    __slots__ = ("_decoder", "_greeting", "_stream", "_wire")

    def __init__(self, path: str, deadline: Deadline) -> None:
        self._wire = Wire(path, deadline)
        self._greeting = _GREETING
        self._decoder = Decoder()
        self._stream = -1

    def call(self, method: str, message: bytes) -> memoryview:
        """What the method (`/package.Service/Method`) answers to a message, which fits into a frame."""
        self._stream += 2
        self._wire.send(
            self._greeting
            + frame(_HEADERS, _END_HEADERS, self._stream, _fields(method))
            + frame(_DATA, _END_STREAM, self._stream, b"\0" + len(message).to_bytes(4, "big") + message)
        )
        self._greeting = b""
        answer = _Answer()
        while not answer.is_complete:
            kind, flags, stream, content = self._wire.receive()
            if answer.is_open and (kind != _CONTINUATION or stream != self._stream):
                raise Malformed("something came between the parts of its header fields")
            if stream == self._stream:
                self._take(answer, kind, flags, content)
            else:
                self._serve(kind, flags, stream, content)
        return answer.message()

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _take(self, answer: _Answer, kind: int, flags: int, content: bytes) -> None:
        """A frame of the call's own stream."""
        if kind == _DATA:
            answer.add_data(_unpadded(content, flags))
            answer.is_complete = bool(flags & _END_STREAM)
        elif kind == _HEADERS or (kind == _CONTINUATION and answer.is_open):
            if kind == _HEADERS:
                content = _unpadded(content, flags)[5 if flags & _PRIORITY else 0 :]
                answer.is_last = bool(flags & _END_STREAM)
            answer.add_block(content)
            if flags & _END_HEADERS:
                answer.close_block(self._decoder)
        elif kind == _RESET:
            raise ConnectionResetError(f"it broke the call off (HTTP/2's error {int.from_bytes(content, 'big')})")
        elif kind in {_CONTINUATION, _SETTINGS, _PUSH, _PING, _GOAWAY}:
            raise Malformed(f"a frame of the kind {kind} has no place in a call")

    def _serve(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        """A frame of the connection, or of a call that is over."""
        if kind == _SETTINGS and not flags & _ACK:
            self._wire.send(frame(_SETTINGS, _ACK, 0))
        elif kind == _PING and not flags & _ACK:
            self._wire.send(frame(_PING, _ACK, 0, content[:8]))
        elif kind == _GOAWAY:
            last = int.from_bytes(content[:4], "big") & 0x7FFFFFFF
            error = int.from_bytes(content[4:8], "big")
            if error or last < self._stream:
                why = shorten(content[8:].decode("ascii", "replace"))
                raise ConnectionResetError(f"it goes away (HTTP/2's error {error}{': ' if why else ''}{why})")
        elif kind in {_DATA, _HEADERS, _PUSH, _CONTINUATION}:
            raise Malformed(f"it sends what nobody asked for, a frame of the kind {kind} on stream {stream}")


class _Answer:
    """What came of an answer so far."""

    __slots__ = ("_block", "_data", "_fields", "is_complete", "is_last", "is_open")

    def __init__(self) -> None:
        self._fields: dict[bytes, bytes] = {}
        self._block = b""
        self._data = bytearray()
        self.is_open = False
        """A block of header fields has begun, and not ended."""
        self.is_last = False
        """... and nothing comes after it."""
        self.is_complete = False

    def add_data(self, data: bytes) -> None:
        self._data += data
        if len(self._data) >= _PREFIX:
            size = int.from_bytes(self._data[1:_PREFIX], "big")
            if size > LARGEST or len(self._data) > size + _PREFIX:
                raise Malformed(f"its answer is larger than {LARGEST >> 20} MiB, or more than one message")

    def add_block(self, part: bytes) -> None:
        self.is_open = True
        self._block += part
        if len(self._block) > LARGEST_HEADERS:
            raise Malformed(f"more than {LARGEST_HEADERS >> 10} KiB of header fields")

    def close_block(self, decoder: Decoder) -> None:
        self._fields.update(decoder.decode(self._block))
        self._block = b""
        self.is_open = False
        self.is_complete = self.is_last

    def message(self) -> memoryview:
        """The message; raises Refused where there is a status instead."""
        answered = self._fields.get(b":status", b"none")
        status = self._fields.get(b"grpc-status", b"")
        if answered != b"200" or not (status.isdigit() and len(status) <= 3):
            raise Malformed(f"it is no gRPC server: HTTP status {answered[:40]!r}, gRPC status {status[:40]!r}")
        if int(status):
            raise Refused(int(status), shorten(_unescape(self._fields.get(b"grpc-message", b""))))
        if len(self._data) < _PREFIX or self._data[0] or len(self._data) != _PREFIX + int.from_bytes(self._data[1:5]):
            raise Malformed("its answer is cut off, or compressed, which nobody asked for")
        return memoryview(self._data)[_PREFIX:]


def shorten(text: str) -> str:
    """One line of at most `MOST_SAID` characters."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    return line if len(line) <= MOST_SAID else f"{line[:MOST_SAID]} ..."


def _fields(method: str) -> bytes:
    """A call's header fields, literally and never indexed, after giving up the table (RFC 7541, 4.2)."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
        "user-agent": f"multus/{VERSION}",
    }
    block = b"\x20"
    for name, value in fields.items():
        for text in (b"\x10", name.encode(), value.encode()):
            block += text if text == b"\x10" else bytes((len(text),)) + text
    return block


def _unpadded(content: bytes, flags: int) -> bytes:
    if not flags & _PADDED:
        return content
    if not content or content[0] >= len(content):
        raise Malformed("a frame of which nothing is left without its padding")
    return content[1 : len(content) - content[0]]


def _unescape(text: bytes) -> str:
    """A message as gRPC has it in a header field: bytes other than printable ASCII as `%0A`."""
    found = bytearray()
    at = 0
    while at < len(text) and len(found) < 4 * MOST_SAID:
        digits = text[at + 1 : at + 3]
        if text[at] == ord("%") and len(digits) == 2 and all(digit in b"0123456789abcdefABCDEF" for digit in digits):
            found.append(int(digits, 16))
            at += 2
        else:
            found.append(text[at])
        at += 1
    return found.decode("utf-8", "replace")
