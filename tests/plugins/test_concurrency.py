"""Many at once, in processes and in threads, and processes that are killed in the middle."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.linux.exclusion import Exclusion
from tests.node import UPLINK, Answer
from tests.plugins.runtime import PYTHONPATH
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

MANY = 24
REFUSED = [{"dst": "10.9.0.0/16", "scope": 255}]


def bridge(node: Runtime, **more: object) -> dict[str, Any]:
    ranges = [[{"subnet": "10.1.2.0/24"}], [{"subnet": "2001:db8::/64"}]]
    ipam = {"type": "host-local", "ranges": ranges, "dataDir": str(node.addresses), **more}
    of_bridge = {"name": "blue", "type": "bridge", "bridge": "cni0", "isDefaultGateway": True}
    return {"cniVersion": "1.1.0", **of_bridge, "ipam": ipam}


def macvlan(node: Runtime) -> dict[str, Any]:
    ipam = {"type": "host-local", "subnet": "10.1.2.0/24", "dataDir": str(node.addresses)}
    return {"cniVersion": "1.1.0", "name": "blue", "type": "macvlan", "master": UPLINK, "ipam": ipam}


def together(node: Runtime, verb: str, wanted: list[tuple[dict[str, Any], Pod]]) -> list[Answer]:
    """One process for each, all of them running at once."""
    running = []
    for at, (config, pod) in enumerate(wanted):
        told = node.root / f"stdin{at}"
        told.write_text(json.dumps(config))
        with told.open() as stdin:
            process = subprocess.Popen(
                node.command(config["type"]),
                env=pod.environment(verb, str(node.runtime_path)) | PYTHONPATH,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        running.append(process)
    answers = []
    for process in running:
        stdout, stderr = process.communicate()
        answers.append(Answer(process.returncode, stdout, stderr))
    return answers


def test_many_pods_come_and_go_at_once(node: Runtime, make_pod: MakePod) -> None:
    config = bridge(node)
    pods = [make_pod(f"pod{at}") for at in range(MANY)]
    results = [answer.succeeded().document for answer in together(node, "ADD", [(config, pod) for pod in pods])]
    assert list(node.links().values()).count("bridge") == 1
    assert node.shown.addresses("cni0") == {"10.1.2.1/24", "2001:db8::1/64"}
    ports = {result["interfaces"][1]["name"] for result in results}
    assert {name for name in node.links() if node.shown.link(name).get("master") == "cni0"} == ports
    assert len(ports) == MANY
    assert len({ip["address"] for result in results for ip in result["ips"]}) == 2 * MANY
    assert len({result["interfaces"][0]["mac"] for result in results}) == 1
    Shown(pods[0].netns).run(f"ping -c 1 -W 2 {results[-1]['ips'][0]['address'].split('/')[0]}")
    for answer in together(node, "DEL", [(config, pod) for pod in pods]):
        answer.succeeded()
    assert node.links() == {"cni0": "bridge"}
    assert node.reserved("blue") == {}


def test_nobody_keeps_pods_from_starting_by_holding_the_turn(node: Runtime, make_pod: MakePod) -> None:
    """Anybody on the node can: then they all go on at once, without turns."""
    config = bridge(node)
    pods = [make_pod(f"pod{at}") for at in range(8)]
    with Exclusion(node.host, "bridge cni0"):
        answers = together(node, "ADD", [(config, pod) for pod in pods])
    for pod, answer in zip(pods, answers, strict=True):
        node.check(config, pod, answer.succeeded().document)
    assert list(node.links().values()).count("bridge") == 1


def test_failures_do_not_take_the_bridge_from_those_who_succeed(node: Runtime, make_pod: MakePod) -> None:
    good, bad = bridge(node), bridge(node, routes=REFUSED)
    pods = [make_pod(f"pod{at}") for at in range(12)]
    answers = together(node, "ADD", [((good, bad)[at % 2], pod) for at, pod in enumerate(pods)])
    for at, answer in enumerate(answers):
        if at % 2:
            answer.failed(100)
        else:
            node.check(good, pods[at], answer.succeeded().document)
    assert len(node.links()) == 1 + len(pods) // 2
    assert node.shown.addresses("cni0") == {"10.1.2.1/24", "2001:db8::1/64"}


def test_failures_at_once_leave_at_most_the_bridge(node: Runtime, make_pod: MakePod) -> None:
    """Who made it leaves it to those who used it, and they did not make it."""
    bad = bridge(node, routes=REFUSED)
    pods = [make_pod(f"pod{at}") for at in range(8)]
    for answer in together(node, "ADD", [(bad, pod) for pod in pods]):
        answer.failed(100)
    assert node.remains(*pods) == {}
    assert set(node.links()) <= {"cni0"}


def test_threads_of_one_process_do_not_meet(node: Runtime, make_pod: MakePod) -> None:
    pods = [make_pod(f"pod{at}") for at in range(12)]
    configs = [(bridge(node), macvlan(node))[at % 2] for at in range(len(pods))]
    with ThreadPoolExecutor(len(pods)) as threads:
        results = list(threads.map(node.add, configs, pods))
        list(threads.map(node.check, configs, pods, results))
        list(threads.map(node.delete, configs, pods, results))
    assert node.links() == {"cni0": "bridge"}
    assert node.remains(*pods) == {}


@pytest.mark.parametrize("at", [2, 3, 4, 5])
def test_a_bridge_that_somebody_else_makes_meanwhile_is_used(at: int, node: Runtime, pod: Pod) -> None:
    """Somebody who knows nothing of our turns: the Go plugin, or an operator."""
    delay = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=sendto", "-e", f"inject=sendto:delay_enter=3s:when={at}"]
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(node.process, "ADD", bridge(node), pod, *delay)
        time.sleep(0.6)
        node.shown.run("ip link add cni0 type bridge || true")
        answer.result().succeeded()
    assert list(node.links().values()).count("bridge") == 1
    assert node.shown.is_up("cni0")


def test_something_else_that_takes_the_bridges_name_meanwhile_is_told(node: Runtime, pod: Pod) -> None:
    delay = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=sendto", "-e", "inject=sendto:delay_enter=3s:when=3"]
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(node.process, "ADD", bridge(node), pod, *delay)
        time.sleep(0.6)
        node.shown.run("ip link add cni0 type veth peer name other")
        assert answer.result().failed(7) == "bridge: cni0 is a veth, not a bridge"
    assert node.remains(pod) == {"node": {"cni0": "veth", "other": "veth"}}


def killed_before_request(at: int, node: Runtime, verb: str, config: dict[str, Any], pod: Pod) -> Answer:
    """The call of a process that is killed before its request number `at` to the kernel, if it has so many."""
    inject = f"inject=sendto:signal=KILL:when={at}"
    trace = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=sendto", "-e", inject]
    answer = node.process(verb, config, pod, *trace)
    assert answer.status == 0 or (answer.status, answer.stdout) == (-9, b"")
    return answer


@pytest.mark.parametrize("make", [bridge, macvlan])
def test_an_add_that_is_killed_leaves_nothing_that_delete_does_not_remove(
    make: Callable[[Runtime], dict[str, Any]], node: Runtime, pod: Pod
) -> None:
    config = make(node)
    requests = 0
    answer = killed_before_request(1, node, "ADD", config, pod)
    while answer.status != 0:
        node.delete(config, pod)
        assert node.remains(pod) == {}
        requests += 1
        answer = killed_before_request(requests + 1, node, "ADD", config, pod)
    assert requests > 4
    node.check(config, pod, answer.document)


@pytest.mark.parametrize("make", [bridge, macvlan])
def test_a_delete_that_is_killed_can_be_repeated(
    make: Callable[[Runtime], dict[str, Any]], node: Runtime, pod: Pod
) -> None:
    config = make(node)
    for at in count(1):
        node.add(config, pod)
        status = killed_before_request(at, node, "DEL", config, pod).status
        node.delete(config, pod)
        assert node.remains(pod) == {}
        if status == 0:
            break
