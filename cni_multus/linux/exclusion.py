"""One at a time on this node: a lock that lives in the node's network namespace and dies with its holder.

An abstract unix socket can be bound once per network namespace (unix(7)), so the lock covers exactly the links that
it protects, needs no file, and is gone when the process is. Any process of the node can bind the name, though: so this
is for what is merely tidier in turn, and who has waited long enough goes on without.
"""

from __future__ import annotations

import _socket
import errno
import time

from cni_multus.cni.errors import NetlinkFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from cni_multus.linux.netns import Namespace

WAIT = 3.0


class Exclusion:
    """`with Exclusion(host, "bridge cni0"):` waits for its turn, at most `wait` seconds."""

    __slots__ = ("_name", "_ns", "_socket", "_wait")

    def __init__(self, ns: Namespace, name: str, *, wait: float = WAIT) -> None:
        self._ns = ns
        self._name = name
        self._wait = wait

    def __enter__(self) -> None:
        with self._ns.inside():
            self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
        address = b"\0multus/" + self._name.encode()
        deadline = time.monotonic() + self._wait
        pause = 0.0002
        while True:
            try:
                self._socket.bind(address)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    self._socket.close()
                    raise NetlinkFailure(f"cannot take the turn for {self._name}: {error.strerror or error}") from error
            if time.monotonic() > deadline:
                return
            time.sleep(pause)
            pause = min(pause * 2, 0.01)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
