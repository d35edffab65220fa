"""Whole runs of the kinds of cases: which there are, where each comes from, and the table that becomes of it."""

from __future__ import annotations

import math
import shutil
import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from tests.cluster.keeper import shared_server
from tests.faults import results
from tests.faults.api import on
from tests.faults.apiscene import hurried
from tests.faults.cases import Bench, rows, try_all
from tests.faults.cut import CutBench
from tests.faults.delegates import DelegatesBench

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.cluster.apiserver import Address

TITLES = {
    "cut": ("c-cut", "Files: each cut, and zeroed, at every 512 bytes"),
    "delegates": ("d-delegates", "Delegates: programs that fail, hang, crash and lie"),
    "api": ("e-api", "The API: each call refused, lost, done and lost, done twice, answered wrongly"),
}
REMARKS = {
    "cut": "Bytes that only the file had cannot come back: after a lost loan the device is at home, and down.",
    "delegates": "delegateTimeout is 2 s.",
    "api": "`GC, later`: what is not known to be done is looked at again once nobody can be doing it any more.",
}

FOUND = {
    "cut": (
        "A record that was cut to nothing was an ADD that never began: DEL succeeded, and left links and addresses.",
        "host-local and static trusted a damaged page of their index: an address stayed reserved after DEL.",
        "A reservation that was cut became that of a container nobody knows, or nobody's: DEL left it.",
        "whereabouts never wrote again what a domain is, where that file was damaged.",
    ),
    "delegates": ("A program that exits with 0 and prints an error was taken for one that had attached the pod.",),
    "api": (
        "Any object was taken for the answer to a change: ADD succeeded without an entry in the pool.",
        "whereabouts took its own reservation for somebody else's, for ever, where the request for it came in twice.",
    ),
}


def try_part(part: str, program: Path, kept: Path, workers: int, cases: Sequence[str] = (), minutes: float = 0) -> int:
    """All cases of a part, or some; 0 where everything held. A whole run becomes its part of the table."""
    begun = time.monotonic()

    with _server(part, kept) as server:
        found = try_all(_maker(part, program, kept, server), kept / part, workers, cases, minutes * 60 or math.inf)
    if not cases:
        seconds = time.monotonic() - begun
        every = (kept / part / "cases").read_text().strip()
        remarks = (f"{len(found)} of {every} cases in {seconds / 60:.0f} minutes. {REMARKS[part]}",)
        results.write(*TITLES[part], rows(found), held="held by", remarks=remarks, found=FOUND[part])
    for verdict in found:
        if verdict["problems"]:
            case = f"python -m tests.faults {part} --case '{verdict['case']}'"
            sys.stdout.write("\n    ".join([case, *verdict["problems"]]) + "\n")
    return int(any(verdict["problems"] for verdict in found))


def _server(part: str, kept: Path) -> AbstractContextManager[Any]:
    return shared_server(kept / "api-server") if part == "api" else nullcontext()


def _maker(part: str, program: Path, kept: Path, server: Address) -> Callable[[], Bench]:
    if part == "cut":
        return lambda: CutBench(program)
    if part == "delegates":
        return lambda: DelegatesBench(program)
    shutil.rmtree(kept / "hurried", ignore_errors=True)
    return on(server, hurried(kept / "hurried"))
