"""Pods that the primary attached without us: from before the installation, or while the program leaves the node."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.document import print_compact
from cni_multus.state import libcni_cache
from cni_multus.state.libcni_cache import Entry
from tests.node import Node, Pod

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cni_multus.linux.netns import Namespace

RESULT = {"cniVersion": "1.0.0", "ips": [{"address": "192.0.2.1/24"}]}


@pytest.fixture
def node(host: Namespace, tmp_path: Path) -> Node:
    return Node(host, tmp_path)


@pytest.fixture
def pod(netns: Callable[[str], str]) -> Pod:
    return Pod(netns("pod-1"), "pod-1")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def remember(results: Path, pod: Pod, *types: str, ifname: str = "eth0") -> Entry:
    """What a runtime's libcni keeps of a pod that it attached to a list of these plugins."""
    config = {"cniVersion": "1.0.0", "name": "older", "plugins": [{"type": kind, "key": kind} for kind in types]}
    entry = Entry("older", pod.container_id, ifname, netns=pod.netns, config=print_compact(config))
    entry.result = {**RESULT}
    libcni_cache.write(str(results), entry)
    return entry


def passing(node: Node, results: Path) -> dict[str, Any]:
    """What `multus uninstall` puts there, with a primary beside it."""
    net_d = node.root / "net.d"
    net_d.mkdir()
    (net_d / "00-multus.conf").write_text(json.dumps({"name": "m", "type": "multus"}))
    first = {**node.program("calico"), "cniVersion": "1.0.0"}
    (net_d / "10-calico.conf").write_text(json.dumps(first))
    where = {"binDir": str(node.root / "nowhere"), "confDir": str(net_d), "resultsDir": str(results)}
    config = node.config()
    del config["delegates"]
    return {**config, "multus.io/uninstalling": where}


def test_a_pod_from_before_is_detached_as_it_was_attached(node: Node, pod: Pod, results: Path) -> None:
    for name in ("calico", "tuned"):
        node.program(name)
    remember(results, pod, "calico", "tuned")
    config = node.config(node.bridge(), resultsDir=str(results))
    node.call("DEL", config, pod).succeeded()
    calls = node.calls("DEL")
    assert [(call["name"], call["stdin"]["key"]) for call in calls] == [("tuned", "tuned"), ("calico", "calico")]
    assert calls[0]["stdin"]["prevResult"]["ips"] == RESULT["ips"]
    assert list(results.iterdir()) == []
    node.call("DEL", config, pod).succeeded()
    assert len(node.calls("DEL")) == 2


def test_the_go_multus_may_have_been_here_as_well(node: Node, pod: Pod, results: Path) -> None:
    """Its cache of other pods says nothing of this one."""
    (node.cni_dir / "results").mkdir(parents=True)
    node.program("calico")
    remember(results, pod, "calico")
    config = node.config(node.bridge(), resultsDir=str(results))
    node.call("DEL", config, pod).succeeded()
    assert len(node.calls("DEL")) == 1
    config = passing(node, results)
    node.call("ADD", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert len(node.calls("DEL")) == 2
    assert list(results.iterdir()) == []
    assert node.records() == []


def test_what_fails_stays_remembered(node: Node, pod: Pod, results: Path) -> None:
    error = json.dumps({"cniVersion": "1.0.0", "code": 11, "msg": "the API is away"})
    node.program("calico", DEL={"status": 1, "stdout": error})
    remember(results, pod, "calico")
    config = node.config(node.bridge(), resultsDir=str(results))
    assert "the API is away" in node.call("DEL", config, pod).failed(11)
    assert len(list(results.iterdir())) == 1


def test_a_primary_that_is_gone_does_not_keep_a_pod(node: Node, pod: Pod, results: Path) -> None:
    node.program("tuned")
    remember(results, pod, "gone", "tuned")
    node.call("DEL", node.config(node.bridge(), resultsDir=str(results)), pod).succeeded()
    assert [call["name"] for call in node.calls("DEL")] == ["tuned"]
    assert list(results.iterdir()) == []


def test_other_interfaces_and_our_own_entries_are_left_alone(node: Node, pod: Pod, results: Path) -> None:
    node.program("calico")
    remember(results, pod, "calico", ifname="lo")
    remember(results, pod, "multus")
    node.call("DEL", node.config(node.bridge(), resultsDir=str(results)), pod).succeeded()
    assert node.calls("DEL") == []
    assert len(list(results.iterdir())) == 2


def test_while_it_leaves_only_the_primary_is_called(node: Node, pod: Pod, results: Path) -> None:
    config = passing(node, results)
    answer = node.call("ADD", config, pod).succeeded()
    assert answer.document["ips"][0]["address"] == "192.0.2.1/24"
    assert node.records() == []
    kept = libcni_cache.read(str(results), "net-calico", pod.container_id, "eth0")
    assert kept is not None
    assert json.loads(kept.config)["plugins"][0]["type"] == "calico"
    node.call("DEL", config, pod).succeeded()
    assert [call["command"] for call in node.calls()] == ["ADD", "DEL"]
    assert list(results.iterdir()) == []


def test_while_it_leaves_a_pod_without_any_trace_is_the_primary_s(node: Node, pod: Pod, results: Path) -> None:
    node.call("DEL", passing(node, results), pod).succeeded()
    assert [call["name"] for call in node.calls("DEL")] == ["calico"]


def test_while_it_leaves_a_record_is_taken_apart(node: Node, pod: Pod, results: Path) -> None:
    node.call("ADD", node.config(node.bridge(), node.macvlan("second", "10.2.0.0/24")), pod).succeeded()
    assert set(pod.links()) == {"eth0", "net1"}
    node.call("DEL", passing(node, results), pod).succeeded()
    assert pod.links() == {}
    assert node.calls("DEL") == []
    assert node.records() == []


def test_while_it_leaves_status_and_gc_are_the_primary_s(node: Node, pod: Pod, results: Path) -> None:
    config = passing(node, results)
    path = node.root / "net.d" / "10-calico.conf"
    path.write_text(json.dumps({**json.loads(path.read_text()), "cniVersion": "1.1.0"}))
    node.call("STATUS", config).succeeded()
    node.call("GC", {**config, "cni.dev/valid-attachments": []}).succeeded()
    assert {call["command"] for call in node.calls()} == {"STATUS", "GC"}


def test_without_a_primary_an_add_is_to_be_tried_again(node: Node, pod: Pod, results: Path) -> None:
    config = passing(node, results)
    (node.root / "net.d" / "10-calico.conf").unlink()
    assert "no network configuration" in node.call("ADD", config, pod).failed(11)
    node.call("DEL", config, pod).succeeded()


def test_an_add_with_the_former_configuration_is_to_be_tried_again(node: Node, pod: Pod) -> None:
    node.call("ADD", node.config(node.bridge()), pod).succeeded()
    node.call("DEL", node.config(node.bridge()), pod).succeeded()
    (node.cni_dir / "journal" / "closed").touch()
    assert "being removed" in node.call("ADD", node.config(node.bridge()), pod).failed(11)
    assert pod.links() == {}
    assert node.records() == ["closed"]


def test_what_is_attached_in_a_hand_over_is_the_go_multus_s(node: Node, pod: Pod, results: Path) -> None:
    config = passing(node, results)
    config["multus.io/uninstalling"]["handOver"] = True
    node.call("ADD", config, pod).succeeded()
    [scratch] = json.loads((node.cni_dir / "pod-1").read_text())
    assert json.loads(b64decode(scratch["Bytes"]))["type"] == "calico"
    kept = libcni_cache.read(str(node.cni_dir / "results"), "net-calico", pod.container_id, "eth0")
    assert kept is not None
    assert kept.result == {**RESULT, "cniVersion": "1.0.0"}
    assert not results.exists()
    node.call("CHECK", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert [call["command"] for call in node.calls()] == ["ADD", "CHECK", "DEL"]
    assert list((node.cni_dir / "results").iterdir()) == []
    assert not (node.cni_dir / "pod-1").exists()


def test_what_could_not_be_attached_in_a_hand_over_leaves_nothing(node: Node, pod: Pod, results: Path) -> None:
    config = passing(node, results)
    config["multus.io/uninstalling"]["handOver"] = True
    node.program("calico", ADD={"status": 1})
    node.call("ADD", config, pod).failed(101)
    assert not (node.cni_dir / "pod-1").exists()
    assert list((node.cni_dir / "results").iterdir()) == []
