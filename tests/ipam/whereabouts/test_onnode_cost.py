"""What a request costs, whatever the store holds: system calls, syncs and imports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from ipam.whereabouts.onnode import NodeEngine
from tests.ipam.runtime import ROOT
from tests.leases import config, fill, holder
from tests.stepping import calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cni.addressing import Cidr

TAKEN = 60_000
POOLS = ("10.1.0.0/16", "2001:db8::/64")

REQUEST = """
import sys
from ipam.whereabouts.onnode import NodeEngine
from tests.leases import config, holder
engine = NodeEngine(sys.argv[1])
if sys.argv[2] == "ADD":
    engine.acquire(config("10.0.0.0/24", data_dir=sys.argv[1]), holder(sys.argv[3]))
else:
    engine.release(holder(sys.argv[3]).attachment)
"""


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory, where so many files are made and gone again in a second."""
    with TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


class Costs:
    """The system calls of requests to a store with so many addresses taken."""

    def __init__(self, directory: Path, taken: int, **keys: Any) -> None:
        self.asked = config(*POOLS, data_dir=directory, **keys)
        fill(directory, self.asked, taken)
        self.engine = NodeEngine(str(directory))
        self.acquire("first")
        self.given = self.acquire("a")
        self.release()

    def acquire(self, pod: str = "a", container: str = "") -> list[Cidr]:
        return self.engine.acquire(self.asked, holder(pod, container))

    def release(self) -> bool:
        return self.engine.release(holder("a").attachment)

    def of_each_request(self) -> list[int]:
        """ADD, the same again, CHECK, another sandbox, its DEL, that again, and STATUS."""
        another = holder("a", "a-2").attachment
        return [
            calls(self.acquire),
            calls(self.acquire),
            calls(lambda: self.engine.verify(self.asked, holder("a"), self.given)),
            calls(lambda: self.acquire("a", "a-2")),
            calls(lambda: self.engine.release(another)),
            calls(lambda: self.engine.release(another)),
            calls(lambda: self.engine.why_not_available(self.asked)),
        ]


@pytest.mark.parametrize("keys", [{}, {"policy": "next"}, {"policy": "spread"}, {"cool_down": 60.0}], ids=str)
def test_a_large_pool_costs_no_more_than_an_empty_one(memory: Path, keys: dict[str, Any]) -> None:
    small = Costs(memory / "small", 0, **keys).of_each_request()
    large = Costs(memory / "large", TAKEN, **keys).of_each_request()
    assert all(more <= less + 6 for less, more in zip(small, large, strict=True)), (small, large)
    assert max(large) < 160, large


def traced(directory: Path, verb: str, pod: str, log: Path) -> list[str]:
    """What one request makes, removes and syncs, in order: `symlink address`, `fsync lease` ..."""
    command = [sys.executable, "-B", "-c", REQUEST, str(directory), verb, pod]
    trace = ["strace", "-y", "-o", str(log), "-e", "trace=symlink,rename,unlink,fsync"]
    subprocess.run([*trace, *command], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    found = []
    for line in log.read_text().splitlines():
        about = re.findall(rf"{directory}/(\w+)", line)
        if about:
            found.append(f"{line.partition('(')[0]} {about[-1]}")
    return found


@pytest.mark.parametrize("ordered", [True, False])
def test_what_is_synced_and_when(tmp_path: Path, ordered: bool) -> None:
    """One sync makes durable what was done before it where the disk is such; else each step waits for the former."""
    directory = tmp_path / "leases"
    engine = NodeEngine(str(directory))
    for at in range(16):  # makes the directories
        engine.acquire(config("10.0.0.0/24", data_dir=directory), holder("first", f"first-{at}"))
    engine.acquire(config("10.0.0.0/24", data_dir=directory), holder("a"))
    engine.release(holder("a").attachment)
    meta = json.loads((directory / "meta").read_text())
    (directory / "meta").write_text(json.dumps({**meta, "ordered": ordered}))
    add, delete = (traced(directory, verb, "a", tmp_path / "log") for verb in ("ADD", "DEL"))
    if ordered:
        assert add == ["symlink attachment", "fsync lease", "rename lease", "symlink address", "fsync address"]
        assert delete == ["unlink address", "unlink lease", "unlink attachment", "fsync attachment"]
    else:
        assert add == [
            "symlink attachment",
            "fsync lease",
            "rename lease",
            "fsync lease",
            "fsync attachment",
            "symlink address",
            "fsync address",
        ]
        assert delete == [
            "unlink address",
            "fsync address",
            "unlink lease",
            "fsync lease",
            "unlink attachment",
            "fsync attachment",
        ]


def test_a_delete_loads_nothing_of_what_only_an_add_needs() -> None:
    program = """
import sys
from cni_multus.cni.request import Attachment
from ipam.whereabouts.onnode import NodeEngine
from cni_multus.state.leases.lease import Holder
NodeEngine(sys.argv[1]).release(Attachment("blue", "a-1", "net1"))
print(*sys.modules)
"""
    with TemporaryDirectory() as directory:
        NodeEngine(directory).acquire(config("10.0.0.0/24", data_dir=Path(directory)), holder("a"))
        command = [sys.executable, "-B", "-c", program, directory]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split()
    ours = {name.removeprefix("cni_multus.state.") for name in told if name.startswith(("ipam.", "cni_multus.state."))}
    assert ours == {
        "blocks",
        "files",
        "leases",
        *(f"leases.{name}" for name in ("change", "clock", "hint", "layout", "lease", "links", "meta", "names")),
        *(f"leases.{name}" for name in ("record", "store")),
        "lock",
        "ipam.whereabouts",
        "ipam.whereabouts.engine",
        "ipam.whereabouts.onnode",
    }
    assert not {"re", "json", "typing", "hashlib", "dataclasses", "socket", "logging"} & set(told)
