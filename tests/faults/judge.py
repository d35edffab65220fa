"""A point tried: the request disturbed, what it answered and left judged, another verb asked to put things right."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from binascii import crc32
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.audit import Audit
from tests.faults.inject import Hung
from tests.faults.points import ANSWER, START
from tests.faults.scene import Scene

if TYPE_CHECKING:
    from tests.faults.inject import Call, Ended
    from tests.faults.points import Point

NOTHING = "nothing"
"""Who put things right where there was nothing to put right."""
SHOWN = 12
EMPTY = {("file multus/journal/pod-0@eth0", repr(b""))}
"""What a DEL may leave that could not remove the file which held the record: the next request takes it over."""
NEXT_WRITERS = {"file state/whereabouts/lease/.multus-new"}
"""The name that leases have while they are written, under the store's lock: the next one that is written takes it."""
ALREADY = "attached already"


class Verdict:
    """What came of a point: how the request ended, who put things right, and what was not as it should be."""

    def __init__(self, point: Point) -> None:
        self.point = str(point)
        self.phase = point.phase
        self.hit = False
        self.ended = ""
        self.by = NOTHING
        self.problems: list[str] = []

    def to_json(self) -> str:
        """One line."""
        return json.dumps(vars(self))


class Stand:
    """A scene that is used for one point after another, and made anew when one has damaged it."""

    def __init__(self, program: Path, directory: Path | None = None) -> None:
        self.program = program
        self.directory = directory
        self.attached = False
        self._set_up()

    def _set_up(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="faults-", dir=self.directory))
        self.scene = Scene(self.root, self.program)
        self.audit = Audit(self.scene)
        self.attached = False

    def close(self) -> None:
        """Leave nothing behind."""
        self.audit.close()
        self.scene.close()
        shutil.rmtree(self.root)

    def renew(self) -> None:
        """Another scene, untouched."""
        self.close()
        self._set_up()

    def calls(self, verb: str) -> list[Call]:
        """What an undisturbed request calls."""
        self.bring(attached=verb != "ADD")
        ended = self.scene.ask(verb, list_calls=True)
        assert ended.status == 0, ended.stdout
        self.attached = verb in ("ADD", "CHECK")
        return ended.calls

    def bring(self, *, attached: bool) -> None:
        """Let the pod be attached, or not."""
        if attached != self.attached:
            ended = self.scene.ask("ADD" if attached else "DEL")
            assert ended.status == 0, ended.stdout
            self.attached = attached

    def attempt(self, point: Point) -> Verdict:
        """Try a point; whatever was found, the stand is ready for the next one."""
        verdict = Verdict(point)
        self.bring(attached=point.verb != "ADD")
        try:
            self._change(point, verdict)
        except Hung:
            verdict.problems.append("hangs")
        if verdict.problems:
            self.renew()
        return verdict

    def _disturb(self, point: Point, verdict: Verdict) -> Ended:
        ended = self.scene.ask(point.verb, fault=point.fault)
        verdict.hit = ended.hit
        verdict.ended = _ending(ended)
        if ended.hit:
            verdict.problems += _misbehaviour(point, ended)
        elif ended.status:
            verdict.problems.append(f"fails undisturbed: {ended.stdout.decode()}{ended.stderr.decode()}")
        return ended

    def _change(self, point: Point, verdict: Verdict) -> None:
        may_change = point.verb != "CHECK" and point.phase != START
        before = {} if may_change else self.audit.glance()
        ended = self._disturb(point, verdict)
        if not may_change and (ended.status or point.verb == "CHECK") and self._is_as(before):
            return
        if point.verb == "CHECK":
            verdict.problems += _shown("CHECK changed", self.audit.wrong())
            return
        self.attached = False
        if ended.status == 0:
            if point.verb == "ADD":
                self._verify_attached(verdict, exactly=point.phase != START and is_looked_at(point))
                self._put_right("DEL", verdict)
            elif not self.audit.is_clean():
                left = self.audit.left()
                if not set(left.items()) <= EMPTY:
                    verdict.problems += _shown(f"a {point.verb} that succeeds leaves", left)
                verdict.by = point.recovery
                self._put_right(point.recovery, verdict)
            return
        if self.audit.is_clean():
            self._put_right("DEL", verdict)  # as the runtime does, whatever is left
            return
        verdict.by = point.recovery
        self._put_right(point.recovery, verdict)

    def _is_as(self, before: dict[str, object]) -> bool:
        """Whether nothing has changed: to whatever comes next it is as if nobody had asked."""
        deadline = time.monotonic() + 0.3
        while self.audit.glance() != before:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _put_right(self, verb: str, verdict: Verdict) -> None:
        """Let a verb do so, and see that it did."""
        ended = self.scene.ask(verb)
        if verb == "ADD" and ended.status == 1 and ALREADY in ended.stdout.decode():
            verdict.by = verb = "DEL"
            ended = self.scene.ask(verb)
        if ended.status:
            verdict.problems.append(f"the {verb} after it fails: {ended.stdout.decode()}{ended.stderr.decode()}")
            return
        if verb == "ADD":
            self._verify_attached(verdict, exactly=is_looked_at(verdict.point))
            self._put_right("DEL", verdict)
            return
        left = self.audit.left()
        if left and set(left) <= NEXT_WRITERS:
            verdict.by = "ADD"
            self._put_right("ADD", verdict)
        else:
            verdict.problems += _shown(f"the {verb} after it leaves", left)

    def _verify_attached(self, verdict: Verdict, *, exactly: bool) -> None:
        if exactly:
            verdict.problems += _shown("attached wrongly", self.audit.wrong())
        ended = self.scene.ask("CHECK")
        if ended.status:
            verdict.problems.append(f"CHECK finds: {ended.stdout.decode()}{ended.stderr.decode()}")


def is_looked_at(point: Point | str) -> bool:
    """Whether what an ADD attached is compared thing by thing, which costs most of all: one case of three.

    In the others CHECK says whether it is right, and the DEL that follows whether anything is left.
    """
    return crc32(str(point).encode()) % 3 == 0


def _ending(ended: Ended) -> str:
    if ended.status == 0:
        return "succeeded"
    if ended.status == 1:
        try:
            return f"error {json.loads(ended.stdout)['code']}"
        except (ValueError, KeyError, TypeError):
            return "status 1"
    return f"status {ended.status}" if ended.status > 0 else f"signal {-ended.status}"


def _misbehaviour(point: Point, ended: Ended) -> list[str]:
    """How the answer breaks the rules: one JSON document for an ADD and for a failure, and none else."""
    if point.kills:
        return [] if ended.status == -9 else [f"was not killed: {ended.status}"]
    if ended.status == 0:
        expected = point.verb == "ADD"
        if bool(ended.stdout) != expected or (expected and "ips" not in _document(ended)):
            return [f"succeeds, and says {ended.stdout!r}"]
        return []
    if point.phase == START or (point.phase == ANSWER and ended.status == 1):
        return []
    if ended.status != 1 or not {"cniVersion", "code", "msg"} <= set(_document(ended)):
        return [f"ends with {ended.status}, and says {ended.stdout!r}, {os.fsdecode(ended.stderr[-2000:])}"]
    return []


def _document(ended: Ended) -> dict[str, object]:
    try:
        found = json.loads(ended.stdout)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _shown(what: str, things: dict[str, str]) -> list[str]:
    """Differences in few words: settings follow from links."""
    told = [f"{name} {value}"[:400] for name, value in things.items() if ": setting " not in name] or list(things)
    return [f"{what}: " + "; ".join(told[:SHOWN])] if things else []
