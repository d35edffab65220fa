"""What was compared, and how it came out: told by each test's report, since many run in other processes."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.whole import asks_for_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Record = Callable[[str, object], None]

COMPARED, NEEDED = "compared", "needed"
"""Properties of a report: [plugin, configuration, differences on purpose, others], and an entry of the table."""

HERE = Path(__file__).parent
LOOK_BACK = "tests/differential/intended.py::every entry still covers something"
"""The node ID of what is reported after all tests: an entry that no comparison needs is a failure."""


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

    def unneeded(self) -> list[str]:
        """The entries of the table of intended differences that no comparison needed."""
        from tests.differential.intended import INTENDED

        return [f"{entry.where}: {entry.reason}" for at, entry in enumerate(INTENDED) if at not in self.needed]


class LookBack:
    """A plugin for where the tests were started: prints the sums, and judges the table of what is meant."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._tally = Tally()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._tally.add(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        """The verdict is the last test, where all comparisons were asked for: one among many workers cannot tell."""
        result = yield
        if asks_for_all(self._config, HERE):
            session.testscollected += 1
            self._report("skipped" if session.testsfailed else "failed" if self._tally.unneeded() else "passed")
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        lines = list(self._tally.lines())
        if lines:
            terminalreporter.section("ours and the Go plugins, side by side")
            for line in lines:
                terminalreporter.write_line(line)

    def _report(self, outcome: str) -> None:
        file = LOOK_BACK.partition("::")[0]
        location = (file, None, LOOK_BACK.partition("::")[2])
        why = {
            "passed": None,
            "skipped": (file, 0, "Skipped: this can be told only when all comparisons succeeded"),
            "failed": "no comparison needs these any more:\n" + "\n".join(self._tally.unneeded()),
        }[outcome]
        report = pytest.TestReport(LOOK_BACK, location, {}, outcome, why, "call")  # type: ignore[arg-type]
        self._config.hook.pytest_runtest_logstart(nodeid=LOOK_BACK, location=location)
        self._config.hook.pytest_runtest_logreport(report=report)
        self._config.hook.pytest_runtest_logfinish(nodeid=LOOK_BACK, location=location)
