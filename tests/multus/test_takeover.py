"""A pod that the Go Multus attached is deleted, checked and kept by ours: its files are all that is needed."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.multus.gomultus import write_cached, write_scratch
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod
    from tests.pods import MakePod


@pytest.fixture(scope="session")
def go_plugins() -> Path:
    return reference_plugins()


def attach(node: Node, pod: Pod, plugin: Path, network: dict[str, Any], ifname: str) -> dict[str, Any]:
    """ADD as the Go Multus has it done: by the Go plugin, in the node's namespace."""
    environment = pod.environment("ADD", str(plugin.parent), CNI_IFNAME=ifname)
    command = ["nsenter", f"--net={node.host.path}", str(plugin)]
    added = subprocess.run(
        command, env=environment, input=json.dumps(network).encode(), capture_output=True, check=True
    )
    result = json.loads(added.stdout)
    assert isinstance(result, dict)
    return result


def networks(node: Node) -> list[dict[str, Any]]:
    configs = [node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue-x", "10.3.0.0/24")]
    return [{"cniVersion": "1.0.0", **config} for config in configs]


@pytest.fixture
def taken(node: Node, pod: Pod, go_plugins: Path) -> list[dict[str, Any]]:
    """A pod with three interfaces, made by the Go programs, and the files that go with it."""
    delegates = networks(node)
    for at, network in enumerate(delegates):
        ifname = f"net{at}" if at else "eth0"
        write_cached(node, pod, network, ifname, attach(node, pod, go_plugins / network["type"], network, ifname))
    write_scratch(node, pod, *delegates)
    assert pod.links() == {"eth0": "veth", "net1": "macvlan", "net2": "macvlan"}
    return delegates


def nothing_is_left(node: Node, pod: Pod) -> bool:
    return node.remains(pod) == {} and set(os.listdir(node.cni_dir)) <= {"journal", "results"} and not cached(node)


def cached(node: Node) -> list[str]:
    return sorted(os.listdir(node.cni_dir / "results"))


def test_a_pod_of_the_go_multus_is_deleted(node: Node, pod: Pod, taken: list[dict[str, Any]]) -> None:
    node.call("DEL", node.config(*taken), pod).succeeded()
    assert nothing_is_left(node, pod)
    node.call("DEL", node.config(*taken), pod).succeeded()


def test_its_configuration_is_the_one_that_counts(node: Node, pod: Pod, taken: list[dict[str, Any]]) -> None:
    node.call("DEL", node.config(node.macvlan("other")), pod).succeeded()
    assert nothing_is_left(node, pod)


def test_it_is_deleted_without_its_namespace(node: Node, pod: Pod, taken: list[dict[str, Any]]) -> None:
    subprocess.run(["umount", pod.netns], check=True)
    node.call("DEL", node.config(*taken), pod, CNI_NETNS="").succeeded()
    assert node.reserved("primary") == node.reserved("red") == node.reserved("blue-x") == {}
    assert cached(node) == []


def test_it_is_checked(node: Node, pod: Pod, taken: list[dict[str, Any]]) -> None:
    """The Go Multus never looks at its secondary networks."""
    node.call("CHECK", node.config(*taken), pod).succeeded()
    subprocess.run(["nsenter", f"--net={pod.netns}", "ip", "link", "del", "net2"], check=True)
    assert "network blue-x: net2 is gone" in node.call("CHECK", node.config(*taken), pod).failed(102)


def test_a_second_add_is_refused(node: Node, pod: Pod, taken: list[dict[str, Any]]) -> None:
    assert "attached already" in node.call("ADD", node.config(*taken), pod).failed(4)
    node.call("CHECK", node.config(*taken), pod).succeeded()


def test_what_its_failed_add_left_is_cleared(node: Node, pod: Pod) -> None:
    """It leaves the scratch file behind when it takes a failed ADD back."""
    delegates = networks(node)
    write_scratch(node, pod, *delegates)
    node.call("ADD", node.config(*delegates), pod).succeeded()
    assert not (node.cni_dir / "pod-1").exists()
    node.call("DEL", node.config(*delegates), pod).succeeded()
    assert node.remains(pod) == {}


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_scratch_file_that_was_cut_is_made_up_for_by_the_cache(
    node: Node, pod: Pod, taken: list[dict[str, Any]], length: int
) -> None:
    """The Go Multus calls nobody then, and never removes the file."""
    path = node.cni_dir / "pod-1"
    path.write_bytes(path.read_bytes()[:length])
    node.call("CHECK", node.config(), pod).succeeded()
    node.call("DEL", node.config(), pod).succeeded()
    assert nothing_is_left(node, pod)


def test_a_cache_that_was_cut_is_made_up_for_by_the_scratch_file(
    node: Node, pod: Pod, taken: list[dict[str, Any]]
) -> None:
    for name in cached(node):
        os.truncate(node.cni_dir / "results" / name, 10)
    node.call("DEL", node.config(), pod).succeeded()
    assert node.remains(pod) == {}
    assert not (node.cni_dir / "pod-1").exists()


def test_where_nothing_can_be_read_the_configuration_counts(node: Node, pod: Pod, taken: list[dict[str, Any]]) -> None:
    for name in cached(node):
        (node.cni_dir / "results" / name).unlink()
    os.truncate(node.cni_dir / "pod-1", 50)
    assert "cannot be read" in node.call("CHECK", node.config(*taken), pod).failed(102)
    node.call("DEL", node.config(*taken), pod).succeeded()
    assert nothing_is_left(node, pod)


@pytest.mark.parametrize(
    "scratch",
    [
        b"null",
        b"{}",
        b"[null]",
        b'[{"Bytes": "not base64!"}]',
        b'[{"Bytes": "e30="}]',
        b'[{"Bytes": 7, "ifnameRequest": []}]',
        b"\xff\xfe",
    ],
)
def test_a_scratch_file_of_any_content_ends(node: Node, pod: Pod, scratch: bytes) -> None:
    node.cni_dir.mkdir()
    (node.cni_dir / "pod-1").write_bytes(scratch)
    node.call("DEL", node.config(node.macvlan("red", "10.2.0.0/24")), pod)
    node.call("DEL", node.config(node.macvlan("red", "10.2.0.0/24")), pod).succeeded()


def test_requests_of_an_attachment_come_back_as_capabilities(node: Node, pod: Pod) -> None:
    asked = {"mac": True, "ips": True, "deviceID": True, "portMappings": True}
    secondary = {**node.program("fabric"), "capabilities": asked}
    write_scratch(
        node,
        pod,
        node.program("calico"),
        secondary,
        ifnameRequest="lan0",
        macRequest="02:00:00:00:00:07",
        ipRequest=["10.2.0.7/24"],
        deviceID="0000:03:02.1",
    )
    result = {"cniVersion": "1.0.0", "ips": [{"address": "10.2.0.7/24"}]}
    ports = {"portMappings": [{"hostPort": 80}]}
    write_cached(node, pod, secondary, "lan0", result, capabilityArgs=ports)
    node.call("DEL", node.config(), pod).succeeded()
    last, first = node.calls("DEL")
    assert (first["environment"]["CNI_IFNAME"], last["environment"]["CNI_IFNAME"]) == ("eth0", "lan0")
    assert last["stdin"]["runtimeConfig"] == {
        "mac": "02:00:00:00:00:07",
        "ips": ["10.2.0.7/24"],
        "deviceID": "0000:03:02.1",
        **ports,
    }
    assert last["stdin"]["prevResult"] == result
    assert "prevResult" not in first["stdin"]


def test_arguments_of_the_cache_serve_where_the_runtime_brings_none(node: Node, pod: Pod) -> None:
    write_cached(node, pod, node.program("calico"), "eth0", None)
    node.call("DEL", node.config(), pod, CNI_ARGS="").succeeded()
    assert node.calls("DEL")[0]["environment"]["CNI_ARGS"] == "IgnoreUnknown=true;K8S_POD_NAME=web"


def test_what_is_cached_of_other_containers_stays(node: Node, pod: Pod, make_pod: MakePod) -> None:
    """The names of files are ambiguous: network a-pod of container 1, and network a of container pod-1."""
    calico = node.program("calico")
    ours = write_cached(node, pod, calico, "eth0", None)
    others = [
        write_cached(node, make_pod("pod-11"), calico, "eth0", None),
        write_cached(node, make_pod("1-eth0"), {**calico, "name": "net-calico-pod"}, "eth0", None),
        write_cached(node, make_pod("pod-2"), {**calico, "name": "pod-1"}, "eth0", None),
    ]
    junk = node.cni_dir / "results" / "pod-1"
    junk.write_text("somebody's notes")
    node.call("DEL", node.config(), pod).succeeded()
    assert not ours.exists()
    assert all(other.exists() for other in [*others, junk])
    assert len(node.calls("DEL")) == 1


@pytest.mark.parametrize("name", ["journal", "results", "locks"])
def test_a_container_may_be_called_like_a_directory(node: Node, make_pod: MakePod, name: str) -> None:
    pod = make_pod(name)
    (node.cni_dir / "results").mkdir(parents=True)
    (node.cni_dir / "locks").mkdir()
    config = node.config(node.macvlan("red", "10.2.0.0/24"))
    for _ in range(2):
        node.call("DEL", config, pod).succeeded()
        node.call("ADD", config, pod).succeeded()
        node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}


def test_a_failing_del_moves_the_pod_to_our_journal(node: Node, pod: Pod) -> None:
    write_scratch(node, pod, node.program("calico"), node.program("fabric", DEL={"status": 1}))
    node.call("DEL", node.config(), pod).failed(101)
    assert [one.ifname for one in node.record(pod).attachments] == ["net1"]
    node.program("fabric")
    node.call("DEL", node.config(), pod).succeeded()
    assert node.records() == []
    assert not (node.cni_dir / "pod-1").exists()
    calls = len(node.calls())
    node.call("DEL", node.config(), pod).succeeded()
    assert len(node.calls()) == calls
