"""All points, or some, by several processes at once; what came of each is kept, so that a sweep can go on later."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.conftest import LIBC, checked
from tests.faults.inject import KILL, NETLINK
from tests.faults.judge import NOTHING, Stand
from tests.faults.points import VERBS, Point, points_of, shuffled
from tests.faults.results import Row
from tests.faults.syscalls import CANNOT_FAIL
from tests.node import CLONE_NEWNS, MS_PRIVATE, MS_REC

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PR_SET_PDEATHSIG = 1
INTERVAL = 15.0
"""Seconds between two lines of progress."""


def in_own_mounts() -> None:
    """Let what is mounted from here on go with this process, whatever becomes of it."""
    checked(LIBC.unshare(CLONE_NEWNS))
    checked(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


def all_points(stand: Stand) -> list[Point]:
    """Of all verbs."""
    found: list[Point] = []
    for verb in VERBS:
        stand.calls(verb)  # what is done but once is done now
        stand.bring(attached=verb != "ADD")
        found += points_of(verb, stand.calls(verb))
        stand.bring(attached=False)
    return found


def listed(program: Path, kept: Path) -> list[Point]:
    """The points of this sweep: those that it began with, if it began before."""
    path = kept / "points"
    if path.exists():
        pairs = [line.split() for line in path.read_text().splitlines()]
        return [Point.parse(text, phase) for text, phase in pairs]
    kept.mkdir(parents=True, exist_ok=True)
    stand = Stand(program, kept)
    try:
        points = shuffled(all_points(stand))
    finally:
        stand.close()
    path.write_text("".join(f"{point} {point.phase}\n" for point in points))
    return points


def sweep(program: Path, kept: Path, workers: int, stride: int = 1) -> list[dict[str, Any]]:
    """Try every point that has not been tried; the verdicts of all."""
    points = listed(program, kept)[::stride]
    done = {verdict["point"] for verdict in verdicts(kept)}
    todo = [point for point in points if str(point) not in done]
    crew = [
        multiprocessing.Process(target=_work, args=(program, kept / f"{at}-{os.getpid()}.jsonl", todo[at::workers]))
        for at in range(workers)
    ]
    for each in crew:
        each.start()
    begun = time.monotonic()
    while any(each.is_alive() for each in crew):
        crew[0].join(INTERVAL)
        for each in crew[1:]:
            each.join(0 if each.is_alive() and crew[0].is_alive() else INTERVAL)
        _tell(verdicts(kept), len(points), len(done), time.monotonic() - begun)
    return verdicts(kept)


def verdicts(kept: Path) -> list[dict[str, Any]]:
    """What is known so far; a line that was being written when its process was killed does not count."""
    found = []
    for path in sorted(kept.glob("*.jsonl")):
        found += [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return found


def rows(found: Sequence[dict[str, Any]]) -> list[Row]:
    """Of the table: a verb, and a kind of fault."""
    table: dict[str, Row] = {}
    for verdict in sorted(found, key=_order):
        verb, call, _, kind, _ = verdict["point"].split("/")
        name = f"{verb} {'killed' if kind == KILL else f'netlink: {kind}' if call == NETLINK else kind}"
        row = table.setdefault(name, Row(name, 0, {"DEL": 0, "next ADD": 0, "GC": 0, "nothing to recover": 0}))
        row.tried += 1
        if verdict["problems"]:
            row.violations += 1
        else:
            by = {NOTHING: "nothing to recover", "ADD": "next ADD"}.get(verdict["by"], verdict["by"])
            row.held[by] += 1
    return list(table.values())


def remarks(found: Sequence[dict[str, Any]], points: Sequence[Point]) -> tuple[str, ...]:
    """How much was tried, and which errors of which calls."""
    kinds: dict[str, list[str]] = {}
    for point in points:
        kinds.setdefault(point.fault.name, [])
        if point.fault.kind not in (KILL, *kinds[point.fault.name]):
            kinds[point.fault.name].append(point.fault.kind)
    by_errors: dict[str, list[str]] = {}
    for name, errors in sorted(kinds.items()):
        reason = CANNOT_FAIL[name][1] if name in CANNOT_FAIL else "it asks for a descriptor's flags, or sets them"
        by_errors.setdefault(", ".join(sorted(errors)) or f"not: {reason}", []).append(f"`{name}`")
    missed = sum(not verdict["hit"] for verdict in found)
    return (
        f"{len(found)} of {len(points)} points, spread over all; {missed} were not reached, as the request made fewer",
        "calls. A pod of a bridge with ipMasq and portmap, a macvlan with whereabouts and tuning, a ptp with",
        "firewall and bandwidth and a host-device with static and sbr, beside another one that stays. `netlink` is the",
        "kernel's refusal of a request, the other names are system calls. Who recovers takes turns; what was as before",
        "had nothing to recover.",
        "",
        "| what fails | with |",
        "|---|---|",
        *(f"| {', '.join(names)} | {errors} |" for errors, names in sorted(by_errors.items())),
    )


def _order(verdict: dict[str, Any]) -> tuple[int, bool, bool, str]:
    verb, call, _, kind, _ = verdict["point"].split("/")
    return VERBS.index(verb), kind != KILL, call == NETLINK, kind


def _work(program: Path, path: Path, points: Sequence[Point]) -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    in_own_mounts()
    stand = Stand(program, path.parent)
    try:
        with path.open("a", buffering=1) as file:
            for point in points:
                file.write(stand.attempt(point).to_json() + "\n")
    finally:
        stand.close()


def _tell(found: Sequence[dict[str, Any]], of: int, before: int, seconds: float) -> None:
    bad = sum(bool(verdict["problems"]) for verdict in found)
    missed = sum(not verdict["hit"] for verdict in found)
    rate = (len(found) - before) / max(seconds, 1)
    left = (of - len(found)) / rate / 60 if rate else 0
    told = f"{len(found)} of {of} points, {bad} wrong, {missed} not reached; {rate:.1f} a second, {left:.0f} min left"
    sys.stderr.write(told + "\n")
    sys.stderr.flush()
