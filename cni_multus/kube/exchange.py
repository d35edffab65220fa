"""One request and its answer in HTTP/1.1 (RFC 9112) on a connection; it knows nothing of Kubernetes.

`http.client` costs 15 ms to import (it brings the package `email`), more than the exchange does.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.kube.connection import Connection
    from cni_multus.kube.deadline import Deadline

LARGEST_HEAD = 1 << 16
"""The most bytes of a status line and its headers."""
_INTERIM = 8
"""The most answers like `100 Continue` before the real one."""


class Malformed(Exception):
    """What came is not HTTP, or more of it than we take."""


class CutOff(Exception):
    """The other end was finished before the answer was."""


class Answer:
    """A status, headers by their names in lower case, a body; `keeps`: the connection can be used again."""

    __slots__ = ("body", "headers", "keeps", "status")

    def __init__(self, status: int, headers: dict[bytes, bytes], body: bytes, *, keeps: bool) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.keeps = keeps


def head(method: str, target: str, headers: dict[str, str]) -> bytes:
    """The request up to its body; no header may have a line break."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")


def receive(connection: Connection, deadline: Deadline, largest: int) -> Answer:
    """The answer, its body of at most `largest` bytes; raises Malformed, CutOff, OSError."""
    stream = _Stream(connection, deadline)
    for _ in range(_INTERIM):
        version, status, headers = _head(stream)
        if status >= 200:
            break
        if status == 101:
            raise Malformed("it wants to speak another protocol")
    else:
        raise Malformed("too many interim answers")
    length = headers.get(b"content-length")
    ends = True
    if status in {204, 304}:
        body = b""
    elif b"transfer-encoding" in headers:
        if headers[b"transfer-encoding"].lower() != b"chunked":
            raise Malformed("a transfer encoding that was not asked for")
        body = _chunks(stream, largest)
    elif length is not None:
        body = stream.exactly(_number(length, 10, largest))
    else:
        body = stream.rest(largest)
        ends = False
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Malformed("a content encoding that was not asked for")
    connected = headers.get(b"connection", b"").lower()
    keeps = version == b"HTTP/1.1" and b"close" not in connected and ends and stream.is_drained()
    return Answer(status, headers, body, keeps=keeps)


def _head(stream: _Stream) -> tuple[bytes, int, dict[bytes, bytes]]:
    version, _, rest = stream.line(LARGEST_HEAD).partition(b" ")
    code = rest[:3]
    if version not in {b"HTTP/1.1", b"HTTP/1.0"} or not code.isdigit() or code < b"100" or rest[3:4] not in {b"", b" "}:
        raise Malformed("it does not begin as HTTP/1.1 does")
    headers: dict[bytes, bytes] = {}
    left = LARGEST_HEAD
    while line := stream.line(left):
        left -= len(line)
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not name or name.strip() != name:
            raise Malformed("a line among the headers is none")
        value = value.strip()
        if name == b"content-length" and headers.get(name, value) != value:
            raise Malformed("it has two lengths")
        headers[name] = value
    return version, int(code), headers


def _chunks(stream: _Stream, largest: int) -> bytes:
    chunks: list[bytes] = []
    left = largest
    while size := _number(stream.line(LARGEST_HEAD).partition(b";")[0].strip(), 16, left):
        chunks.append(stream.exactly(size))
        left -= size
        if stream.exactly(2) != b"\r\n":
            raise Malformed("a chunk is longer than it says")
    trailer = LARGEST_HEAD
    while line := stream.line(trailer):
        trailer -= len(line)
    return b"".join(chunks)


def _number(text: bytes, base: int, largest: int) -> int:
    digits = b"0123456789abcdefABCDEF" if base == 16 else b"0123456789"
    if not text or len(text) > 20 or text.strip(digits):
        raise Malformed("a length is not a number")
    number = int(text, base)
    if number > largest:
        raise Malformed(f"it has more than {largest >> 20} MiB")
    return number


class _Stream:
    """What comes, in lines and lengths."""

    __slots__ = ("_buffer", "_connection", "_deadline")

    def __init__(self, connection: Connection, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._buffer = bytearray()

    def line(self, largest: int) -> bytes:
        """The next line, without its end."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > largest:
                break
            self._more()
        if end < 0 or end > largest:
            raise Malformed(f"it has a line, or headers, of more than {LARGEST_HEAD >> 10} KiB")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def exactly(self, length: int) -> bytes:
        """The next `length` bytes."""
        while len(self._buffer) < length:
            self._more()
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        return data

    def rest(self, largest: int) -> bytes:
        """Everything until the other end is finished, and with it the connection."""
        while data := self._connection.receive(self._deadline):
            self._buffer += data
            if len(self._buffer) > largest:
                raise Malformed(f"it has more than {largest >> 20} MiB")
        return bytes(self._buffer)

    def is_drained(self) -> bool:
        """Whether nothing came that belongs to no answer."""
        return not self._buffer

    def _more(self) -> None:
        data = self._connection.receive(self._deadline)
        if not data:
            raise CutOff("the connection was closed before the answer was complete")
        self._buffer += data
