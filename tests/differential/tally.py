"""What was compared, and how it came out: told by each test's report, since some of them run in another machine."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

    Record = Callable[[str, object], None]

COMPARED, NEEDED = "compared", "needed"
"""Properties of a report: [plugin, configuration, differences on purpose, others], and an entry of the table."""


class Tally:
    """The sum over all reports of a session."""

    def __init__(self) -> None:
        self.needed: set[int] = set()
        self._configurations: dict[str, set[str]] = defaultdict(set)
        self._outcomes: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, report: pytest.TestReport) -> None:
        """Take what a test has told."""
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == NEEDED and isinstance(value, int):
                self.needed.add(value)
            if name == COMPARED and isinstance(value, list | tuple):
                kind, asked, meant, others = value
                self._configurations[kind].add(asked)
                outcome = "unexpected" if others else "on purpose" if meant else "agreed"
                self._outcomes[kind][outcome] += 1

    def lines(self) -> Iterable[str]:
        """The table."""
        if not self._outcomes:
            return
        titles = ("plugin", "configurations", "comparisons", "agreed", "on purpose", "unexpected")
        yield "{:<14} {:>14} {:>12} {:>8} {:>11} {:>11}".format(*titles)
        for kind in sorted(self._outcomes):
            found = self._outcomes[kind]
            yield (
                f"{kind:<14} {len(self._configurations[kind]):>14} {found.total():>12} {found['agreed']:>8} "
                f"{found['on purpose']:>11} {found['unexpected']:>11}"
            )


TALLY = Tally()
"""Of this session; a test's own process may be another one, so that only reports add to it."""
