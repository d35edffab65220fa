"""One point in time that everything a request asks of the API server must be done by, and the waits before it."""

from __future__ import annotations

import os
import time

FIRST_WAIT = 0.1
"""Seconds: the longest wait before the first repeat; it doubles with each one, up to `LONGEST_WAIT`."""
LONGEST_WAIT = 5.0


class Deadline:
    """`seconds` from now, on a clock that nobody can set."""

    __slots__ = ("_at", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def begin_again(self) -> None:
        """All of the seconds from now: what was done meanwhile was not the API server's."""
        self._at = time.monotonic() + self.seconds

    def left(self) -> float:
        """The seconds until then, 0 where it is over."""
        return max(0.0, self._at - time.monotonic())

    def passed(self) -> bool:
        """Whether it is over."""
        return time.monotonic() >= self._at


def backoff(repeats: int) -> float:
    """How long to wait before the next repeat, drawn from the whole interval, so that nodes do not march in step."""
    fraction: float = int.from_bytes(os.urandom(4), "little") / (1 << 32)
    return fraction * min(LONGEST_WAIT, FIRST_WAIT * (1 << min(repeats, 16)))
