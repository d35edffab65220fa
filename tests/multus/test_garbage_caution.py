"""GC where something is not as it should be: what is not known to be stale is left alone."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.multus.gomultus import write_cached, write_scratch
from tests.node import Pod

if TYPE_CHECKING:
    from tests.node import Answer, Node
    from tests.pods import MakePod


def three(node: Node, **more: object) -> dict[str, Any]:
    return node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue", "10.3.0.0/24"), **more)


def collect(node: Node, config: dict[str, Any], *valid: Pod) -> Answer:
    members = [{"containerID": pod.container_id, "ifname": "eth0"} for pod in valid]
    return node.call("GC", {**config, "cni.dev/valid-attachments": members})


def test_a_damaged_record_of_a_valid_pod_costs_it_nothing(node: Node, pod: Pod) -> None:
    """What cannot be read is not what is not there: the pod's addresses stay."""
    node.call("ADD", three(node), pod).succeeded()
    whole = node.record_file(pod).read_bytes()
    node.record_file(pod).write_bytes(b"garbage")
    collect(node, three(node), pod).succeeded()
    node.record_file(pod).write_bytes(whole)
    node.call("CHECK", three(node), pod).succeeded()


def test_a_damaged_record_of_a_stale_pod_goes(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    node.record_file(pod).write_bytes(b"garbage")
    collect(node, three(node)).succeeded()
    assert node.records() == []
    assert node.reserved("primary") == node.reserved("red") == node.reserved("blue") == {}


def test_a_journal_that_cannot_be_listed_costs_nobody_anything(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    journal = node.cni_dir / "journal"
    journal.rename(node.cni_dir / "aside")
    journal.write_text("")
    collect(node, three(node), pod).failed(5)
    journal.unlink()
    (node.cni_dir / "aside").rename(journal)
    node.call("CHECK", three(node), pod).succeeded()


@pytest.mark.parametrize(
    "broken", [{"delegates": "garbage"}, {"delegates": [None]}, {"defaultNetworks": 7, "clusterNetwork": "x"}]
)
def test_a_broken_configuration_is_told_and_what_is_recorded_goes(
    node: Node, pod: Pod, broken: dict[str, object]
) -> None:
    node.call("ADD", three(node), pod).succeeded()
    assert collect(node, {**three(node), **broken}).status == 1
    assert node.remains(pod) == {}


@pytest.mark.parametrize("valid", [None, "garbage", [7], [{"containerID": 7}], [{}], {"containerID": "pod-1"}])
def test_a_list_that_is_none_collects_nothing(node: Node, pod: Pod, valid: object) -> None:
    """Without a list nothing is known to be stale; libcni would take everything away."""
    node.call("ADD", three(node), pod).succeeded()
    answer = node.call("GC", {**three(node), "cni.dev/valid-attachments": valid})
    assert answer.status == 1, answer.stdout
    node.call("CHECK", three(node), pod).succeeded()


def test_a_request_that_is_under_way_is_not_disturbed(node: Node, make_pod: MakePod) -> None:
    """A pod that is just being attached is not in the runtime's list yet."""
    pod, stale = make_pod("pod-1"), make_pod("pod-2")
    node.call("ADD", three(node), pod).succeeded()
    node.call("ADD", three(node), stale).succeeded()
    with node.record_file(pod).open() as record:
        fcntl.flock(record, fcntl.LOCK_EX)
        collect(node, three(node)).succeeded()
    node.call("CHECK", three(node), pod).succeeded()
    assert stale.links() == {}


def test_empty_records_of_killed_requests_go(node: Node) -> None:
    (node.cni_dir / "journal").mkdir(parents=True)
    (node.cni_dir / "journal" / "pod-1@eth0").touch()
    collect(node, three(node)).succeeded()
    assert node.records() == []


def test_pods_of_the_go_multus_are_collected_and_kept(node: Node, make_pod: MakePod) -> None:
    """Its addresses are in the same files: those of a pod that lives must not be given out again."""
    pods = {name: make_pod(name) for name in ("kept", "stale", "cached-only")}
    for pod in pods.values():
        node.call("ADD", three(node), pod).succeeded()
        write_scratch(node, pod, *three(node)["delegates"])
        for at, network in enumerate(three(node)["delegates"]):
            write_cached(node, pod, network, f"net{at}" if at else "eth0", None)
        node.record_file(pod).unlink()
    (node.cni_dir / "cached-only").unlink()
    collect(node, three(node), pods["kept"]).succeeded()
    owners = {owner for network in ("primary", "red", "blue") for owner in node.reserved(network).values()}
    assert owners == {"kept eth0", "kept net1", "kept net2"}
    assert sorted(os.listdir(node.cni_dir)) == ["journal", "kept", "results"]
    assert len(os.listdir(node.cni_dir / "results")) == 3


def test_files_that_are_nobodys_stay(node: Node) -> None:
    node.cni_dir.mkdir()
    (node.cni_dir / "README").write_text("do not delete")
    (node.cni_dir / ".hidden").write_text("")
    collect(node, three(node)).succeeded()
    assert (node.cni_dir / "README").read_text() == "do not delete"
    assert (node.cni_dir / ".hidden").exists()
