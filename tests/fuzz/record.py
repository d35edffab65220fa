"""How many inputs there were of each target since `.cache` was empty, and what they found, for the table of faults."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.faults.results import Row, write
from tests.fuzz.target import CORPUS, MODULES, WORK

if TYPE_CHECKING:
    from pathlib import Path

TOTALS = WORK / "totals.json"

FOUND = {
    "plugins": (
        "a result that the version cannot tell was refused after it was worked with (tests/plugins/test_chained.py)",
        "a plugin that gives no addresses, at `ipam.type`, called itself: error 999 (tests/plugins/test_ipam_type.py)",
    ),
    "journal": (
        "a record in another sandbox's file led what was written next elsewhere (tests/multus/test_journal.py)",
    ),
    "backups": (
        "what a file says of its owner became a path that GC removes (tests/state/test_backups.py)",
        "a NUL in a file of an attachment ended GC for all (tests/state/test_backups.py)",
    ),
    "undoing": ("a damaged record of one attachment ended GC for all, each time (tests/plugins/test_sbr_delete.py)",),
    "goscratch": ("what libcni's cache says became a path that DEL removes (tests/cli/test_libcni_cache.py)",),
    "conflist": (
        "a network's name of 300 characters was told as a directory that fails: 5 for 7 (tests/cli/test_confdir.py)",
    ),
    "leases": (
        "a lease without a network ended `multus ipam fsck` (tests/state/leases/test_hostile.py)",
        "a domain's name in a lease became part of a path as it was (tests/state/leases/test_hostile.py)",
    ),
    "clusterjournal": (
        "an address of no family in what a node has seen: error 999 (tests/ipam/whereabouts/cluster/test_seen.py)",
        "a number too large for a float: error 999 (tests/state/leases/test_hostile.py)",
    ),
    "pools": (
        "half of a surrogate pair in a reservation's annotation: error 999 (tests/state/leases/test_hostile.py)",
        "a number too large for a float there: error 999 (tests/state/leases/test_hostile.py)",
    ),
    "netlink": ("answers that are too short ended in struct.error and KeyError (tests/fuzz/corpus)",),
}
"""Defects that a target has found, all of them mended, and the test that holds each."""


def note(name: str, executions: int, violations: int) -> None:
    """Add a run of a target to the totals; of violations those of the last run count."""
    totals = _totals()
    before = totals.get(name, {}).get("executions", 0)
    totals[name] = {"executions": before + executions, "violations": violations}
    TOTALS.write_text(json.dumps(totals))


def record() -> Path:
    """Write the totals where the table is made from."""
    totals = _totals()
    rows = [
        Row(
            name,
            totals.get(name, {}).get("executions", 0),
            {"kept in the corpus": len(list((CORPUS / name).glob("*"))), "found and mended": len(FOUND.get(name, ()))},
            totals.get(name, {}).get("violations", 0),
        )
        for name in MODULES
    ]
    found = tuple(f"`{name}`: {said}" for name, each in FOUND.items() for said in each)
    return write("g-fuzz", "Inputs from outside, by coverage-guided fuzzing (`make fuzz`)", rows, held="", found=found)


def _totals() -> dict[str, Any]:
    return json.loads(TOTALS.read_text()) if TOTALS.exists() else {}
