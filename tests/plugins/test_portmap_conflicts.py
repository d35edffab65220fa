"""portmap: one port of the node, and several who want it; one after another, at once, and killed in the middle."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.linux.exclusion import Exclusion
from cni_multus.portmaps.hostport import NAME
from tests.node import Answer
from tests.plugins.portmapped import chains, garbage, given, held, mapping, portmap, ruleset
from tests.plugins.runtime import PYTHONPATH

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

MANY = 16
LOCAL, LOCAL6, STRANGE = "192.0.2.1", "2001:db8:ff::1", "198.51.100.1"


@pytest.fixture(autouse=True)
def addresses(node: Runtime) -> None:
    """The node has an address of each family."""
    node.shown.run(f"ip link set lo up; ip addr add {LOCAL}/24 dev up0; ip addr add {LOCAL6}/64 dev up0 nodad")


CONFLICTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (mapping(8080), mapping(8080, to=81)),
    (mapping(8080), mapping(8080, address="0.0.0.0")),
    (mapping(8080), mapping(8080, address="::")),
    (mapping(8080), mapping(8080, address=LOCAL)),
    (mapping(8080), mapping(8080, address=LOCAL6)),
    (mapping(8080), mapping(8080, address=STRANGE)),
    (mapping(8080, address="0.0.0.0"), mapping(8080, address="127.0.0.1")),
    (mapping(8080, address=LOCAL), mapping(8080)),
    (mapping(8080, address=LOCAL6), mapping(8080)),
    (mapping(8080, address="127.0.0.1"), mapping(8080, address="0.0.0.0")),
    (mapping(8080, address=LOCAL), mapping(8080, address=LOCAL)),
    (mapping(8080, address=STRANGE), mapping(8080, address=STRANGE)),
    (mapping(8080, "udp"), mapping(8080, "UDP")),
]
PEACEFUL: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (mapping(8080), mapping(8081)),
    (mapping(8080), mapping(8080, "udp")),
    (mapping(8080, "sctp"), mapping(8080, "udp")),
    (mapping(8080, address="0.0.0.0"), mapping(8080, address="::")),
    (mapping(8080, address="0.0.0.0"), mapping(8080, address=LOCAL6)),
    (mapping(8080, address=LOCAL), mapping(8080, address="127.0.0.1")),
    (mapping(8080, address=LOCAL), mapping(8080, address=LOCAL6)),
]
DUAL = given("10.1.2.5/24", "2001:db8:1::5/64")


def named(pair: tuple[dict[str, Any], dict[str, Any]]) -> str:
    return " and ".join(f"{each['protocol']} {each.get('hostIP', 'any')}:{each['hostPort']}" for each in pair)


@pytest.mark.parametrize(("first", "second"), CONFLICTS, ids=map(named, CONFLICTS))
def test_who_comes_second_is_told_who_has_the_port(
    first: dict[str, Any], second: dict[str, Any], node: Runtime, make_pod: MakePod
) -> None:
    """BUG of the reference: the last one gets it, and the first is cut off without a word."""
    holder, late = make_pod("first"), make_pod("second")
    node.ask("ADD", portmap(first), holder, DUAL).succeeded()
    before = ruleset(node)
    message = node.ask("ADD", portmap(mapping(7), second, name="red"), late, DUAL).failed(11)
    assert message.startswith("runtimeConfig.portMappings: ")
    assert "eth0 of container first in network blue" in message
    assert "8080" in message
    assert ruleset(node) == before
    node.delete(portmap(), holder)
    node.ask("ADD", portmap(mapping(7), second, name="red"), late, DUAL).succeeded()


@pytest.mark.parametrize(("first", "second"), PEACEFUL, ids=map(named, PEACEFUL))
def test_ports_that_are_not_the_same_are_no_conflict(
    first: dict[str, Any], second: dict[str, Any], node: Runtime, make_pod: MakePod
) -> None:
    wanted = [(portmap(first), make_pod("first")), (portmap(second), make_pod("second"))]
    for config, pod in wanted:
        node.ask("ADD", config, pod, DUAL).succeeded()
    for config, pod in wanted:
        node.check(config, pod, DUAL)


def test_names_that_are_too_long_for_a_comment_are_told_as_far_as_it_goes(node: Runtime, make_pod: MakePod) -> None:
    first = make_pod("first")
    first.container_id = "c" * 200
    node.ask("ADD", portmap(mapping(8080)), first, DUAL).succeeded()
    message = node.ask("ADD", portmap(mapping(8080)), make_pod("second"), DUAL).failed(11)
    assert "multus:blue:ccc" in message
    node.check(portmap(mapping(8080)), first, DUAL)
    node.ask("GC", garbage(portmap(), first.container_id)).succeeded()
    assert len(held(node)) == 2
    node.ask("GC", garbage(portmap())).succeeded()
    assert held(node) == []


def test_on_a_node_of_many_addresses_single_ones_are_seen_too(node: Runtime, make_pod: MakePod) -> None:
    lines = "\n".join(f"addr add 10.{number // 250}.{number % 250}.1/32 dev up0" for number in range(300))
    (node.root / "batch").write_text(lines)
    node.shown.run(f"ip -b {node.root / 'batch'}")
    node.ask("ADD", portmap(mapping(8080, address="10.1.40.1")), make_pod("first"), given()).succeeded()
    assert "container first" in node.ask("ADD", portmap(mapping(8080)), make_pod("second"), given()).failed(11)


def test_with_different_ports_all_of_many_succeed(node: Runtime, make_pod: MakePod) -> None:
    pods = [make_pod(f"pod{number}") for number in range(MANY)]
    answers = together(node, "ADD", [(portmap(mapping(8000 + at)), pod) for at, pod in enumerate(pods)])
    assert [answer.status for answer in answers] == [0] * MANY, answers
    assert len(held(node)) == MANY
    assert node.shown.run("nft list chain inet multus_hostports postrouting").count("bit 13") == 1
    answers = together(node, "DEL", [(portmap(), pod) for pod in pods])
    assert [answer.status for answer in answers] == [0] * MANY
    assert (held(node), chains(node)) == ([], [])


@pytest.mark.parametrize("waiting", [True, False], ids=["in turn", "out of turn"])
def test_with_the_same_port_exactly_one_of_many_succeeds(waiting: bool, node: Runtime, make_pod: MakePod) -> None:
    """Out of turn: somebody does not give the turn back, so that they all go on without."""
    pods = [make_pod(f"pod{number}") for number in range(MANY)]
    wanted = [(portmap(mapping(8000 + at), mapping(9000)), pod) for at, pod in enumerate(pods)]
    if waiting:
        answers = together(node, "ADD", wanted)
    else:
        with Exclusion(node.host, NAME):
            answers = together(node, "ADD", wanted)
    assert sorted(answer.status for answer in answers) == [0] + [1] * (MANY - 1)
    [winner] = [pod for pod, answer in zip(pods, answers, strict=True) if answer.status == 0]
    for answer in answers:
        if answer.status:
            assert f"container {winner.container_id} " in answer.failed(11)
    assert len(held(node)) == 2


def test_adds_deletes_and_garbage_collection_at_once(node: Runtime, make_pod: MakePod) -> None:
    old, new = [make_pod(f"old{number}") for number in range(8)], [make_pod(f"new{number}") for number in range(8)]
    for at, pod in enumerate(old):
        node.ask("ADD", portmap(mapping(8000 + at)), pod, given()).succeeded()
    valid = garbage(portmap(), *(pod.container_id for pod in new), "old6", "old7")
    wanted: list[tuple[str, dict[str, Any], Pod]] = [("DEL", portmap(), pod) for pod in old[:4]]
    wanted += [("ADD", portmap(mapping(8100 + at)), pod) for at, pod in enumerate(new)]
    wanted += [("GC", valid, pod) for pod in old[:2]]
    assert [answer.status for answer in together_each(node, wanted)] == [0] * len(wanted)
    assert sorted(key.split()[2] for key in held(node)) == sorted(
        ["8006", "8007", *(str(8100 + at) for at in range(8))]
    )


@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_killed_at_any_instruction_the_next_request_makes_good(verb: str, node: Runtime, make_pod: MakePod) -> None:
    pod, other = make_pod("pod1"), make_pod("other")
    config = portmap(mapping(8080), mapping(8081, "udp", LOCAL))
    node.ask("ADD", portmap(mapping(9000)), other, given()).succeeded()
    count = sends(node, verb, config, pod)
    assert count >= 6
    for at in range(1, count + 1):
        node.delete(config, pod)
        if verb == "DEL":
            node.ask("ADD", config, pod, given()).succeeded()
        inject = ("strace", "-qq", "-o", "/dev/null", "-e", f"inject=sendto:signal=KILL:when={at}")
        answer = node.process(verb, {**config, "prevResult": given()}, pod, *inject)
        assert answer.status in (-signal.SIGKILL, 128 + signal.SIGKILL)
        # All of it, or nothing.
        assert len(held(node)) in (1, 3)
        assert len(chains(node)) == (2 if len(held(node)) == 3 else 1)
        if at % 2:
            node.ask("ADD", config, pod, given()).succeeded()
            node.check(config, pod, given())
        node.delete(config, pod)
        assert [key.split()[2] for key in held(node)] == ["9000"]
    node.check(portmap(mapping(9000)), other, given())


def sends(node: Runtime, verb: str, config: dict[str, Any], pod: Pod) -> int:
    """How often a request speaks to the kernel's netlink."""
    log = node.root / "trace"
    trace = ("strace", "-qq", "-o", str(log), "-e", "trace=sendto")
    if verb == "DEL":
        node.ask("ADD", config, pod, given()).succeeded()
    node.process(verb, {**config, "prevResult": given()}, pod, *trace).succeeded()
    return log.read_text().count("sendto(")


def together(node: Runtime, verb: str, wanted: list[tuple[dict[str, Any], Pod]]) -> list[Answer]:
    """One process for each, all of them running at once."""
    return together_each(node, [(verb, config, pod) for config, pod in wanted])


def together_each(node: Runtime, wanted: list[tuple[str, dict[str, Any], Pod]]) -> list[Answer]:
    running: list[Callable[[], Answer]] = []
    for at, (verb, config, pod) in enumerate(wanted):
        told = node.root / f"stdin{at}"
        told.write_text(json.dumps({**config, "prevResult": given(f"10.1.2.{at + 2}/24")}))
        with told.open() as stdin:
            process = subprocess.Popen(
                node.command("portmap"),
                env=pod.environment(verb, str(node.runtime_path)) | PYTHONPATH,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

        def end(process: subprocess.Popen[bytes] = process) -> Answer:
            stdout, stderr = process.communicate()
            return Answer(process.returncode, stdout, stderr)

        running.append(end)
    return [end() for end in running]
