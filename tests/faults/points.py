"""Where and how a request can be disturbed: a verb, one of its calls, a fault, and who puts things right after it.

A point is written `ADD/openat/57/EIO/DEL`: the 57th openat of an ADD fails with EIO, and a DEL follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tests.faults.inject import KILL, NETLINK, Fault
from tests.faults.syscalls import errors_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.inject import Call

T = TypeVar("T")
RECOVERIES = {"ADD": ("DEL", "ADD", "GC"), "DEL": ("DEL", "GC", "ADD"), "GC": ("GC", "DEL", "ADD"), "CHECK": ("DEL",)}
"""What follows a disturbed verb, in turn."""
VERBS = tuple(RECOVERIES)

REFUSALS = ("ENOMEM", "EBUSY")
"""What the kernel may say to any netlink request."""
START, REQUEST, ANSWER = "start", "request", "answer"
"""Phases: before it reads the request, from there on, and the answer's own write, which nobody can be told of."""


class Point:
    """One disturbance; `phase` says when it comes."""

    __slots__ = ("fault", "phase", "recovery", "verb")

    def __init__(self, verb: str, fault: Fault, recovery: str, phase: str = REQUEST) -> None:
        self.verb = verb
        self.fault = fault
        self.recovery = recovery
        self.phase = phase

    def __str__(self) -> str:
        return f"{self.verb}/{self.fault.name}/{self.fault.number}/{self.fault.kind}/{self.recovery}"

    @classmethod
    def parse(cls, text: str, phase: str = REQUEST) -> Point:
        """The inverse of str()."""
        verb, name, number, kind, recovery = text.split("/")
        return cls(verb, Fault(name, int(number), kind), recovery, phase)

    @property
    def kills(self) -> bool:
        """Whether the process does not live to tell."""
        return self.fault.kind == KILL


def points_of(verb: str, calls: Sequence[Call]) -> list[Point]:
    """Every call killed, and with every error that it may have; those who put things right take turns."""
    found = []
    recoveries = RECOVERIES[verb]
    phases = list(_phases(calls))
    for at, (call, phase) in enumerate(zip(calls, phases, strict=True)):
        faults = [(call.name, kind) for kind in (KILL, *errors_of(call))]
        if call.name == "sendto" and call.about.startswith("socket:"):
            faults += [(NETLINK, kind) for kind in REFUSALS]
        for turn, (name, kind) in enumerate(faults):
            recovery = recoveries[(at + turn) % len(recoveries)]
            found.append(Point(verb, Fault(name, call.number, kind, call.of), recovery, phase))
    return found


def _phases(calls: Iterable[Call]) -> Iterable[str]:
    phase = START
    for call in calls:
        if call.name == "read" and call.arguments[0] == 0:
            phase = REQUEST
        yield ANSWER if call.name == "write" and call.arguments[0] == 1 else phase


def spread(things: Sequence[T], number: int) -> list[T]:
    """At most so many of them, at equal distances."""
    number = min(number, len(things))
    return [things[at * len(things) // number] for at in range(number)]


def shuffled(points: Sequence[Point]) -> list[Point]:
    """All of them, always in the same order, of which any beginning is spread over the whole."""
    step = next(
        step for step in range(len(points) * 618 // 1000 + 1, 2 * len(points) + 2) if _coprime(step, len(points))
    )
    return [points[at * step % len(points)] for at in range(len(points))]


def _coprime(one: int, other: int) -> bool:
    while other:
        one, other = other, one % other
    return one == 1


def slice_of(points: Sequence[Point], number: int) -> list[Point]:
    """Some of them, always the same: each call by its name with each of its faults, then others at equal distances."""
    early = [point for point in points if point.phase == START]
    later = [point for point in points if point.phase == REQUEST]
    chosen = {str(point): point for point in points if point.phase == ANSWER}
    chosen |= {str(point): point for point in spread(early, number // 10)}
    kinds: dict[tuple[str, str], list[Point]] = {}
    for point in later:
        kinds.setdefault((point.fault.name, point.fault.kind), []).append(point)
    for at, same in enumerate(kinds.values()):
        point = same[at * 7919 % len(same)]  # not the first of each, which all are at the beginning
        chosen[str(point)] = point
    chosen |= {str(point): point for point in spread(later, max(0, number - len(chosen)))}
    return list(chosen.values())
