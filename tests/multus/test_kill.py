"""The built program killed before each system call that changes something: the next request makes good."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.killing import Killer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

pytestmark = pytest.mark.timeout(300)


def three(node: Node) -> dict[str, Any]:
    return node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue", "10.3.0.0/24"))


def nothing_is_left(node: Node, pod: Pod) -> bool:
    strange = [name for name, kind in node.links().items() if (name, kind) != ("cni0", "bridge")]
    return node.remains(pod) == {} and strange == []


def refresh(node: Node) -> None:
    """As if nothing had ever been attached: no bridge, no directories."""
    subprocess.run(
        ["nsenter", f"--net={node.host.path}", "ip", "link", "del", "cni0"], capture_output=True, check=False
    )
    for directory in (node.cni_dir, node.addresses):
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def killer(node: Node, pod: Pod) -> Killer:
    return Killer(node, pod, three(node))


def first_points(killer: Killer, log: Path) -> list[str]:
    """Those of an ADD on a new node, where it had the least to wait for: whoever waits looks again and again."""
    found = []
    for _ in range(3):
        refresh(killer.node)
        found.append(killer.points("ADD", log))
        killer.node.call("DEL", killer.config, killer.pod).succeeded()
    return min(found, key=len)


def add_points(killer: Killer, log: Path) -> list[str]:
    """Those of an ADD on a node that has had one before."""
    killer.points("ADD", log)
    killer.node.call("DEL", killer.config, killer.pod).succeeded()
    found = killer.points("ADD", log)
    killer.node.call("DEL", killer.config, killer.pod).succeeded()
    return found


def test_after_a_killed_add_a_del_leaves_nothing(node: Node, pod: Pod, killer: Killer, tmp_path: Path) -> None:
    kills = first_points(killer, tmp_path / "log")
    killed = 0
    for point in kills:
        refresh(node)
        killed += killer.kill("ADD", point)
        node.call("DEL", three(node), pod).succeeded()
        assert nothing_is_left(node, pod), (point, node.remains(pod))
    assert killed > len(kills) * 0.4  # a busy machine makes more calls the first time, as it waits


def test_after_a_killed_add_the_next_one_works(node: Node, pod: Pod, killer: Killer, tmp_path: Path) -> None:
    """Unless all was attached, and only the runtime was not told: then the specification asks for a DEL first."""
    refused = 0
    for point in add_points(killer, tmp_path / "log")[::2]:
        if killer.kill("ADD", point):
            answer = node.call("ADD", three(node), pod)
            refused += answer.status
            assert answer.status == 0 or "attached already" in answer.failed(4), point
        node.call("CHECK", three(node), pod).succeeded()
        node.call("DEL", three(node), pod).succeeded()
        assert nothing_is_left(node, pod), (point, node.remains(pod))
    assert refused < 4


def test_after_a_killed_add_gc_leaves_nothing(node: Node, pod: Pod, killer: Killer, tmp_path: Path) -> None:
    for point in add_points(killer, tmp_path / "log")[1::2]:
        killer.kill("ADD", point)
        node.call("GC", {**three(node), "cni.dev/valid-attachments": []}).succeeded()
        assert nothing_is_left(node, pod), (point, node.remains(pod))


def test_after_a_killed_del_another_one_leaves_nothing(node: Node, pod: Pod, killer: Killer, tmp_path: Path) -> None:
    node.call("ADD", three(node), pod).succeeded()
    for point in killer.points("DEL", tmp_path / "log"):
        node.call("ADD", three(node), pod).succeeded()
        killer.kill("DEL", point)
        node.call("DEL", three(node), pod).succeeded()
        assert nothing_is_left(node, pod), (point, node.remains(pod))
