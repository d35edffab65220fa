"""What a fuzz target is: one input of the program, and what holds whatever stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CORPUS = Path(__file__).parent / "corpus"
WORK = Path(__file__).parent.parent.parent / ".cache" / "fuzz"
"""What is found, and what is wrong: a directory for each target."""

MODULES = {
    "stdin": "protocol",
    "environment": "protocol",
    "prevresult": "protocol",
    "plugins": "plugins",
    "annotation": "definitions",
    "definition": "definitions",
    "manifests": "definitions",
    "conflist": "definitions",
    "multusconf": "definitions",
    "journal": "records",
    "libcnicache": "records",
    "goscratch": "records",
    "backups": "records",
    "undoing": "undoing",
    "eventspool": "records",
    "checkpoint": "records",
    "deviceinfo_file": "records",
    "hostlocal": "stores",
    "leases": "stores",
    "clusterjournal": "stores",
    "pools": "stores",
    "flatfile": "stores",
    "kubeconfig": "api",
    "http": "api",
    "objects": "api",
    "execcredential": "api",
    "netlink": "kernel",
    "iptables": "kernel",
    "podresources": "kubelet",
    "protobuf": "kubelet",
    "hpack": "kubelet",
    "delegate": "delegates",
    "receipt": "node",
    "primary": "node",
}
"""Target -> the module of `tests/fuzz/targets` that has it."""


@dataclass(frozen=True)
class Target:
    """`attempt` takes any bytes; what it raises is a violation, but for a CniError with one of `codes`."""

    name: str
    attempt: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    codes: frozenset[int]
    words: tuple[str, ...] = ()
    """What to put where a text stands, besides what the seeds have."""

    @property
    def corpus(self) -> Path:
        """Where the inputs are that were worth keeping, a file each."""
        return CORPUS / self.name

    def kept(self) -> list[bytes]:
        """Those inputs."""
        return [path.read_bytes() for path in sorted(self.corpus.glob("*"))]


_known: dict[str, Target] = {}


def target(
    *codes: int, seeds: Callable[[], Iterable[bytes]], words: tuple[str, ...] = ()
) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """Make a target of a function, which has its name."""

    def make(attempt: Callable[[bytes], None]) -> Callable[[bytes], None]:
        _known[attempt.__name__] = Target(attempt.__name__, attempt, seeds, frozenset(codes), words)
        return attempt

    return make


def find(name: str) -> Target:
    """The target of that name."""
    import_module(f"tests.fuzz.targets.{MODULES.get(name, 'planted')}")
    return _known[name]
