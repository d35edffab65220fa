"""Cases of one kind, each tried on a stand that the one before has left clean, by several processes at once.

A kind of cases is a subclass of `Bench`: it names them, and tries one. What came of them becomes rows of the table.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conftest import LIBC
from tests.faults.audit import Audit
from tests.faults.inject import Hung
from tests.faults.judge import Stand
from tests.faults.results import Row
from tests.faults.scene import Scene
from tests.faults.sweep import PR_SET_PDEATHSIG, in_own_mounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.faults.inject import Ended

UNTOUCHED = "nothing to recover"
PLENTY = 900


class Verdict:
    """What came of a case: its row of the table, by which means it held, and what was not as it should be."""

    def __init__(self, case: str, row: str) -> None:
        self.case = case
        self.row = row
        self.by = UNTOUCHED
        self.said = ""
        self.problems: list[str] = []

    def to_json(self) -> str:
        """One line."""
        return json.dumps(vars(self))

    def found(self, what: str, things: dict[str, str]) -> bool:
        """Note differences in few words; whether there are any."""
        told = [f"{name} {value}"[:400] for name, value in things.items() if ": setting " not in name] or list(things)
        if things:
            self.problems.append(f"{what}: " + "; ".join(told[:12]))
        return bool(things)


class Bench(Stand):
    """A stand for cases; subclasses say which scene, which cases, and how one is tried."""

    kind: type[Scene] = Scene

    def _make_root(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="faults-", dir=self.directory))

    def _set_up(self) -> None:
        self._make_root()
        self.scene = self.kind(self.root, self.program)
        self.audit = Audit(self.scene)
        self.attached = False

    def cases(self) -> list[str]:
        """All of them, always in the same order; the verdicts are about these words."""
        raise NotImplementedError

    def row_of(self, case: str) -> str:
        """The row of the table that it counts in."""
        raise NotImplementedError

    def examine(self, case: str, verdict: Verdict) -> None:
        """Try one, and say what was wrong."""
        raise NotImplementedError

    def judge(self, case: str) -> Verdict:
        """Try one; whatever was found, the stand is ready for the next."""
        verdict = Verdict(case, self.row_of(case))
        try:
            self.examine(case, verdict)
        except Hung:
            verdict.problems.append("hangs")
        except AssertionError as error:
            verdict.problems.append(f"cannot go on: {error}"[:PLENTY])
        if verdict.problems:
            self.renew()
        return verdict

    def must(self, verdict: Verdict, verb: str, **more: Any) -> bool:
        """Ask for a verb that has to succeed."""
        ended = self.scene.ask(verb, **more)
        if ended.status:
            whose = f" of {more['pod'].container_id}" if "pod" in more else ""
            verdict.problems.append(f"the {verb}{whose} after it fails: {told_by(ended)}")
        return ended.status == 0

    def expect_clean(self, verdict: Verdict, what: str) -> None:
        """Nothing may be left of the pod."""
        if not self.audit.is_clean():
            verdict.found(f"{what} leaves", self.audit.left())

    def expect_attached(self, verdict: Verdict, what: str) -> None:
        """It must be what an undisturbed ADD makes of it."""
        verdict.found(f"{what} attaches wrongly", self.audit.wrong())
        self.must(verdict, "CHECK")


def a_few(cases: Sequence[str], number: int) -> list[str]:
    """So many of them, always the same, from everywhere, and hardly ever two alike."""
    step = next(
        step for step in range(len(cases) * 618 // 1000 + 1, 2 * len(cases) + 2) if math.gcd(step, len(cases)) == 1
    )
    return [cases[at * step % len(cases)] for at in range(min(number, len(cases)))]


def told_by(ended: Ended) -> str:
    """What a request said, in a line."""
    return f"{ended.status}: {ended.stdout.decode(errors='replace')}{ended.stderr.decode(errors='replace')}"[:PLENTY]


def document_of(ended: Ended) -> dict[str, Any]:
    """The one JSON object that was printed, {} where it was something else."""
    try:
        found = json.loads(ended.stdout)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def manners(verb: str, ended: Ended) -> list[str]:
    """How an answer breaks the rules: one document for an ADD that succeeds and for each failure, and none else."""
    document = document_of(ended)
    if ended.status == 0:
        right = "cniVersion" in document and "code" not in document if verb == "ADD" else not ended.stdout
    else:
        right = ended.status == 1 and {"cniVersion", "code", "msg"} <= set(document)
    return [] if right else [f"{verb} answers {told_by(ended)}"]


def try_all(
    make: Callable[[], Bench], kept: Path, workers: int, cases: Sequence[str] = (), seconds: float = math.inf
) -> list[dict[str, Any]]:
    """The verdicts of all cases, or of these; as many as can be had in the time. Each process has its own stand."""
    kept.mkdir(parents=True, exist_ok=True)
    for old in kept.glob("*.jsonl"):
        old.unlink()
    begun = time.monotonic()
    crew = [
        multiprocessing.Process(target=_work, args=(make, kept / f"{at}.jsonl", at, workers, cases, begun + seconds))
        for at in range(workers)
    ]
    for each in crew:
        each.start()
    while any(each.is_alive() for each in crew):
        next(each for each in crew if each.is_alive()).join(20)
        done = _read(kept)
        bad = sum(bool(verdict["problems"]) for verdict in done)
        sys.stderr.write(f"{len(done)} cases, {bad} wrong, {time.monotonic() - begun:.0f} s\n")
    if any(each.exitcode for each in crew):
        raise RuntimeError(f"not all cases were tried; see {kept}")
    return _read(kept)


def rows(verdicts: Iterable[dict[str, Any]]) -> list[Row]:
    """Of the table."""
    table: dict[str, Row] = {}
    for verdict in sorted(verdicts, key=lambda each: str(each["row"])):
        row = table.setdefault(verdict["row"], Row(verdict["row"], 0, {}))
        row.tried += 1
        if verdict["problems"]:
            row.violations += 1
        else:
            row.held[verdict["by"]] = row.held.get(verdict["by"], 0) + 1
    return list(table.values())


def _read(kept: Path) -> list[dict[str, Any]]:
    texts = [path.read_text() for path in sorted(kept.glob("*.jsonl"))]
    return [json.loads(line) for text in texts for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _work(make: Callable[[], Bench], path: Path, at: int, of: int, cases: Sequence[str], deadline: float) -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    in_own_mounts()
    bench = make()
    try:
        every = bench.cases()
        (path.parent / "cases").write_text(f"{len(every)}\n")
        with path.open("w", buffering=1) as file:
            for case in (cases or a_few(every, len(every)))[at::of]:
                if time.monotonic() < deadline:
                    file.write(bench.judge(case).to_json() + "\n")
    finally:
        bench.close()
