"""A unix socket that HTTP/2 frames (RFC 9113, 4) go over, each bounded in size, all of them in time.

It knows nothing of what frames mean.
"""

from __future__ import annotations

import time
from _socket import AF_UNIX, SOCK_STREAM, socket

from cni_multus.podresources.faults import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.kube.deadline import Deadline

LARGEST_FRAME = 1 << 14
"""Bytes of content: what a peer may send that was told nothing else."""

MOST_FRAMES = 1 << 16
"""As many as a connection takes: a server that sends more sends them for their own sake."""

_HEAD = 9
_CHUNK = 1 << 16
_FULL = 0.02
"""Seconds until it is tried again, where so many are waiting for the server that the kernel takes no more."""


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    """A frame as it is sent."""
    return len(content).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + content


class Wire:
    """An open connection. Everything raises OSError, TimeoutError among them."""

    __slots__ = ("_deadline", "_frames", "_held", "_socket")

    def __init__(self, path: str, deadline: Deadline) -> None:
        self._deadline = deadline
        self._frames = 0
        self._held = bytearray()
        self._socket = socket(AF_UNIX, SOCK_STREAM)
        try:
            self._connect(path)
        except BaseException:
            self._socket.close()
            raise

    def send(self, data: bytes) -> None:
        """Send everything."""
        left = memoryview(data)
        while left:
            self._be_done()
            left = left[self._socket.send(left) :]

    def receive(self) -> tuple[int, int, int, bytes]:
        """The next frame: its kind, its flags, its stream and its content."""
        self._frames += 1
        if self._frames > MOST_FRAMES:
            raise Malformed(f"more than {MOST_FRAMES} frames")
        head = self._take(_HEAD)
        size = int.from_bytes(head[:3], "big")
        if size > LARGEST_FRAME:
            raise Malformed(f"what begins with {head!r} is no frame of HTTP/2, or a larger one than was agreed on")
        return head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, self._take(size)

    def close(self) -> None:
        """Without a goodbye: the other end sees that the connection is gone."""
        self._socket.close()

    def _connect(self, path: str) -> None:
        while True:
            self._be_done()
            try:
                self._socket.connect(path)
            except BlockingIOError:
                time.sleep(_FULL)
            else:
                return

    def _take(self, size: int) -> bytes:
        while len(self._held) < size:
            self._be_done()
            more = self._socket.recv(_CHUNK)
            if not more:
                raise ConnectionResetError("it closed the connection")
            self._held += more
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    def _be_done(self) -> None:
        left = self._deadline.left()
        if not left:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(left)
