"""The built program killed before each system call that changes something: the next request makes good."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

CHANGES = "mkdir,openat,write,link,rename,unlink,utimensat,ftruncate,flock,fsync,fdatasync,socket,bind,setns,sendto"
CALL = re.compile(r"^\d+ +(\w+)\((.*)$", re.MULTILINE)
KILLED = (-9, 137)

pytestmark = pytest.mark.timeout(300)


def three(node: Node) -> dict[str, Any]:
    return node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue", "10.3.0.0/24"))


def traced(node: Node, pod: Pod, command: str, *options: str) -> int:
    """How the program ended under strace."""
    assert PROGRAM.exists(), "run `make build` first"
    return subprocess.run(
        ["nsenter", f"--net={node.host.path}", "strace", "-f", "-qq", "--seccomp-bpf", *options, PROGRAM],
        env=pod.environment(command, str(node.runtime_path)),
        input=json.dumps(three(node)).encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode


def points(node: Node, pod: Pod, command: str, log: Path) -> list[str]:
    """Every such call of a process that is not killed, as strace names it: the n-th of its kind."""
    assert traced(node, pod, command, "-o", str(log), "-e", f"trace={CHANGES}") == 0
    found = []
    count: dict[str, int] = {}
    for name, rest in CALL.findall(log.read_text()):
        count[name] = count.get(name, 0) + 1
        if name != "openat" or "O_CREAT" in rest or "O_TRUNC" in rest:
            found.append(f"{name}:signal=KILL:when={count[name]}")
    assert len(found) > 40
    return found


def kill(node: Node, pod: Pod, command: str, point: str) -> bool:
    """Kill it before that call; False where it came to its end before (a lock that was free this time)."""
    status = traced(node, pod, command, "-o", "/dev/null", "-e", f"inject={point}")
    assert status in (0, *KILLED), point
    return status in KILLED


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


def add_points(node: Node, pod: Pod, log: Path) -> list[str]:
    """Those of an ADD on a node that has had one before."""
    points(node, pod, "ADD", log)
    node.call("DEL", three(node), pod).succeeded()
    found = points(node, pod, "ADD", log)
    node.call("DEL", three(node), pod).succeeded()
    return found


def test_after_a_killed_add_a_del_leaves_nothing(node: Node, pod: Pod, tmp_path: Path) -> None:
    kills = points(node, pod, "ADD", tmp_path / "log")
    node.call("DEL", three(node), pod).succeeded()
    killed = 0
    for point in kills:
        refresh(node)
        killed += kill(node, pod, "ADD", point)
        node.call("DEL", three(node), pod).succeeded()
        assert nothing_is_left(node, pod), (point, node.remains(pod))
    assert killed > len(kills) * 0.9


def test_after_a_killed_add_the_next_one_works(node: Node, pod: Pod, tmp_path: Path) -> None:
    """Unless all was attached, and only the runtime was not told: then the specification asks for a DEL first."""
    refused = 0
    for point in add_points(node, pod, tmp_path / "log")[::2]:
        if kill(node, pod, "ADD", point):
            answer = node.call("ADD", three(node), pod)
            refused += answer.status
            assert answer.status == 0 or "attached already" in answer.failed(4), point
        node.call("CHECK", three(node), pod).succeeded()
        node.call("DEL", three(node), pod).succeeded()
        assert nothing_is_left(node, pod), (point, node.remains(pod))
    assert refused < 4


def test_after_a_killed_add_gc_leaves_nothing(node: Node, pod: Pod, tmp_path: Path) -> None:
    for point in add_points(node, pod, tmp_path / "log")[1::2]:
        kill(node, pod, "ADD", point)
        node.call("GC", {**three(node), "cni.dev/valid-attachments": []}).succeeded()
        assert nothing_is_left(node, pod), (point, node.remains(pod))


def test_after_a_killed_del_another_one_leaves_nothing(node: Node, pod: Pod, tmp_path: Path) -> None:
    node.call("ADD", three(node), pod).succeeded()
    for point in points(node, pod, "DEL", tmp_path / "log"):
        node.call("ADD", three(node), pod).succeeded()
        kill(node, pod, "DEL", point)
        node.call("DEL", three(node), pod).succeeded()
        assert nothing_is_left(node, pod), (point, node.remains(pod))
