"""ADD, DEL and GC killed before each system call that changes something, and around each that asks the API.

What is left can be worked with: the runtime's DEL, the pod's next ADD, or GC, and nothing is taken twice or lost.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ipam.whereabouts.cluster.nodes import Node, allocations, audit, reservations

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.cluster import Cluster

ROOT = Path(__file__).parents[4]
CHANGES = "mkdir,openat,write,symlink,link,rename,unlink,ftruncate,flock,fsync,fdatasync,connect,sendto,recvfrom,read"
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$", re.MULTILINE)
KILLED = (-9, 137)
SETTLE = 1.0

pytestmark = pytest.mark.timeout(600)


class Crew:
    """As many nodes as are wanted, each with a range of its own, and a pod that has an address already."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._kubeconfig = cluster.kubeconfig(style="json")
        self._directory = directory
        self.nodes: list[Node] = []

    def node(self) -> Node:
        number = len(self.nodes)
        ranges = (f"10.{number}.0.0/24",)
        node = Node(self._directory / str(number), self._kubeconfig, ranges, f"node{number}", settle=SETTLE)
        self.nodes.append(node)
        return node


def prepared(node: Node, verb: str) -> None:
    """As it is before the process that is killed."""
    node.add("first.1", pod="default/first", uid="uid")
    if verb != "add":
        node.add("pod.1", pod="default/pod", uid="uid")


def target(verb: str) -> str:
    return "first.1" if verb == "collect" else "pod.1"


def traced(node: Node, verb: str, *options: str) -> int:
    command = ["strace", "-f", "-qq", "--seccomp-bpf", *options, *node.command(verb, target(verb))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode in {0, *KILLED}, done.stderr
    return done.returncode


def points(node: Node, verb: str, log: Path) -> list[str]:
    """Every such call that the verb makes, as strace names it: the n-th of its kind."""
    prepared(node, verb)
    assert traced(node, verb, "-o", str(log), "-e", f"trace={CHANGES}") == 0
    found = []
    count: dict[str, int] = {}
    begun = False
    for name, rest in CALL.findall(log.read_text()):
        count[name] = count.get(name, 0) + 1
        begun = begun or name == "mkdir" or str(node.data_dir) in rest  # before it modules are loaded
        is_change = name not in {"openat", "read"} or "O_CREAT" in rest or "O_APPEND" in rest
        asks = name == "read" and "connect" in count
        if begun and (is_change or asks):
            found.append(f"{name}:signal=KILL:when={count[name]}")
    assert len(found) > 20
    return found


def mend_by_delete(node: Node, verb: str) -> None:
    node.delete("pod.1")


def mend_by_adding_again(node: Node, verb: str) -> None:
    """A new sandbox of the same pod; the old one's DEL comes late, or twice."""
    (given,) = node.add("pod.2", pod="default/pod", uid="uid")
    assert node.check("pod.2", given, pod="default/pod", uid="uid") == []
    for container in ("pod.1", "pod.2", "pod.1"):
        node.delete(container)


def mend_by_garbage_collection(node: Node, verb: str) -> None:
    node.collect("first.1")


MENDERS = {"del": mend_by_delete, "add": mend_by_adding_again, "gc": mend_by_garbage_collection}
CASES = [(verb, mender) for verb in ("add", "delete") for mender in MENDERS] + [("collect", "gc")]


@pytest.mark.parametrize(("verb", "mender"), CASES)
def test_killed_anywhere(cluster: Cluster, tmp_path: Path, verb: str, mender: str) -> None:
    crew = Crew(cluster, tmp_path)
    wanted = points(crew.node(), verb, tmp_path / "calls")
    killed = work(crew, wanted, verb, MENDERS[mender])
    assert killed > 0.9 * len(wanted), f"{killed} of {len(wanted)}"
    MENDERS[mender](crew.nodes[0], verb)
    time.sleep(SETTLE)  # what was in the air when a process was killed is looked at again
    for node in crew.nodes:
        assert node.engine().work_off() == []
    audit(cluster, *crew.nodes)
    assert {each["id"] for each in allocations(cluster).values()} == {"first.1"}
    assert len(allocations(cluster)) == len(crew.nodes)


def work(crew: Crew, wanted: list[str], verb: str, mend: Callable[[Node, str], None]) -> int:
    """Kill at each point, each on a node of its own, and mend; how many were killed."""

    def one(node: Node, point: str) -> bool:
        prepared(node, verb)
        status = traced(node, verb, "-o", "/dev/null", "-e", f"inject={point}")
        mend(node, verb)
        return status in KILLED

    nodes = [crew.node() for _ in wanted]
    with ThreadPoolExecutor(3) as pool:
        return sum(pool.map(one, nodes, wanted))


@pytest.mark.parametrize("asked", ["PATCH", "POST"])
def test_what_arrives_when_its_sender_is_dead_is_given_back(cluster: Cluster, tmp_path: Path, asked: str) -> None:
    """The request is under way when the ADD is killed, and the runtime's DEL is faster than it."""
    road = cluster.road()
    kubeconfig = cluster.kubeconfig(server=road.url, style="json")
    node = Node(tmp_path / "node", kubeconfig, ("10.0.0.0/24",), settle=3.0)
    prepared(node, "add")
    road.disturb(asked, delay=1.5)
    seen = road.count(asked)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(node.command("add", "pod.1"), cwd=ROOT, env=environment) as process:
        while road.count(asked) == seen:
            time.sleep(0.01)
        process.kill()
    assert node.delete("pod.1")
    assert len(allocations(cluster)) == len(reservations(cluster)) == 1
    time.sleep(2)
    assert len(allocations(cluster)) + len(reservations(cluster)) == 3
    assert len(node.journal.todo()) == 1
    time.sleep(2)
    assert node.engine().work_off() == []
    audit(cluster, node)
    assert len(allocations(cluster)) == 1
