"""One target under atheris, in this process, for a while: what is new is kept, and what is wrong beside it.

.cache/fuzz/<target>/found/          inputs that libFuzzer found to reach something new
.cache/fuzz/<target>/violations/     one input for each violation, and beside it what it says
.cache/fuzz/<target>/report.json     how many inputs there were
"""

from __future__ import annotations

import json
import os
import sys
import time
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any

import atheris

from tests.fuzz import sandbox, structured, trial
from tests.fuzz.target import WORK, Target, find

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LONGEST = 1 << 13
"""Bytes of an input, and of one that is kept: what needs more has a test of its own."""
HANG = 20
"""Seconds after which libFuzzer ends the process."""

PAUSE = 0.5
"""Seconds between two reports: the process ends inside libFuzzer, which leaves nobody the time for a last one."""


class Session:
    """What came of a target so far."""

    def __init__(self, target: Target, *, until_found: bool = False) -> None:
        self.target = target
        self.until_found = until_found
        self.place = WORK / target.name
        self.executions = 0
        self.violations: dict[str, str] = {}
        self.random = Random()
        self.reported = 0.0
        for directory in ("found", "violations"):
            (self.place / directory).mkdir(parents=True, exist_ok=True)

    def attempt(self, data: bytes) -> None:
        """Try an input, and go on whatever comes of it."""
        self.executions += 1
        if time.monotonic() > self.reported + PAUSE:
            self.report()
        try:
            trial.attempt(self.target, data)
        except trial.Violation as violation:
            if violation.signature not in self.violations:
                self._keep(violation, data)

    def mutate(self, data: bytes, longest: int, seed: int) -> bytes:
        """Another input: by structure three times of four, else as libFuzzer has it."""
        self.random.seed(seed)
        if not data or self.random.random() < 0.25:
            return bytes(atheris.Mutate(data, longest))
        return structured.mutated(data, self.random, self.target.words)[:longest]

    def report(self) -> None:
        """Say what came of it."""
        self.reported = time.monotonic()
        told: dict[str, Any] = {"executions": self.executions, "violations": self.violations}
        (self.place / "report.json").write_text(json.dumps(told))

    def _keep(self, violation: trial.Violation, data: bytes) -> None:
        self.violations[violation.signature] = str(violation)
        self.report()
        path = self.place / "violations" / sha256(violation.signature.encode()).hexdigest()[:12]
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(str(violation))
        print(f"VIOLATION {self.target.name}: {violation}", file=sys.stderr, flush=True)
        if self.until_found:
            os._exit(1)


def fuzz(name: str, seconds: int, *, until_found: bool = False) -> None:
    """Fuzz a target, whose modules were not imported before atheris looked; the process ends with it."""
    target = find(name)
    session = Session(target, until_found=until_found)
    session.report()
    inputs = _write(session.place / "seeds", [*target.seeds(), *target.kept()])
    sandbox.enter()
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={HANG}",
        "-rss_limit_mb=1024",
        f"-artifact_prefix={session.place}/violations/",
        *map(str, (session.place / "found", inputs)),
    ]
    atheris.Setup(["fuzz", *options], session.attempt, custom_mutator=session.mutate)
    atheris.Fuzz()


def _write(directory: Path, inputs: Sequence[bytes]) -> Path:
    directory.mkdir(exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    for data in inputs:
        (directory / sha256(data).hexdigest()[:16]).write_bytes(data)
    return directory
