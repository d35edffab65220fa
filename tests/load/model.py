"""What a runtime asks for, by chance, and what must be there then: each pod is attached, not attached, or either.

It keeps a runtime's rules: whoever was killed is asked to DEL, once more where that was killed; a pod gets another ADD
only after a DEL that succeeded; GC is told of all pods that are attached or being attached.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

from tests.load.site import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.load.site import Ended
    from tests.node import Pod

ABSENT, LIVE, UNSURE = "absent", "live", "unsure"
"""UNSURE is who was killed in the middle: only DEL or GC may follow."""

FILL = {ABSENT: {"ADD": 9, "DEL": 1}, LIVE: {"CHECK": 12, "DEL": 1}, UNSURE: {"DEL": 1}}
CHURN = {ABSENT: {"ADD": 8, "DEL": 1}, LIVE: {"CHECK": 4, "DEL": 4, "CHECK DEL": 1, "DEL DEL": 1}, UNSURE: {"DEL": 1}}
DRAIN = {ABSENT: {"DEL": 1}, LIVE: {"DEL": 8, "CHECK": 2, "DEL DEL": 1}, UNSURE: {"DEL": 1}}
"""What is asked of a pod in each state, and how often; of two verbs at once, both are under way together."""

GARBAGE = 0.5
"""The share of bursts in which a GC is."""
KILLED = 0.02
"""The share of requests that are killed, somewhere in the CPU time that such requests take."""
SIGPROF = 27


class Model:
    """The state of all pods, what was asked of them, and every answer that was none of those that may come."""

    def __init__(self, pods: Sequence[Pod], scarce: int, seed: int, killed: float = KILLED) -> None:
        self.pods = {pod.container_id: pod for pod in pods}
        self.state = dict.fromkeys(self.pods, ABSENT)
        self.scarce = scarce
        self.chance = random.Random(seed)
        self.killed = killed
        self.violations: list[str] = []
        self.tried: Counter[str] = Counter()
        self.held: Counter[tuple[str, str]] = Counter()
        self.slowest: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self.peak: dict[str, int] = {}

    def pods_that_are(self, *states: str) -> list[Pod]:
        """In one of these states."""
        return [self.pods[name] for name, state in self.state.items() if state in states]

    def next(self, size: int, way: dict[str, dict[str, int]]) -> list[Request]:
        """A burst of about this size."""
        requests: list[Request] = []
        rank = {name: self.chance.random() * (0.3 if state == ABSENT else 1) for name, state in self.state.items()}
        names = sorted(self.pods, key=lambda name: rank[name] if way is FILL else self.chance.random())
        with_garbage = self.chance.random() < GARBAGE
        for name in names:
            if len(requests) >= size - with_garbage:
                break
            if self.state[name] == UNSURE and with_garbage and self.chance.random() < 0.5:
                continue  # left to GC
            weights = way[self.state[name]]
            [verbs] = self.chance.choices(list(weights), list(weights.values()))
            requests += [Request(verb, self.pods[name]) for verb in verbs.split()]
        if with_garbage:
            begun = {each.pod.container_id for each in requests if each.pod and each.verb == "ADD"}
            valid = [pod for pod in self.pods.values() if self.state[pod.container_id] == LIVE]
            requests.append(Request("GC", valid=valid + [self.pods[name] for name in begun]))
        self.chance.shuffle(requests)
        for request in requests:
            if self.chance.random() < self.killed:
                request.killed_after = 0.001 + self.chance.random() * self.cpu.get(request.verb, 0.03)
        return requests

    def judge(self, requests: Sequence[Request], ended: Sequence[Ended]) -> None:
        """Hold the answers of a burst against what may come, and note who is attached now."""
        may_hold = len(self.pods_that_are(LIVE, UNSURE)) + sum(each.verb == "ADD" for each in requests)
        pairs = list(zip(requests, ended, strict=True))
        deleted = {each.pod.container_id for each in requests if each.pod and each.verb == "DEL"}
        for request, end in pairs:
            how = self._how(request, end, deleted, full=may_hold > self.scarce)
            self.tried[request.verb] += 1
            self.held[request.verb, how or "wrong"] += 1
            if not how:
                who = request.pod.container_id if request.pod else "all"
                self.violations.append(f"{request.verb} of {who}: {end.status} {end.stdout}{end.stderr}")
            self.slowest[request.verb] = max(self.slowest.get(request.verb, 0), end.seconds)
            self.peak[request.verb] = max(self.peak.get(request.verb, 0), end.peak)
            if how == "served":
                self.cpu[request.verb] = 0.9 * self.cpu.get(request.verb, end.cpu) + 0.1 * end.cpu
        asked = {request.pod.container_id for request in requests if request.pod}
        self.state |= dict(self._after(pairs, asked))

    def _how(self, request: Request, ended: Ended, deleted: set[str], *, full: bool) -> str:
        """What kind of an answer it is, "" where there may be no such answer."""
        if ended.status == -SIGPROF and request.killed_after:
            return "killed"
        if ended.status == 0:
            return "served"
        error = ended.error
        if request.verb == "ADD" and full and error.get("code") == 11 and "no IP addresses available" in error["msg"]:
            return "refused, no address left"
        if request.pod and request.verb == "CHECK" and request.pod.container_id in deleted:
            return "refused, deleted meanwhile" if error.get("code") == 102 else ""
        return ""

    def _after(self, pairs: list[tuple[Request, Ended]], asked: set[str]) -> Iterator[tuple[str, str]]:
        swept = any(request.verb == "GC" and ended.status == 0 for request, ended in pairs)
        if swept:
            yield from ((name, ABSENT) for name, state in self.state.items() if state == UNSURE and name not in asked)
        for name in sorted(asked):
            own = [(request.verb, end) for request, end in pairs if request.pod and request.pod.container_id == name]
            dels = [end.status == 0 for verb, end in own if verb == "DEL"]
            adds = [end.status for verb, end in own if verb == "ADD"]
            if dels:
                yield name, ABSENT if any(dels) else UNSURE
            elif adds:
                yield name, LIVE if adds[0] == 0 else UNSURE if adds[0] < 0 else ABSENT
