"""Many requests at once: those of one pod one after another, those of different pods side by side, none in error."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import Answer
from tools.build import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node import Node, Pod
    from tests.pods import MakePod

MANY = 16


def four(node: Node) -> dict[str, Any]:
    secondary = [node.macvlan(name, f"10.{at}.0.0/24") for at, name in enumerate(("red", "blue", "green"), start=2)]
    return node.config(node.bridge(), *secondary)


def by_threads(node: Node, command: str, pods: list[Pod]) -> list[Answer]:
    """All of them inside this process, as the resident agent would."""
    with ThreadPoolExecutor(len(pods)) as together:
        return list(together.map(lambda pod: node.call(command, four(node), pod), pods))


def by_processes(node: Node, command: str, pods: list[Pod]) -> list[Answer]:
    """The built program, once for each pod, as a runtime has it."""
    assert PROGRAM.exists(), "run `make build` first"

    def run(pod: Pod) -> Answer:
        ended = subprocess.run(
            ["nsenter", f"--net={node.host.path}", PROGRAM],
            env=pod.environment(command, str(node.runtime_path)),
            input=json.dumps(four(node)).encode(),
            capture_output=True,
            check=False,
        )
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    with ThreadPoolExecutor(len(pods)) as together:
        return list(together.map(run, pods))


@pytest.mark.parametrize("run", [by_threads, by_processes], ids=["threads", "processes"])
def test_many_pods_come_and_go_at_once(
    node: Node, make_pod: MakePod, run: Callable[[Node, str, list[Pod]], list[Answer]]
) -> None:
    pods = [make_pod(f"pod-{at}") for at in range(MANY)]
    for answer in run(node, "ADD", pods):
        answer.succeeded()
    for network, ifname in (("primary", "eth0"), ("red", "net1"), ("blue", "net2"), ("green", "net3")):
        given = node.reserved(network)
        assert sorted(given.values()) == sorted(f"pod-{at} {ifname}" for at in range(MANY))
        shown = {pod.addresses(ifname)[0].partition("/")[0]: f"{pod.container_id} {ifname}" for pod in pods}
        assert shown == given
    assert list(node.links().values()).count("veth") == MANY
    for answer in run(node, "CHECK", pods):
        answer.succeeded()
    for answer in run(node, "DEL", pods):
        answer.succeeded()
    assert node.remains(*pods) == {}


def test_some_come_while_others_go(node: Node, make_pod: MakePod) -> None:
    pods = [make_pod(f"pod-{at}") for at in range(MANY)]
    old, new = pods[: MANY // 2], pods[MANY // 2 :]
    by_processes(node, "ADD", old)
    with ThreadPoolExecutor(2) as together:
        going = together.submit(by_processes, node, "DEL", old)
        coming = together.submit(by_processes, node, "ADD", new)
        for answer in [*going.result(), *coming.result()]:
            answer.succeeded()
    for answer in by_threads(node, "CHECK", new):
        answer.succeeded()
    assert node.records() == sorted(f"{pod.container_id}@eth0" for pod in new)
    assert set(node.remains(*old)) == {"node", "addresses", "records"}


def test_two_adds_of_one_pod_are_one(node: Node, pod: Pod) -> None:
    answers = by_threads(node, "ADD", [pod] * 6)
    assert sorted(answer.status for answer in answers) == [0, 1, 1, 1, 1, 1]
    for answer in answers:
        assert answer.status == 0 or "attached already" in answer.failed(4)
    node.call("CHECK", four(node), pod).succeeded()
    node.call("DEL", four(node), pod).succeeded()
    assert node.remains(pod) == {}


def test_many_dels_of_one_pod_are_one(node: Node, pod: Pod) -> None:
    node.call("ADD", four(node), pod).succeeded()
    for answer in by_processes(node, "DEL", [pod] * 8):
        answer.succeeded()
    assert node.remains(pod) == {}


def test_an_add_and_a_del_of_one_pod_are_never_mixed(node: Node, pod: Pod) -> None:
    """Whoever comes first: the pod is attached as a whole, or not at all."""
    for delay in range(20):
        with ThreadPoolExecutor(2) as together:
            adding = together.submit(node.call, "ADD", four(node), pod)
            time.sleep(delay * 0.002)
            node.call("DEL", four(node), pod).succeeded()
            adding.result().succeeded()
        if node.records():
            node.call("CHECK", four(node), pod).succeeded()
            node.call("DEL", four(node), pod).succeeded()
        assert node.remains(pod) == {}


def test_a_request_waits_for_the_one_before_it(node: Node, pod: Pod) -> None:
    config = node.config(node.program("slow", ADD={"sleep": 1, "stdout": '{"cniVersion": "1.0.0"}'}))
    with ThreadPoolExecutor(2) as together:
        adding = together.submit(node.call, "ADD", config, pod)
        while not node.calls("ADD"):
            time.sleep(0.01)
        node.call("DEL", config, pod).succeeded()
        assert adding.done()
    assert [call["command"] for call in node.calls()] == ["ADD", "DEL"]
    assert node.remains(pod) == {}


def test_a_pod_that_hangs_holds_up_no_other(node: Node, make_pod: MakePod, tmp_path: Path) -> None:
    slow, quick = make_pod("pod-1"), make_pod("pod-2")
    let_go = tmp_path / "go"
    hangs: dict[str, object] = {"until": str(let_go), "stdout": '{"cniVersion": "1.0.0"}'}
    hanging = node.config(node.bridge(), node.program("slow", ADD=hangs))
    thread = threading.Thread(target=lambda: node.call("ADD", hanging, slow).succeeded())
    thread.start()
    while not node.calls("ADD"):
        time.sleep(0.01)
    for command in ("ADD", "CHECK", "DEL"):
        node.call(command, four(node), quick).succeeded()
    assert thread.is_alive()
    let_go.touch()
    thread.join()
    node.call("CHECK", hanging, slow).succeeded()
