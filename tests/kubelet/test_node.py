"""The node itself: what is taken for granted by all who use it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cri.enclosure import CGROUPS
from tests.kubelet.node import until

if TYPE_CHECKING:
    from tests.kubelet.node import KubeNode


def test_a_node_whose_keeper_is_killed_leaves_nothing(second_node: KubeNode) -> None:
    cgroup = json.loads((second_node.directory / "kubelet.json").read_text())["cgroupRoot"].removeprefix("/")
    first = Path(f"/proc/{second_node.inside.pid}")
    os.kill(keeper_of(second_node.directory), signal.SIGKILL)
    until(lambda: not first.exists(), lambda: "its processes live on")
    until(lambda: not list(CGROUPS.glob(f"*/{cgroup}")), lambda: f"the cgroup {cgroup} is still there")


def keeper_of(directory: Path) -> int:
    """The process that keeps the node of this directory."""
    [found] = [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if words(process)[1:4] == ["-m", "tests.kubelet.keeper", str(directory)]
    ]
    return found


def words(process: Path) -> list[str]:
    """A process's command line; none of one that is gone."""
    try:
        return (process / "cmdline").read_text().split("\0")
    except OSError:
        return []
