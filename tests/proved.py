"""What a test run has proved of the table of features, said at its end: told by the reports of its tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.features import count, features
from tests.named import TESTS
from tests.whole import asks_for_all

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from tests.features import Feature

PASSED = "passed"
PREFIX = f"{TESTS.name}/"


class Proof:
    """How the tests that the table names came out; one of several cases counts as its worst."""

    def __init__(self, rows: list[Feature]) -> None:
        self._rows = rows
        self._named = {test for row in rows for test in row.tests}
        self._outcomes: dict[str, str] = {}

    def add(self, report: pytest.TestReport) -> None:
        """Take what a test has told; of one that passed its call alone counts, since one that is skipped has none."""
        test = report.nodeid.removeprefix(PREFIX).partition("[")[0]
        if test in self._named and (report.when == "call" or report.outcome != PASSED):
            worst = self._outcomes.get(test, PASSED)
            self._outcomes[test] = report.outcome if worst == PASSED else worst

    def lines(self, *, whole: bool) -> Iterable[str]:
        """The verdict; of a run that was asked for some tests only, what it refutes."""
        unproved = {test: self._outcomes.get(test, "not run") for test in self._named}
        unproved = {test: how for test, how in unproved.items() if how != PASSED and (whole or how == "failed")}
        if whole:
            every = f"every one of their {len(self._named)} tests passed"
            yield f"features: {count(self._rows)}; {every if not unproved else 'but'}"
        for row in self._rows:
            for test in row.tests:
                if test in unproved:
                    yield f"feature {row.number} ({row.what}): {PREFIX}{test}: {unproved[test]}"


class Proving:
    """A plugin for where the tests were started: all reports come there, whoever ran the test."""

    def __init__(self, config: pytest.Config, rows: list[Feature] | None = None, directory: Path = TESTS) -> None:
        self._config = config
        self._directory = directory
        self._proof = Proof(features() if rows is None else rows)
        self._whole = False

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        stopped = session.shouldfail or session.shouldstop
        self._whole = asks_for_all(self._config, self._directory) and not stopped

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._proof.add(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if lines := list(self._proof.lines(whole=self._whole)):
            terminalreporter.section("features of Multus")
            for line in lines:
                terminalreporter.write_line(line)
