"""`clusterNetwork`: the pod's own network by its name, or in a file or directory; and the plugins that follow it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the node has its networks."""
    made = tmp_path / "net.d"
    made.mkdir()
    return made


def put(path: Path, network: dict[str, Any]) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(network))
    return str(path)


def listed(name: str, *plugins: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"cniVersion": "1.0.0", "name": name, "plugins": list(plugins), **more}


def named(node: Node, value: object, **more: object) -> dict[str, Any]:
    """00-multus.conf that names its networks instead of holding them."""
    return {**node.config(clusterNetwork=str(value), cniVersion="1.1.0", **more), "delegates": []}


def asked(node: Node, command: str = "ADD") -> list[str]:
    """The programs that were asked, in order."""
    return [call["name"] for call in node.calls(command)]


def test_it_is_named_as_it_names_itself(node: Node, pod: Pod, directory: Path) -> None:
    put(directory / "05-other.conf", {**node.program("other"), "name": "other"})
    put(directory / "10-main.conflist", listed("main", node.bridge()))
    config = named(node, "main", confDir=str(directory))
    node.call("ADD", config, pod).succeeded()
    assert pod.links() == {"eth0": "veth"}
    for command in ("CHECK", "DEL"):
        node.call(command, config, pod).succeeded()
    assert node.remains(pod) == {}
    message = node.call("ADD", named(node, "nowhere", confDir=str(directory)), pod).failed(7)
    assert message.startswith("clusterNetwork: there is no network nowhere")
    assert "main, other" in message


def test_a_file_that_is_being_written_is_waited_for(node: Node, pod: Pod, directory: Path) -> None:
    """A primary that writes in place empties its file first; what stays broken is an error as before."""
    path = directory / "10-main.conflist"
    text = json.dumps(listed("main", node.bridge()))
    path.write_text(text[:40])
    writer = threading.Timer(0.2, path.write_text, (text,))
    writer.start()
    node.call("ADD", named(node, path), pod).succeeded()
    writer.join()
    node.call("DEL", named(node, path), pod).succeeded()
    path.write_text("")
    assert "10-main.conflist is empty" in node.call("ADD", named(node, path), pod).failed(6)


def test_it_is_a_definition_in_the_nodes_files(node: Node, pod: Pod, tmp_path: Path) -> None:
    """Whoever asks for anything finds it there, where there is no API server."""
    network = {"cniVersion": "1.0.0", **node.bridge("main")}
    metadata = {"namespace": "kube-system", "name": "main"}
    definition = {
        "kind": "NetworkAttachmentDefinition",
        "metadata": metadata,
        "spec": {"config": json.dumps(network)},
    }
    put(tmp_path / "nads" / "main.json", definition)
    config = named(node, "main", nadDir=str(tmp_path / "nads"))
    valid = [{"containerID": "pod-1", "ifname": "eth0"}]
    for command in ("STATUS", "ADD", "GC", "CHECK"):
        node.call(command, {**config, "cni.dev/valid-attachments": valid}, pod).succeeded()
        assert pod.links() == ({} if command == "STATUS" else {"eth0": "veth"})
    node.record_file(pod).write_text("damaged")
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}
    message = node.call("ADD", {**config, "auxiliaryCNIChainName": "aux"}, pod).failed(7)
    assert "clusterNetwork must be a path" in message


@pytest.mark.parametrize("cluster", ["kubeconfig", "environment"])
def test_what_only_the_api_server_knows_is_no_matter_for_garbage(node: Node, pod: Pod, cluster: str) -> None:
    config = named(
        node, "main", defaultNetworks=["storage"], **({"kubeconfig": "/nowhere"} if cluster[0] == "k" else {})
    )
    inside = {"KUBERNETES_SERVICE_HOST": "192.0.2.1", "KUBERNETES_SERVICE_PORT": "443"} if cluster[0] == "e" else {}
    node.call("ADD", node.config(node.bridge()), pod).succeeded()
    node.call("GC", {**config, "cni.dev/valid-attachments": []}, None, **inside).succeeded()
    assert node.remains(pod) == {}


def test_of_a_directory_the_first_configuration_counts(node: Node, pod: Pod, directory: Path) -> None:
    """The first that is another plugin's: 00-multus.conf itself is in there, before the primary's."""
    put(directory / "00-multus.conf", named(node, directory))
    put(directory / "05-readme.txt", {"no": "network"})
    put(directory / "10-first.conflist", listed("first", node.program("one")))
    put(directory / "20-second.conf", node.program("two"))
    config = named(node, directory)
    node.call("ADD", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert (asked(node), asked(node, "DEL")) == (["one"], ["one"])
    (directory / "10-first.conflist").unlink()
    node.call("ADD", config, pod).succeeded()
    assert asked(node) == ["one", "two"]
    (directory / "20-second.conf").unlink()
    node.call("DEL", config, pod).succeeded()
    assert f"{directory} holds no configuration of another plugin" in node.call("ADD", config, pod).failed(7)


@pytest.mark.parametrize("file", ["10-main.conf", "10-main.json", "10-main.conflist"])
def test_it_is_a_file(node: Node, pod: Pod, directory: Path, file: str) -> None:
    one = node.program("one")
    path = put(directory / file, listed("main", one, node.program("two")) if file.endswith("list") else one)
    put(directory / "05-before.conf", node.program("before"))
    node.call("ADD", named(node, path), pod).succeeded()
    assert asked(node) == (["one", "two"] if file.endswith("list") else ["one"])
    node.call("DEL", named(node, path), pod).succeeded()
    assert node.records() == []


@pytest.mark.parametrize("value", ["net.d/10-main.conf", "/nowhere/10-main.conf"])
def test_a_file_that_is_not_there_is_told(node: Node, pod: Pod, value: str) -> None:
    message = node.call("ADD", named(node, value), pod).failed(7)
    assert message.startswith("clusterNetwork: ")
    assert value in message
    assert node.records() == []


@pytest.mark.parametrize("alone", [False, True])
def test_plugins_of_a_lists_own_directory_follow_its_own(node: Node, pod: Pod, directory: Path, alone: bool) -> None:
    path = put(directory / "10-main.conflist", listed("main", node.program("one"), loadOnlyInlinedPlugins=alone))
    put(directory / "main" / "20-three.conf", node.program("three"))
    put(directory / "main" / "10-two.conf", node.program("two"))
    put(directory / "main" / "30-none.conflist", listed("none", node.program("none")))
    node.call("ADD", named(node, path), pod).succeeded()
    assert asked(node) == (["one"] if alone else ["one", "two", "three"])
    if not alone:
        assert all("prevResult" in call["stdin"] for call in node.calls("ADD")[1:])
        assert {call["stdin"]["name"] for call in node.calls("ADD")} == {"main"}
    put(directory / "main" / "40-later.conf", node.program("later"))
    node.call("DEL", named(node, path), pod).succeeded()
    assert asked(node, "DEL") == (["one"] if alone else ["three", "two", "one"]), "those of the ADD, and no other"


@pytest.mark.parametrize("kind", ["list", "plugin"])
@pytest.mark.parametrize("by", ["file", "directory"])
def test_the_auxiliary_chain_follows_it(node: Node, pod: Pod, directory: Path, kind: str, by: str) -> None:
    """It belongs to the pod's own interface, not to those of other networks."""
    one = node.program("one")
    path = put(
        directory / f"10-main.conf{kind if kind == 'list' else ''}", listed("main", one) if kind == "list" else one
    )
    put(directory / "aux" / "10-settings.conf", node.program("settings"))
    put(directory / "aux" / "20-more.conf", node.program("more"))
    other = put(directory / "20-other.conf", node.program("other"))
    value = path if by == "file" else directory
    config = named(node, value, auxiliaryCNIChainName="aux", defaultNetworks=[other])
    for command in ("ADD", "CHECK", "DEL"):
        node.call(command, config, pod).succeeded()
    assert asked(node) == ["one", "settings", "more", "other"]
    assert [call["environment"]["CNI_IFNAME"] for call in node.calls("ADD")] == ["eth0", "eth0", "eth0", "net1"]
    assert asked(node, "DEL") == ["other", "more", "settings", "one"]
    name = "main" if kind == "list" else "net-one"
    assert {call["stdin"]["name"] for call in node.calls("ADD")[:3]} == {name}
    before = len(node.calls())
    node.call("ADD", named(node, value, auxiliaryCNIChainName="none"), pod).succeeded()
    assert [call["name"] for call in node.calls()[before:]] == ["one"], "a chain of nothing"


def test_the_auxiliary_chain_sets_up_the_pods_interface(node: Node, pod: Pod, directory: Path) -> None:
    put(directory / "10-main.conflist", listed("main", node.bridge()))
    settings = {"name": "settings", "type": "tuning", "mtu": 1400, "dataDir": str(node.root / "tuning")}
    put(directory / "aux" / "settings.conf", settings)
    config = named(node, directory, auxiliaryCNIChainName="aux")
    result = node.call("ADD", config, pod).succeeded().document
    assert [each["mtu"] for each in result["interfaces"] if each["name"] == "eth0"] == [1400]
    node.call("CHECK", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}


@pytest.mark.parametrize(
    ("name", "cluster", "chain", "said"),
    [
        ("../aux", "file", {"type": "one"}, "auxiliaryCNIChainName: '../aux' is not a directory's name"),
        ("aux", "main", {"type": "one"}, "auxiliaryCNIChainName: clusterNetwork must be a path"),
        ("aux", "file", {"mtu": 1400}, "type"),
        ("aux", "file", [], "aux/one.conf"),
    ],
    ids=["name", "no path", "no type", "no object"],
)
def test_an_auxiliary_chain_that_cannot_be_is_refused(
    node: Node, pod: Pod, directory: Path, name: str, cluster: str, chain: Any, said: str
) -> None:
    node.program("one")
    path = put(directory / "10-main.conflist", listed("main", node.program("first")))
    put(directory / "aux" / "one.conf", chain)
    value = path if cluster == "file" else cluster
    answer = node.call("ADD", named(node, value, auxiliaryCNIChainName=name, confDir=str(directory)), pod)
    assert said in answer.failed(6 if chain == [] else 7)
    assert node.calls() == []
    assert node.records() == []


def test_a_program_is_checked_wherever_its_network_is_named(node: Node, pod: Pod, directory: Path) -> None:
    """The Go Multus checks `delegates` alone: with clusterNetwork nothing."""
    path = put(directory / "10-main.conf", node.program("one"))
    config = named(node, path, defaultNetworks=[put(directory / "20-other.conf", node.program("other"))])
    node.call("ADD", config, pod).succeeded()
    node.call("CHECK", config, pod).succeeded()
    assert asked(node, "CHECK") == ["one", "other"]
    broken = {"cniVersion": "1.0.0", "code": 102, "msg": "the link is down"}
    node.program("one", CHECK={"status": 1, "stdout": json.dumps(broken)})
    assert "network net-one: " in node.call("CHECK", config, pod).failed(102)


def test_its_program_tells_the_status(node: Node, directory: Path) -> None:
    """The Go Multus crashes where it is a file."""
    away = {"cniVersion": "1.1.0", "code": 50, "msg": "no route to the fabric"}
    one = {**node.program("one", STATUS={"status": 1, "stdout": json.dumps(away)}), "cniVersion": "1.1.0"}
    path = put(directory / "10-main.conf", one)
    assert "no route to the fabric" in node.call("STATUS", named(node, path)).failed(50)
    node.program("one")
    node.call("STATUS", named(node, path)).succeeded()
    assert asked(node, "STATUS") == ["one", "one"]
