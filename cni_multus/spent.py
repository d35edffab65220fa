"""What the time of a request went into that is not its own work, for the log and for nothing else.

Each thread has its own account, as it serves one request at a time; one that works for another hands over what it
spent.
"""

from __future__ import annotations

import time
from _thread import _local

API, PROGRAMS, WAITING = "api", "programs", "waiting"


class _Account(_local):
    """A thread's."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys((API, PROGRAMS, WAITING), 0.0)


_account = _Account()


def note(what: str, begun: float) -> None:
    """Add the time since `begun`, of the monotonic clock."""
    _account.seconds[what] += time.monotonic() - begun


def add(seconds: dict[str, float]) -> None:
    """Add what another thread spent for this one: what runs side by side is added up."""
    for what, more in seconds.items():
        _account.seconds[what] += more


def so_far() -> dict[str, float]:
    """The seconds of each."""
    return dict(_account.seconds)
