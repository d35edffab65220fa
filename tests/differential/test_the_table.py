"""The table of intended differences says what is, no more."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.differential.intended import INTENDED, LEFT_BY_REFERENCE, REFUSED_BY_OURS, REFUSED_BY_REFERENCE
from tests.differential.tally import LOOK_BACK, NEEDED, Tally
from tests.differential.test_refusals import CASES
from tools.build import ROOT


def report(*entries: int) -> pytest.TestReport:
    told: list[tuple[str, object]] = [(NEEDED, entry) for entry in entries]
    return pytest.TestReport("test", ("file", 1, "test"), {}, "passed", None, "call", user_properties=told)


def test_an_entry_that_nothing_needs_is_named() -> None:
    tally = Tally()
    tally.add(report(*range(1, len(INTENDED))))
    assert tally.unneeded() == [f"{INTENDED[0].where}: {INTENDED[0].reason}"]
    tally.add(report(0))
    assert tally.unneeded() == []


@pytest.mark.parametrize("workers", ["0", "2"])
def test_every_run_of_all_comparisons_is_judged(workers: str) -> None:
    """Here no file counts as one of tests, so that nothing is compared, and nothing needed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", workers, "-o", "python_files=none"]
    done = subprocess.run([*command, "tests/differential"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert f"FAILED {LOOK_BACK}" in done.stdout
    assert f"{INTENDED[0].where}: {INTENDED[0].reason}" in done.stdout


def test_every_refusal_is_one_of_the_cases() -> None:
    assert {*LEFT_BY_REFERENCE, *REFUSED_BY_OURS, *REFUSED_BY_REFERENCE} <= set(CASES)
