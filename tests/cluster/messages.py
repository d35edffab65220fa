"""HTTP/1.1 as it passes a road: requests and answers, cut into the pieces that they arrive in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PIECE = 1 << 16
BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


class Lost(Exception):
    """A connection is to be reset now."""


@dataclass
class Call:
    """A request, and what became of it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    raw: bytes = field(repr=False)
    status: int = 0
    """0 as long as no answer of the server's has come."""
    seconds: float = 0.0

    @property
    def document(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)

    def is_a(self, method: str, path: str) -> bool:
        """Whether it has this method, and this in its path; "" is any."""
        return method in {"", self.method} and path in self.path


def read_request(stream: IO[bytes]) -> Call | None:
    """The next request; None where there is none any more."""
    head, headers = read_head(stream)
    if not head:
        return None
    method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
    body = b"".join(read_body(stream, headers))
    plain = stream_of(body) if "chunked" in headers.get("transfer-encoding", "") else body
    return Call(method, path, headers, plain, head + body)


def read_answer(stream: IO[bytes], method: str) -> tuple[int, Iterator[bytes]]:
    """The status, and everything to be sent on: the head first, then the body as it comes."""
    head, headers = read_head(stream)
    if not head:
        raise EOFError
    status = int(head.split(b" ", 2)[1])

    def pieces() -> Iterator[bytes]:
        yield head
        if method != "HEAD" and status not in BODILESS:
            yield from read_body(stream, headers)

    return status, pieces()


def read_head(stream: IO[bytes]) -> tuple[bytes, dict[str, str]]:
    """Everything up to the empty line, and the headers in it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b"", {}
        head += line
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    pairs = (line.partition(":") for line in lines)
    return head, {name.lower(): value.strip() for name, _, value in pairs}


def read_body(stream: IO[bytes], headers: Mapping[str, str]) -> Iterator[bytes]:
    """The bytes of a body as they are on the wire."""
    if "chunked" in headers.get("transfer-encoding", ""):
        size = -1
        while size != 0:
            line = stream.readline()
            if not line:
                raise EOFError
            size = int(line.split(b";")[0], 16)
            yield line + read_exactly(stream, size + 2)
        return
    left = int(headers.get("content-length", "0"))
    while left:
        piece = read_exactly(stream, min(left, PIECE))
        left -= len(piece)
        yield piece


def read_exactly(stream: IO[bytes], size: int) -> bytes:
    """So many bytes."""
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def stream_of(chunks: bytes) -> bytes:
    """A chunked body without its frames."""
    whole = b""
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        whole += chunks[: int(size, 16)]
        chunks = chunks[int(size, 16) + 2 :]
    return whole


def answered(status: int, document: object, headers: Mapping[str, str]) -> bytes:
    """An answer, whole."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **headers}.items()]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body
