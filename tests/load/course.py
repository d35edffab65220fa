"""The course of a load: pods come, come and go, and go, in bursts; audits when all is quiet, and what requests need.

What a request needs is measured on the pods that are not attached, or on one that is: the most files that it has open
at a time (the smallest limit under which it succeeds), the most memory, and its time when it is alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.load.model import ABSENT, CHURN, DRAIN, FILL, LIVE, UNSURE, Model
from tests.load.site import FILES, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.load.audit import Audit
    from tests.load.site import Ended, Site

BURST = 64
VERBS = ("ADD", "CHECK", "DEL", "GC")
MOST = 200
"""Bursts in which the pods that are wanted must have come, or gone."""


class Needs:
    """Of each verb: how many files it has open at most, its peak memory in KiB, and its seconds alone."""

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.peak: dict[str, int] = {}
        self.seconds: dict[str, float] = {}


class Course:
    """One load of a site, and all that was wrong."""

    def __init__(self, site: Site, audit: Audit, seed: int, told: Callable[[str], object] = str) -> None:
        self.site = site
        self.audit = audit
        self.model = Model(site.pods, site.scarce, seed)
        self.violations: list[str] = []
        self.most = 0
        self.told = told
        self.needs: dict[int, Needs] = {}

    def run(self, few: int, many: int, churns: int) -> None:
        """Attach some, measure, attach many, let them come and go, measure, detach all; audits in between."""
        self._until(few)
        self.measure()
        self._until(self.site.scarce)
        self.quiet()
        for _ in range(churns):
            self.burst(CHURN)
        self._until(many)
        self.measure()
        self.drain()

    def drain(self) -> None:
        """Detach all of them, once more whoever is detached, and look whether all is as before."""
        for _ in range(MOST):
            if not self.model.pods_that_are(LIVE):
                break
            self.burst(DRAIN)
        self.quiet()
        for at in range(0, len(self.site.pods), BURST):
            self.ask([Request("DEL", pod) for pod in self.site.pods[at : at + BURST]])
        self.ask([Request("GC")])
        self.violations += [f"in the end: {each}" for each in self.audit.after()]

    def burst(self, way: dict[str, dict[str, int]]) -> None:
        """One of them."""
        self.ask(self.model.next(BURST, way))

    def ask(self, requests: list[Request]) -> list[Ended]:
        """All of these at once."""
        ended = self.site.burst(requests)
        wrong = len(self.model.violations)
        self.model.judge(requests, ended)
        self.violations += self.model.violations[wrong:]
        for violation in self.model.violations[wrong:]:
            self.told(violation)
        live = len(self.model.pods_that_are(LIVE))
        self.most = max(self.most, live)
        slowest = max((end.seconds for end in ended), default=0)
        self.told(f"{len(requests)} requests, the slowest {slowest:.1f} s; {live} pods, {len(self.violations)} wrong")
        return ended

    def quiet(self) -> None:
        """Detach who was killed in the middle, and look whether just the others' things are there."""
        while unsure := self.model.pods_that_are(UNSURE):
            self.ask([Request("DEL", pod) for pod in unsure[:BURST]])
        live = self.model.pods_that_are(LIVE)
        self.violations += [f"with {len(live)} pods: {each}" for each in self.audit.between(live)]

    def measure(self) -> None:
        """What requests need with as many pods as there are."""
        self.quiet()
        live, pod = self.model.pods_that_are(LIVE), self.model.pods_that_are(ABSENT)[0]
        found = self.needs[len(live)] = Needs()
        for verb in VERBS:
            low, high = 3, FILES
            while high - low > 1:
                self._prepare(verb)
                request = self._request(verb)
                request.files = (low + high) // 2
                [ended] = self.site.burst([request])
                low, high = (low, request.files) if ended.status == 0 else (request.files, high)
                self.site.ask("DEL", pod)
            found.files[verb] = high
            for _ in range(3):
                self._prepare(verb)
                [ended] = self.site.burst([self._request(verb)])
                if ended.status:
                    self.violations.append(f"{verb} alone: {ended.stdout}")
                found.peak[verb] = max(found.peak.get(verb, 0), ended.peak)
                found.seconds[verb] = max(found.seconds.get(verb, 0), ended.seconds)
                self.site.ask("DEL", pod)

    def _request(self, verb: str) -> Request:
        live, pod = self.model.pods_that_are(LIVE), self.model.pods_that_are(ABSENT)[0]
        return Request(verb, valid=live) if verb == "GC" else Request(verb, pod)

    def _prepare(self, verb: str) -> None:
        if verb != "ADD":
            self.site.ask("ADD", self.model.pods_that_are(ABSENT)[0])

    def _until(self, many: int) -> None:
        for _ in range(MOST):
            missing = many - len(self.model.pods_that_are(LIVE))
            if missing <= 0:
                return
            self.ask(self.model.next(min(BURST, missing + 4), FILL))
        self.violations.append(f"{many} pods were never attached")
