"""What a configuration may be, told before the first attachment: nothing is made where anything is wrong."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.linux.links import add_bridge

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod
    from tests.pods import MakePod


def untouched(node: Node, pod: Pod) -> bool:
    return not (node.calls() or node.remains(pod) or node.links() or node.cni_dir.exists() or node.addresses.exists())


@pytest.mark.parametrize(
    ("delegates", "code", "where"),
    [
        pytest.param("garbage", 6, "delegates must be a list", id="text"),
        pytest.param({"type": "bridge"}, 6, "delegates must be a list", id="object"),
        pytest.param([], 7, "delegates: at least one", id="empty"),
        pytest.param(None, 7, "delegates: at least one", id="null"),
        pytest.param([None], 6, r"delegates\[0\] must be an object", id="null inside"),
        pytest.param(["bridge"], 6, r"delegates\[0\] must be an object", id="text inside"),
        pytest.param([{"name": "a"}], 7, r"delegates\[0\].type", id="no type"),
        pytest.param([{"name": "a", "type": 7}], 6, r"delegates\[0\].type", id="type is a number"),
        pytest.param([{"name": "a", "type": "../bridge"}], 7, "type", id="type with a path"),
        pytest.param([{"name": "a", "type": "bridge"}, {"type": "bridge"}], 7, r"delegates\[1\].name", id="no name"),
        pytest.param([{"name": "../x", "type": "bridge"}], 7, r"delegates\[0\].name", id="name with a path"),
        pytest.param([{"name": "a\nb", "type": "bridge"}], 7, r"delegates\[0\].name", id="name with a newline"),
        pytest.param([{"name": "a", "plugins": []}], 7, r"delegates\[0\].plugins", id="empty chain"),
        pytest.param([{"name": "a", "plugins": [{}]}], 7, r"delegates\[0\].plugins\[0\].type", id="chain, no type"),
        pytest.param([{"name": "a", "plugins": {}}], 6, r"delegates\[0\].plugins", id="chain is an object"),
        pytest.param([{"name": "a", "type": "bridge", "cniVersion": "x"}], 6, "cniVersion", id="not a version"),
        pytest.param([{"name": "a", "type": "multus", "delegates": []}], 7, "itself", id="itself"),
    ],
)
def test_a_delegate_that_cannot_be_is_refused_with_its_place(
    node: Node, pod: Pod, delegates: Any, code: int, where: str
) -> None:
    message = node.call("ADD", {**node.config(), "delegates": delegates}, pod).failed(code)
    assert re.search(where, message), message
    assert untouched(node, pod)


def test_a_mistake_in_the_last_delegate_is_told_before_the_first_is_attached(node: Node, pod: Pod) -> None:
    """The Go Multus finds an unnamed delegate after it has waited, and an empty one after it has attached others."""
    config = node.config(node.program("first"), node.bridge(), {"type": "macvlan"})
    assert "delegates[2].name" in node.call("ADD", config, pod).failed(7)
    assert untouched(node, pod)


def test_two_interfaces_of_one_name_are_refused_at_once(node: Node, pod: Pod) -> None:
    config = node.config(node.program("first"), node.program("second"))
    message = node.call("ADD", config, pod, CNI_IFNAME="net1").failed(7)
    assert "net1" in message
    assert "net-first" in message
    assert "net-second" in message
    assert untouched(node, pod)


def test_a_program_that_is_missing_is_told_before_anything_is_touched(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge(), {"name": "fabric", "type": "sriov"})
    answer = node.call("ADD", config, pod)
    assert "no program 'sriov'" in answer.failed(101)
    assert str(node.bin_dir) in answer.document["msg"]
    assert untouched(node, pod)


def test_an_ipam_that_is_missing_is_told_before_anything_is_touched(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge(), node.macvlan("red", ipam={"type": "whatever"}))
    message = node.call("ADD", config, pod).failed(101)
    assert message.startswith("delegates[1].ipam.type: there is no program 'whatever'")
    assert untouched(node, pod)


def test_an_interface_that_exists_is_refused_before_the_first_attachment(node: Node, pod: Pod) -> None:
    subprocess.run(["nsenter", f"--net={pod.netns}", "ip", "link", "add", "net1", "type", "bridge"], check=True)
    config = node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"))
    assert "net1" in node.call("ADD", config, pod).failed(4)
    assert pod.links() == {"net1": "bridge"}
    assert node.links() == {}
    assert node.records() == []


def test_an_eth0_that_somebody_else_made_survives(node: Node, pod: Pod) -> None:
    """The Go Multus takes its failed ADD back with a DEL that removes the interface it met."""
    subprocess.run(["nsenter", f"--net={pod.netns}", "ip", "link", "add", "eth0", "type", "bridge"], check=True)
    config = node.config(node.bridge())
    node.call("ADD", config, pod).failed(4)
    node.call("DEL", config, pod).succeeded()
    assert pod.links() == {"eth0": "bridge"}


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("cniDir", "relative", 7),
        ("cniDir", 7, 6),
        ("binDir", "bin", 7),
        ("confDir", [], 6),
        ("delegateTimeout", 0, 7),
        ("delegateTimeout", "1s", 6),
        ("logLevel", 5, 6),
        ("logFile", {}, 6),
        ("logToStderr", "yes", 6),
        ("logOptions", [], 6),
        ("logOptions", {"maxSize": "1"}, 6),
        ("logOptions", {"maxAge": -1}, 7),
        ("readinessindicatorfile", True, 6),
        ("retryDeleteOnError", 1, 6),
        ("runtimeConfig", [], 6),
        ("capabilities", [], None),
        ("unknown", {"a": 1}, None),
    ],
)
def test_a_key_of_the_wrong_kind_is_told_by_its_name(
    node: Node, pod: Pod, key: str, value: object, code: int | None
) -> None:
    config = node.config(node.program("calico"), logFile=str(node.root / "multus.log"))
    answer = node.call("ADD", {**config, key: value}, pod)
    if code is None:
        answer.succeeded()
    else:
        assert answer.failed(code).startswith(key)
        assert untouched(node, pod)


@pytest.mark.parametrize("name", ["", "../x", "a b", "-a", "a" * 300])
@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK", "STATUS", "GC"])
def test_a_bad_name_is_refused_by_every_verb(node: Node, pod: Pod, command: str, name: str) -> None:
    config = {**node.config(node.bridge()), "name": name, "cni.dev/valid-attachments": []}
    node.call(command, config, pod).failed(7)
    assert untouched(node, pod)


@pytest.mark.parametrize(("version", "code"), [("9.9.9", 1), ("1.2.0", 1), ("one", 6), (1, 6)])
def test_an_unknown_version_is_refused(node: Node, pod: Pod, version: object, code: int) -> None:
    node.call("ADD", node.config(node.bridge(), cniVersion=version), pod).failed(code)
    assert untouched(node, pod)


def test_a_namespace_that_is_none_is_refused(node: Node, pod: Pod, tmp_path: Path) -> None:
    config = node.config(node.program("calico"))
    plain = tmp_path / "plain"
    plain.touch()
    for path in (str(plain), str(tmp_path / "missing"), str(tmp_path)):
        node.call("ADD", config, pod, CNI_NETNS=path).failed(8)
    assert "runs in" in node.call("ADD", config, pod, CNI_NETNS=node.host.path).failed(8)
    assert node.calls() == []
    assert node.records() == []


def test_networks_of_one_name_keep_apart_by_their_interfaces(node: Node, make_pod: MakePod) -> None:
    """Two attachments to one network: each has its own address and gives it back by itself."""
    add_bridge(node.host, "cni0")
    config = node.config(node.bridge("same", "10.1.0.0/24"), node.macvlan("same", "10.1.0.0/24"))
    pod = make_pod()
    node.call("ADD", config, pod).succeeded()
    assert node.reserved("same") == {"10.1.0.2": "pod-1 eth0", "10.1.0.3": "pod-1 net1"}
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}
