"""Some of what `python -m tests.faults delegates` does: programs that misbehave, and what is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.cases import a_few
from tests.faults.delegates import DelegatesBench
from tests.faults.variant import make_variant
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

NUMBER = 22
FOUND = [
    # What was printed was an error, and taken for a result, since the exit status said so.
    "ADD first instead an-error-and-success ADD",
    "ADD third after an-error-and-success DEL",
]


def test_whatever_a_program_does_nothing_is_lost(tmp_path: Path) -> None:
    bench = DelegatesBench(PROGRAM, tmp_path)
    try:
        verdicts = [bench.judge(case) for case in [*FOUND, *a_few(bench.cases(), NUMBER)]]
    finally:
        bench.close()
    assert [each.to_json() for each in verdicts if each.problems] == []


def test_a_program_that_does_not_take_back_what_failed_is_found_out(tmp_path: Path) -> None:
    broken = ("failed_too = 1 if isinstance(self._find(section, request), Program) else 0", "failed_too = 0")
    bench = DelegatesBench(make_variant(tmp_path / "program", {"cni_multus/network.py": broken}), tmp_path)
    try:
        verdict = bench.judge("ADD second after code-7 DEL")
    finally:
        bench.close()
    assert verdict.problems
