"""Many requests at once: each is a process of its own, and none of them is large, however many there are."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench.rows.memory import BUDGET
from tests.binary.calls import ask
from tests.node import Pod
from tools.build import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

MANY = 200
SPAWN = ROOT / "bench" / "spawn.py"
"""Runs a program, and prints the peak of its memory in KiB in the place of what it says."""


def test_two_hundred_requests_at_once_are_small(node: Node, netns: Callable[[str], str]) -> None:
    pods = [Pod(netns(f"pod-{number}"), f"pod-{number}") for number in range(MANY)]
    config = node.config(node.bridge(subnet="10.1.0.0/16"), node.macvlan("red", "10.2.0.0/16"))
    spawn = (sys.executable, "-I", "-S", str(SPAWN))
    with ThreadPoolExecutor(MANY) as together:
        peaks = list(together.map(lambda pod: int(ask(node, pod, "ADD", config, *spawn).succeeded().stdout), pods))
    assert max(peaks) / 1024 < BUDGET
    for network in ("primary", "red"):
        assert len(set(node.reserved(network).values())) == MANY
    ask(node, None, "GC", {**config, "cni.dev/valid-attachments": []}).succeeded()
    assert node.remains(*pods) == {}
