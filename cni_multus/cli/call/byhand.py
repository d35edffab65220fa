"""What cnitool's engine does for a network of a directory, for one that is given; each plugin's time is taken."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from cni_multus import spent
from cni_multus.cli.runtime import Runtime
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.delegate import Program
from cni_multus.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.request import Request
    from cni_multus.cni.verbs import Plugin
    from cni_multus.state.libcni_cache import Entry

BUILT_IN = "built in"
VERBS = {"add": "ADD", "delete": "DEL", "check": "CHECK", "status": "STATUS", "collect_garbage": "GC"}


@dataclass
class Took:
    """One call of one plugin: milliseconds, and of those what was spent on others."""

    verb: str
    kind: str
    where: str
    milliseconds: float
    parts: dict[str, float] = field(default_factory=dict)
    failed: str = ""

    def to_json(self) -> dict[str, object]:
        """One member each."""
        return {
            "verb": self.verb,
            "type": self.kind,
            "program": self.where,
            "ms": self.milliseconds,
            "parts": self.parts,
            **({"failed": self.failed} if self.failed else {}),
        }


class Timed(Network):
    """A network that notes in `steps` how long each of its plugins took."""

    __slots__ = ("steps",)

    def __init__(self, network: Network, steps: list[Took]) -> None:
        super().__init__(Section(network.raw), name=network.name, version=network.version)
        self.programs_first = network.programs_first
        self.steps = steps

    def _find(self, section: Section, request: Request) -> Plugin:
        plugin = super()._find(section, request)
        where = plugin.path if isinstance(plugin, Program) else BUILT_IN
        for method, verb in VERBS.items():
            took = Took(verb, section.text("type"), where, 0.0)
            setattr(plugin, method, partial(self._measure, getattr(plugin, method), took))
        return plugin

    def _measure(self, work: Callable[[Request], Any], took: Took, request: Request) -> Any:
        begun, before = time.monotonic(), spent.so_far()
        self.steps.append(took)
        try:
            return work(request)
        except CniError as error:
            took.failed = error.message
            raise
        finally:
            took.milliseconds = _milliseconds(time.monotonic() - begun)
            parts = {part: _milliseconds(now - before[part]) for part, now in spent.so_far().items()}
            took.parts = {part: ms for part, ms in parts.items() if ms}


@dataclass(frozen=True)
class ByHand(Runtime):
    """A runtime that knows one network."""

    network: Timed

    def _configured(self, name: str) -> Network:
        return self.network

    def _attached_with(self, name: str, entry: Entry | None) -> Network:
        found = super()._attached_with(name, entry)
        if found is self.network:
            return found
        found.programs_first = self.network.programs_first
        return Timed(found, self.network.steps)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
