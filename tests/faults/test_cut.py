"""Some of what `python -m tests.faults cut` does: files cut and zeroed, and what comes after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.cases import a_few
from tests.faults.cut import CutBench
from tests.faults.variant import make_variant
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

NUMBER = 12
FOUND = [
    # Nothing was known of a pod whose record was empty: its links and addresses stayed for ever.
    "DEL multus/journal/pod-0@eth0 0 cut",
    "ADD multus/journal/pod-0@eth0 0 cut",
    # Who has which address was read from the index alone: it stayed reserved after DEL.
    "DEL state/host-local/.multus/primary/owners/cdc 0 cut",
    "ADD state/host-local/.multus/primary/owners/cdc 1 cut",
    "DEL state/static/.multus/lent/owners/e7d 1 zeroed",
    # A reservation that was cut was somebody's of whom nobody had heard.
    "ADD state/host-local/pointed/10.3.0.3 1 cut",
    "DEL state/host-local/primary/fd00:1::3 0 zeroed",
]


def test_whatever_file_is_cut_nothing_is_lost(tmp_path: Path) -> None:
    bench = CutBench(PROGRAM, tmp_path)
    try:
        cases = bench.cases()
        verdicts = [bench.judge(case) for case in [*FOUND, *a_few(cases, NUMBER)]]
    finally:
        bench.close()
    assert [each.to_json() for each in verdicts if each.problems] == []


def test_a_program_that_believes_half_an_index_is_found_out(tmp_path: Path) -> None:
    broken = ("        if not _is_whole(data):\n            return None\n", "")
    program = make_variant(tmp_path / "program", {"cni_multus/state/ownerindex.py": broken})
    bench = CutBench(program, tmp_path)
    try:
        verdict = bench.judge("DEL state/host-local/.multus/primary/owners/cdc 0 cut")
    finally:
        bench.close()
    assert verdict.problems
