"""What is wrong now, since when, and whether it was said: once it lasts, and then from time to time.

What lasts only for a moment (a file half written, one renamed to another) is not told to anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class _Trouble:
    message: str
    blocking: bool
    since: float
    said: float | None = None
    told: str = ""


class Troubles:
    """Noted anew by each look at the node; `settle` and `remind` are seconds."""

    def __init__(self, say: Callable[[str], object], settle: float, remind: float) -> None:
        self._say = say
        self._settle = settle
        self._remind = remind
        self._all: dict[str, _Trouble] = {}
        self._noted: set[str] = set()

    def note(self, kind: str, message: str, now: float, *, blocking: bool = True) -> float:
        """Something is wrong; how long it has been. `blocking` says whether pods suffer by it."""
        trouble = self._all.setdefault(kind, _Trouble(message, blocking, now))
        trouble.message, trouble.blocking = message, blocking
        self._noted.add(kind)
        return now - trouble.since

    def look_ended(self, now: float) -> None:
        """What was not noted since the last time is over; what lasts is said."""
        for kind in [kind for kind in self._all if kind not in self._noted]:
            if (gone := self._all.pop(kind)).said is not None:
                self._say(f"over: {gone.told}")
        self._noted.clear()
        for trouble in self._all.values():
            if now - trouble.since >= self._settle and self._is_due(trouble, now):
                trouble.said, trouble.told = now, trouble.message
                self._say(f"warning: {trouble.message}")

    def lasting(self, now: float) -> dict[str, tuple[str, bool]]:
        """What is wrong by kind: the message, and whether pods suffer by it."""
        return {
            kind: (trouble.message, trouble.blocking)
            for kind, trouble in self._all.items()
            if now - trouble.since >= self._settle
        }

    def _is_due(self, trouble: _Trouble, now: float) -> bool:
        if trouble.said is None:
            return True
        wait = self._remind if trouble.told == trouble.message else self._settle
        return now - trouble.said >= wait
