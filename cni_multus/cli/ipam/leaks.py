"""`multus ipam leaks`: addresses whose owner is surely, or probably, gone; it only tells."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, Command
from cni_multus.cli.ipam import survey
from cni_multus.cli.ipam.evidence import GONE, LIKELY_GONE, Verdict
from cni_multus.cli.ipam.held import IN_FLIGHT, PENDING, RELEASED
from cni_multus.cli.ipam.owner import FOUND_WITH
from cni_multus.cli.ipam.survey import Survey
from cni_multus.cli.options import add_output, seconds
from cni_multus.cli.output import Table, emit

if TYPE_CHECKING:
    import argparse

    from cni_multus.cli.ipam.evidence import Evidence
    from cni_multus.cli.ipam.held import Held


class Leaks(Command):
    """Sure ones first."""

    name = "leaks"
    summary = "find addresses whose owner is gone"
    description = (
        "Find addresses whose owner is surely gone (its namespace is, the node was booted since, the API server does "
        "not have its pod) or probably gone (neither the journal of multus nor libcni's cache knows its container). "
        "Nothing is changed: `multus ipam release` gives one back, GC and `multus ipam reconcile` give back many."
    )
    exits = {
        DONE: "no leak was found",
        FOUND: "leaks were found",
        PARTIAL: "none was found, but some place could not be looked at",
        FAILED: "it could not be done",
    }
    examples = ("multus ipam leaks", "multus ipam leaks --older-than 1h --sure -o json")

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            metavar="TIME",
            type=seconds,
            default=0.0,
            help="only what was taken so long ago: 90s, 10m, 2h, 7d",
        )
        parser.add_argument("--sure", action="store_true", help="only what is surely gone")
        survey.declare(parser)
        add_output(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        before = time.time() - arguments.older_than
        looked = Survey(arguments)
        suspects = [held for held in looked.gather(lambda place: place.held()) if held.since <= before]
        judging = looked.evidence(many=True)
        states = (GONE,) if arguments.sure else (GONE, LIKELY_GONE)
        rows = []
        for held in suspects:
            verdict = judge(judging, held)
            if verdict.state in states:
                rows.append({**held.to_json(), "alive": verdict.state, "because": verdict.because, "owner": held.owner})
        rows.sort(key=lambda row: states.index(str(row["alive"])))
        emit(arguments.output, {"leaks": rows}, [Table("", FOUND_WITH, rows, "no leak was found")])
        return FOUND if rows else looked.status()


def judge(evidence: Evidence, held: Held) -> Verdict:
    """The verdict on one record: what waits for its time is no leak, nor what is being made."""
    if held.state == RELEASED:
        return Verdict("waiting", "it was given back")
    if held.state == PENDING and time.time() - held.since < IN_FLIGHT:
        return Verdict("in flight", "an ADD may be at work on it")
    return evidence.judge(held)
