"""What the time of a request went into that is not its own work, for the log and for nothing else.

A process serves one request; what runs side by side is added up.
"""

from __future__ import annotations

import time
from _thread import allocate_lock

API, PROGRAMS, WAITING = "api", "programs", "waiting"

_seconds = dict.fromkeys((API, PROGRAMS, WAITING), 0.0)
_one_at_a_time = allocate_lock()


def note(what: str, begun: float) -> None:
    """Add the time since `begun`, of the monotonic clock."""
    seconds = time.monotonic() - begun
    with _one_at_a_time:
        _seconds[what] += seconds


def so_far() -> dict[str, float]:
    """The seconds of each."""
    return dict(_seconds)
