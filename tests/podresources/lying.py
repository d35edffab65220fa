"""A server on a unix socket that sends whatever bytes a test has for it, and frames to make them of."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hpack import Encoder

from cni_multus.podresources.wire import frame
from tests.podresources.api import message

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS, PADDED, PRIORITY = 1, 4, 8, 0x20
FRAME = 1 << 14


def headers(stream: int = 1, flags: int = END_HEADERS, huffman: bool = True, **fields: str) -> bytes:
    """A frame with header fields; `_` in a name is a `-`, and `status` is HTTP's."""
    named = [(":status" if name == "status" else name.replace("_", "-"), value) for name, value in fields.items()]
    return frame(HEADERS, flags, stream, Encoder().encode(named, huffman=huffman))


def ended(stream: int = 1, status: int = 0, said: str = "") -> bytes:
    """The trailers of an answer."""
    return headers(stream, END_HEADERS | END_STREAM, grpc_status=str(status), grpc_message=said)


def prefixed(content: bytes) -> bytes:
    """A message of gRPC."""
    return b"\0" + len(content).to_bytes(4, "big") + content


def answer(*pods: Any, stream: int = 1, chunk: int = FRAME) -> bytes:
    """A whole answer to Get or List, with these pods."""
    data = prefixed(message("ListPodResourcesResponse")(pod_resources=pods).SerializeToString())
    parts = [frame(DATA, 0, stream, data[at : at + chunk]) for at in range(0, len(data), chunk)]
    return headers(stream, status="200", content_type="application/grpc") + b"".join(parts) + ended(stream)


class LyingKubelet:
    """`with LyingKubelet(path, b"...", b"...") as server:` what it says to what comes first, second and so on.

    After that it is silent (`hangs`), or closes.
    """

    def __init__(self, path: Path, *said: bytes, hangs: bool = False) -> None:
        self.heard: list[bytes] = []
        self._said = said
        self._hangs = hangs
        self._stopped = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._path = path
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> LyingKubelet:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._path.unlink()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        for said in self._said:
            self.heard.append(connection.recv(1 << 16))
            connection.sendall(said)
        if self._hangs:
            self._stopped.wait()
