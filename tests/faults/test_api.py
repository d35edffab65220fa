"""Some of what `python -m tests.faults api` does: calls of the API disturbed, and what is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.api import ApiBench
from tests.faults.apiscene import SHORTER, hurried
from tests.faults.cases import a_few
from tests.faults.variant import make_variant

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.apiserver import Address

pytestmark = pytest.mark.timeout(300)

NUMBER = 14
FOUND = [
    # Any object was taken for the pool, or the reservation, that was to be written: ADD succeeded without an address.
    "ADD 4 another-object once DEL",
    "ADD 5 another-object once DEL",
    # A reservation that was made twice, of which the second was refused, was taken for somebody else's, for ever.
    "ADD 4 twice onwards GC",
]


def test_whatever_becomes_of_a_call_nothing_is_lost(tmp_path: Path, api_server: Address) -> None:
    bench = ApiBench(hurried(tmp_path / "program"), tmp_path, api_server)
    try:
        verdicts = [bench.judge(case) for case in [*FOUND, *a_few(bench.cases(), NUMBER)]]
    finally:
        bench.close()
    assert [each.to_json() for each in verdicts if each.problems] == []


def test_a_program_that_takes_a_failure_for_done_is_found_out(tmp_path: Path, api_server: Address) -> None:
    broken = {
        **SHORTER,
        "ipam/whereabouts/cluster/giving.py": (
            "        except Conflict:\n            pass  # one that was made later: whose?\n",
            "        except Exception:\n            return\n",
        ),
    }
    bench = ApiBench(make_variant(tmp_path / "program", broken), tmp_path, api_server)
    try:
        verdict = bench.judge("DEL 1 500 onwards DEL")
    finally:
        bench.close()
    assert verdict.problems
