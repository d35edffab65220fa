"""The steps of one request and their milliseconds: the interpreter tells when a function that is listed here is called.

Nothing of the request path knows of it, or pays for it; the request that is looked at is a little slower by it. What
runs in a thread of its own (programs side by side) is one step, that of waiting for it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    Label = Callable[[dict[str, Any]], str]


@dataclass(slots=True)
class Step:
    """A call: how deep in others it was, what it was for, when it began and how long it took, in milliseconds."""

    depth: int
    part: str
    what: str
    at: float
    ms: float = 0.0


def _plugin(values: dict[str, Any]) -> str:
    request = values["request"]
    return f"plugin {_type(request.config)} for {request.ifname}"


def _ipam(values: dict[str, Any]) -> str:
    return f"IPAM {_type(values['request'].config.section('ipam'))}"


def _type(section: Any) -> str:
    return str(section.raw.get("type", ""))


LISTED: dict[tuple[str, str], tuple[str, Label]] = {
    ("cni_multus.registry", "load"): ("own", lambda values: f"load {values['kind']}"),
    ("cni_multus.multus.settings", "Settings.__init__"): ("own", lambda _: "read the configuration"),
    ("cni_multus.multus.adding", "Adding._decide"): ("own", lambda _: "decide which networks, and how"),
    ("cni_multus.multus.plan", "require_programs"): ("own", lambda _: "look whether every plugin is there"),
    ("cni_multus.multus.plan", "refuse_taken_names"): ("own", lambda _: "look whether the names are free"),
    ("cni_multus.multus.attach", "_Work.run"): ("own", lambda values: f"attach {values['self'].planned.ifname}"),
    ("cni_multus.multus.attach", "_Work.wait"): (
        "programs",
        lambda values: f"wait for {values['self'].planned.ifname}",
    ),
    ("cni_multus.multus.adding", "Adding._publish"): ("own", lambda _: "write network-status"),
    ("cni_multus.multus.detach", "detach"): ("own", lambda _: "detach what is on record"),
    ("cni_multus.plugin.interface", "InterfacePlugin.add"): ("own", _plugin),
    ("cni_multus.plugin.interface", "InterfacePlugin.delete"): ("own", _plugin),
    ("cni_multus.plugin.chained", "ChainedPlugin.add"): ("own", _plugin),
    ("cni_multus.plugin.chained", "ChainedPlugin.delete"): ("own", _plugin),
    ("cni_multus.plugin.ipam", "IpamPlugin.add"): ("ipam", _ipam),
    ("cni_multus.plugin.ipam", "IpamPlugin.delete"): ("ipam", _ipam),
    ("cni_multus.delegate", "Program._call"): (
        "programs",
        lambda values: f"execute {values['self'].path} {values['verb']}",
    ),
    ("cni_multus.kube.client", "Client._perform"): (
        "api",
        lambda values: f"API: {values['call'].verb} {values['call'].path}",
    ),
    ("cni_multus.state.journal", "Journal.write"): ("disk", lambda _: "journal: write the record"),
    ("cni_multus.state.journal", "Journal.remove"): ("disk", lambda _: "journal: empty the record"),
    ("cni_multus.state.journal", "Journal.find"): ("disk", lambda _: "journal: read the record"),
    ("cni_multus.state.lock", "Lock._wait_for"): ("waiting", lambda _: "take a lock"),
    ("cni_multus.linux.netlink", "Socket._exchange"): (
        "kernel",
        lambda values: (
            f"kernel: {_done(values['pairs'][0][1])}"
            + (f" and {len(values['pairs']) - 1} more" if len(values["pairs"]) > 1 else "")
        ),
    ),
    ("cni_multus.linux.netlink", "Socket._dump_once"): (
        "kernel",
        lambda values: f"kernel: {_done(values['attempt'])}",
    ),
    ("cni_multus.linux.netlink", "Socket.transaction"): (
        "kernel",
        lambda values: f"kernel: {_done(values['messages'][0][1])}, {len(values['messages'])} at once",
    ),
}
"""Module and function -> the part that its own time is of, and how it is told from the function's arguments."""


def _done(attempt: str) -> str:
    """What is attempted, of how a failure of it would be told."""
    return attempt.removeprefix("cannot ")


class Steps:
    """`with Steps() as steps:` the steps of what this thread does."""

    def __init__(self) -> None:
        self.found: list[Step] = []
        self._open: list[tuple[CodeType, Step]] = []
        self._known: dict[CodeType, tuple[str, Label] | None] = {}
        self._begun = 0.0

    def __enter__(self) -> Steps:
        self._begun = time.perf_counter()
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        while self._open:
            self._end()

    def _profile(self, frame: FrameType, event: str, value: object) -> None:
        if event not in ("call", "return"):
            return
        code = frame.f_code
        if code in self._known:
            listed = self._known[code]
        else:
            listed = self._known[code] = LISTED.get((frame.f_globals.get("__name__", ""), code.co_qualname))
        if listed is None:
            return
        if event == "call":
            step = Step(len(self._open), listed[0], _told(listed[1], frame), self._now())
            self.found.append(step)
            self._open.append((code, step))
        elif self._open and self._open[-1][0] is code:
            self._end()  # also where it raised

    def _end(self) -> None:
        _, step = self._open.pop()
        step.ms = self._now() - step.at

    def _now(self) -> float:
        return (time.perf_counter() - self._begun) * 1000


def _told(label: Label, frame: FrameType) -> str:
    try:
        return label(frame.f_locals)
    except (KeyError, AttributeError, IndexError, TypeError):
        return frame.f_code.co_qualname


def own_times(steps: list[Step], whole: float) -> dict[str, float]:
    """The milliseconds of each part: of every step its own, without those of the steps within; the rest is "own"."""
    times = {"own": whole}
    above: list[Step] = []
    for step in steps:
        del above[step.depth :]
        times[step.part] = times.get(step.part, 0.0) + step.ms
        outer = above[-1].part if above else "own"
        times[outer] = times.get(outer, 0.0) - step.ms
        above.append(step)
    return {part: max(0.0, round(ms, 1)) for part, ms in times.items()}
