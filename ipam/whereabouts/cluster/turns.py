"""Turns at writing into one pool: a few processes of this node at a time.

The API server applies a patch again and again until nobody was faster, so that the work of N writers at once grows with
N squared: 64 of them keep it busy for seconds, and some get a timeout. In turns they are through in half a second. A
turn dies with its process, and who has waited long enough goes on without one: nothing is wrong then, only slow.
"""

from __future__ import annotations

import os
import time

from cni_multus.cni.errors import IoFailure, TryAgainLater
from cni_multus.hashes import digest
from cni_multus.state import files
from cni_multus.state.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

AT_ONCE = 4
"""More than one, so that a server that is far away, not busy, is not waited for by one at a time."""
TO_TAKE = 30.0
TO_GIVE_BACK = 4.0
"""Seconds that a turn is waited for."""
LONGEST_PAUSE = 0.05
"""Seconds between two looks: with hundreds who wait somebody always looks."""


class Turn:
    """`with Turn(data_dir, pool, wait):` write into the pool."""

    def __init__(self, data_dir: str, pool: str, wait: float) -> None:
        self._root = os.path.join(data_dir, "turns")
        self._name = digest(pool, 16)
        self._wait = wait
        self._lock: Lock | None = None

    def __enter__(self) -> Turn:
        try:
            files.make_directory(self._root)
            self._lock = self._find()
        except IoFailure:
            self._lock = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock:
            self._lock.__exit__(kind, error, trace)

    def _find(self) -> Lock | None:
        """The first that is free; None where none was in time."""
        end = time.monotonic() + self._wait
        slots: Iterable[int] = range(AT_ONCE)
        pause = 0.001
        while True:
            for slot in slots:
                if lock := self._try(slot):
                    return lock
            if time.monotonic() >= end:
                return None
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            slots = (os.urandom(1)[0] % AT_ONCE,)

    def _try(self, slot: int) -> Lock | None:
        try:
            return Lock(f"{self._root}/{self._name}-{slot}", "", 0.0).__enter__()
        except TryAgainLater:
            return None
