"""Every call of the API that an ADD, a DEL or a GC makes: refused, lost, done and lost, done twice, answered wrongly.

The server is a real one, behind a road (tests/cluster/road.py). A case is written `ADD 4 lost onwards GC`: of an ADD
the answers to the fifth call (from 0) and to all that follow are lost, and a GC comes when the API is back.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from tests.cluster.cluster import Cluster
from tests.cluster.disturbances import Disturbance, refusal
from tests.faults.apiscene import SETTLE, ApiScene
from tests.faults.audit import Audit
from tests.faults.cases import Bench, Verdict, manners, told_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster.apiserver import Address
    from tests.cluster.messages import Call
    from tests.faults.inject import Ended

HELD = 6.5
"""Seconds that an answer is kept: longer than whoever waits for it."""
STATUSES = (400, 401, 403, 404, 409, 410, 422, 429, 500, 503)
ANSWERS: dict[str, Any] = {
    **{str(status): refusal(status, headers={"Retry-After": "1"} if status == 429 else None) for status in STATUSES},
    "not-JSON": (200, b"<html>It works!</html>", {"Content-Type": "text/html"}),
    "another-object": (200, {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "x", "uid": "y"}}, {}),
    "a-list": (200, [], {}),
    "nothing": (200, b"", {}),
}
KINDS = ("refused", "reset", "lost", "held", "cut", "twice", "doubled", *ANSWERS)
"""Reset before the server has it, lost when the server has done it, held until nobody waits, cut within the body,
sent to the server twice, answered twice; and answers that are not the server's."""
NOT_TAKEN_BACK = "taking it back failed"
HOW_LONG = ("once", "onwards")
VERBS = ("ADD", "DEL", "GC", "CHECK")
RECOVERIES = ("DEL", "ADD", "GC")


class ApiBench(Bench):
    """Disturbs calls."""

    scene: ApiScene

    def __init__(self, program: Path, directory: Path | None, server: Address) -> None:
        self.server = server
        super().__init__(program, directory)

    def _set_up(self) -> None:
        self._make_root()
        self.scene = ApiScene(self.root, self.program, Cluster(self.server, self.root, "faults"))
        self.audit = Audit(self.scene)
        self.attached = False
        self.api_without = self.scene.kept()
        self.bring(attached=True)
        self.api_with = self.scene.kept()
        self.bring(attached=False)

    def cases(self) -> list[str]:
        found: list[str] = []
        for verb in VERBS:
            calls = self._calls_of(verb)
            for number in range(len(calls)):
                for kind in KINDS:
                    recovery = RECOVERIES[len(found) % len(RECOVERIES)]
                    found.append(f"{verb} {number} {kind} {HOW_LONG[(len(found) + number) % 2]} {recovery}")
        self.bring(attached=False)
        return found

    def row_of(self, case: str) -> str:
        verb, _, kind, _, _ = case.split(" ")
        told = {"reset": "is reset", "lost": "is done, the answer lost", "held": "is done, the answer comes too late"}
        told |= {"cut": "is done, the answer cut", "twice": "is done twice", "doubled": "is answered twice"}
        wrong = "is refused" if kind.isdigit() or kind == "refused" else "is answered wrongly"
        return f"{verb}: a call {told.get(kind, wrong)}"

    def examine(self, case: str, verdict: Verdict) -> None:
        verb, number, kind, how_long, recovery = case.split(" ")
        self.bring(attached=verb != "ADD")
        ended = self._disturbed(verb, int(number), kind, -1 if how_long == "onwards" else 1)
        verdict.said = told_by(ended)
        verdict.problems += manners(verb, ended)
        if verb == "CHECK":
            verdict.found("CHECK changes", self.audit.wrong())
            return
        self.attached = False
        if verb == "ADD" and ended.status == 0:
            self._expect_attached(verdict)
            recovery = "DEL" if recovery == "ADD" else recovery
        elif verb == "ADD" or (verb == "DEL" and ended.status == 0):
            self._expect_nothing_but_open_work(verdict)
        if not self._is_as_without():
            verdict.by = {"ADD": "next ADD"}.get(recovery, recovery)
        self._recover(recovery, verdict)

    def _recover(self, recovery: str, verdict: Verdict) -> None:
        if recovery == "ADD":
            if not self.must(verdict, "ADD"):
                return
            self._expect_attached(verdict)
            recovery = "DEL"
        if not self.must(verdict, recovery):
            return
        if not self._is_as_without():
            time.sleep(SETTLE)  # what was asked for, and not answered, may be done until then
            verdict.by = "GC, later"
            self.must(verdict, "GC")
        self.expect_clean(verdict, f"the {recovery} after it")
        if self.scene.kept() != self.api_without:
            verdict.problems.append(f"the {recovery} after it leaves in the API: {self.scene.kept()}")
        if not self.scene.is_all_told():  # the next pod's ADD tells them
            self.must(verdict, "ADD")
            self.must(verdict, "DEL")
        if not self.scene.is_all_told():
            verdict.problems.append(f"Events stay in the spool: {self.scene.spooled()}")

    def _is_as_without(self) -> bool:
        return self.audit.is_clean() and self.scene.kept() == self.api_without

    def _expect_attached(self, verdict: Verdict) -> None:
        self.expect_attached(verdict, "an ADD")
        pods = [entry["podref"] for pool in self.scene.kept()[0].values() for entry in pool.values()]
        if sorted(pods) != sorted(self.scene.podrefs()):
            verdict.problems.append(f"the pool has {self.scene.kept()}")

    def _expect_nothing_but_open_work(self, verdict: Verdict) -> None:
        """What the API could not be told may be on the journal, and nothing else may be left."""
        if self.audit.is_clean():
            return
        may_stay: tuple[str, ...] = ("/whereabouts/journal",)
        if NOT_TAKEN_BACK in verdict.said:  # what it tells of is on record, too
            may_stay += ("multus/journal",)
        left = {name: value for name, value in self.audit.left().items() if not any(each in name for each in may_stay)}
        verdict.found(f"{verdict.case.split()[0]} leaves", left)

    def _calls_of(self, verb: str) -> list[Call]:
        """What an undisturbed one asks of the API, until it has answered."""
        self.bring(attached=verb != "ADD")
        self.scene.is_all_told()
        before = len(self.scene.road.calls)
        assert self.scene.ask(verb).status == 0
        self.attached = verb in ("ADD", "CHECK")
        self.scene.is_all_told()
        return self.scene.road.calls[before:]

    def _disturbed(self, verb: str, number: int, kind: str, times: int) -> Ended:
        road, over = self.scene.road, threading.Event()
        assert self.scene.is_all_told()
        what = self._what(kind, over)
        disturbance = Disturbance(skip=number, times=times, **what)
        road.doubled = disturbance if kind == "doubled" else None
        road.disturbances.append(disturbance)
        if kind == "refused" and times < 0:
            road.close()
        try:
            return self.scene.ask(verb)
        finally:
            over.set()
            road.disturbances.remove(disturbance)
            if kind == "refused" and times < 0:
                road.open()
            else:
                road.cut()

    def _what(self, kind: str, over: threading.Event) -> dict[str, Any]:
        """What the road does."""
        road = self.scene.road

        def hold(call: Call) -> None:
            road.replay(call)
            over.wait(HELD)

        special: dict[str, dict[str, Any]] = {
            "refused": {"cut": True},
            "reset": {"cut": True},
            "lost": {"lose": True},
            "held": {"before": hold, "cut": True},
            "cut": {"truncate": 20},
            "twice": {"before": road.replay},
            "doubled": {},
        }
        return special.get(kind) or ({"answer": ANSWERS[kind]} if kind in ANSWERS else {})


def on(server: Address, program: Path) -> Callable[[], ApiBench]:
    """What makes such a bench."""
    return lambda: ApiBench(program, None, server)
