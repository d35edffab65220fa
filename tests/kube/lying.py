"""A small server for what a real API server does not do on demand: to be slow, silent, cut off, wrong, or hostile."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import TracebackType

Lie = Callable[[socket.socket, threading.Event], bool]
"""Answers on a connection until the server stops; whether the connection is of use afterwards."""


class Wrapping(Protocol):
    """What makes TLS of a connection: an `ssl.SSLContext`."""

    def wrap_socket(self, connection: socket.socket, /, *, server_side: bool) -> socket.socket: ...


POOL: dict[str, Any] = {"apiVersion": "v1", "kind": "IPPool", "metadata": {"name": "pool"}, "spec": {"range": "x"}}


@dataclass(frozen=True, slots=True)
class Request:
    """What came, and on the how-manieth connection."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    at: float


class LyingServer:
    """`with LyingServer(lie, lie, ...) as server:` one lie per request; the last one again and again."""

    def __init__(self, *lies: Lie, tls: Wrapping | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._lies = list(lies)
        self._tls = tls
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> LyingServer:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self.go()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def go(self) -> None:
        """Listen no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def lie(self, *lies: Lie) -> None:
        """Something else from now on."""
        self._lies = list(lies)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._start(self._serve, connection, self.connections)

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(20)
        with suppress(OSError):  # the other end goes away when it likes
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            while not self._stopped.is_set() and (request := _read(connection, number)):
                self.requests.append(request)
                lie = self._lies.pop(0) if len(self._lies) > 1 else self._lies[0]
                if not lie(connection, self._stopped):
                    break
        connection.close()


def _read(connection: socket.socket, number: int) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(1 << 16)
        if not more:
            return None
        data += more
    first, *lines = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = data.partition(b"\r\n\r\n")[2]
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(1 << 16)
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body, number, time.monotonic())


def answer(status: int, content: object, **headers: str) -> Lie:
    """An ordinary answer: JSON, or these bytes."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join([*lines, "", ""]).encode() + body, keep=True)


def status(code: int, reason: str, message: str = "", **members: object) -> dict[str, object]:
    """A `Status`, as API servers send it."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
        **members,
    }


def refusal(code: int, reason: str, message: str = "", **members: object) -> Lie:
    """An answer that is a `Status`."""
    return answer(code, status(code, reason, message, **members))


def raw(data: bytes, *, keep: bool = False) -> Lie:
    """These bytes, and then the end of the connection."""

    def lie(connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(data)
        return keep

    return lie


def reset(data: bytes = b"") -> Lie:
    """These bytes, and a reset."""

    def lie(connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return lie


def silence(data: bytes = b"") -> Lie:
    """These bytes, and then nothing, for ever."""

    def lie(connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(data)
        stopped.wait(20)
        return False

    return lie


def drip(data: bytes, pause: float) -> Lie:
    """One byte at a time."""

    def lie(connection: socket.socket, stopped: threading.Event) -> bool:
        for byte in data:
            connection.sendall(bytes([byte]))
            if stopped.wait(pause):
                break
        return True

    return lie


def late(seconds: float, then: Lie) -> Lie:
    """Another lie, later."""

    def lie(connection: socket.socket, stopped: threading.Event) -> bool:
        stopped.wait(seconds)
        return then(connection, stopped)

    return lie
