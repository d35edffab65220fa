"""The first line names why an ADD would fail, and the ADD fails for that reason."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, USAGE
from cni_multus.cli.explain.command import Explain
from tests.cli.explain.conftest import NETWORKS, manifest
from tests.node import UPLINK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.explain.conftest import Explained

ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
TOLD = "IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=pod"


def fill(node: Explained) -> None:
    node.define("red", {**node.macvlan("red"), **tiny(node)})
    for name in ("first", "second"):
        pod = node.pod(name)
        config = {
            **node.config(node.bridge(), nadDir=str(node.nads)),
            "runtimeConfig": {ANNOTATIONS: {NETWORKS: "red"}},
        }
        node.call("ADD", config, pod, CNI_ARGS=f"{TOLD}-{name}").succeeded()


def tiny(node: Explained) -> dict[str, Any]:
    ipam = node.ipam("10.2.0.0/29")["ipam"]
    return {"ipam": {**ipam, "rangeStart": "10.2.0.2", "rangeEnd": "10.2.0.3"}}


def lower(node: Explained) -> None:
    node.define("red", node.macvlan("red", "10.2.0.0/24"))
    subprocess.run(["nsenter", f"--net={node.host.path}", "ip", "link", "set", UPLINK, "down"], check=True)


CASES: dict[str, tuple[Callable[[Explained], object], str, int, str]] = {
    "a full pool": (fill, "red", 11, "no IP addresses available in range set 0"),
    "a master that is down": (lower, "red", 7, f"master: {UPLINK} is down"),
    "a master that is missing": (
        lambda node: node.define("red", node.macvlan("red", "10.2.0.0/24", master="eth9")), "red", 7, "no link eth9"
    ),
    "too large an MTU": (
        lambda node: node.define("red", node.macvlan("red", "10.2.0.0/24", mtu=9000)), "red", 7, "mtu: 9000 is more"
    ),
    "a network that nobody defined": (lambda _: None, "green", 7, "cannot find a network-attachment-definition"),
    "a type that is nowhere": (lambda node: node.define("red", {"type": "macvlam"}), "red", 101, "no program"),
    "a typo in a value": (
        lambda node: node.define("red", node.macvlan("red", "10.2.0.0/24", mode="brigde")), "red", 7, "mode: 'brigde'"
    ),
    "a name that is taken twice": (
        lambda node: node.define("red", node.macvlan("red", "10.2.0.0/24")), "red@net2,red", 7, "interface net2"
    ),
    "an annotation that is no JSON": (lambda _: None, '[{"name": "red"', 6, NETWORKS),
    "a chained plugin alone": (lambda node: node.define("red", {"type": "sbr"}), "red", 7, "sbr"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_first_line_says_why(node: Explained, name: str) -> None:
    arrange, annotation, code, why = CASES[name]
    arrange(node)
    config = node.config(node.bridge(), nadDir=str(node.nads))
    node.write("00-multus.conf", config)
    ended = node.explain("--annotation", annotation, "--namespace", "blue")
    assert ended.status == FOUND, ended.stdout + ended.stderr
    first = ended.stdout.splitlines()[0]
    assert "an ADD would fail" in first
    assert why in first
    handed = {**config, "runtimeConfig": {ANNOTATIONS: {NETWORKS: annotation}}}
    answer = node.call("ADD", handed, node.pod("web-0"), CNI_ARGS=TOLD)
    message = answer.failed(code)
    foreseen = node.foreseen("--annotation", annotation, "--namespace", "blue")["problems"][0]
    assert foreseen["code"] == code
    assert why in foreseen["msg"] or why in message


def test_who_has_a_full_pool_is_told(node: Explained) -> None:
    fill(node)
    node.write("00-multus.conf", node.config(node.bridge(), nadDir=str(node.nads)))
    first = node.explain("--annotation", "red", "-n", "blue").stdout.splitlines()[0]
    assert "held by pod blue/pod-first (10.2.0.2), pod blue/pod-second (10.2.0.3)" in first


def test_isolation_is_told(node: Explained) -> None:
    node.define("red", node.macvlan("red", "10.2.0.0/24"), namespace="green")
    node.write("00-multus.conf", node.config(node.bridge(), nadDir=str(node.nads), namespaceIsolation=True))
    ended = node.explain("--annotation", "green/red", "-n", "blue")
    assert ended.status == FOUND
    assert "namespaceIsolation is on" in ended.stdout.splitlines()[0]


def test_a_taken_name_is_told(node: Explained) -> None:
    node.write("00-multus.conf", node.config(node.bridge()))
    pod = node.pod("web-0")
    assert node.explain("--annotation", "", "--netns", pod.netns).status == DONE
    node.call("ADD", node.config(node.bridge()), pod).succeeded()
    ended = node.explain("--annotation", "", "--netns", pod.netns)
    assert ended.status == FOUND
    assert "has an interface eth0 already" in ended.stdout.splitlines()[0]


def test_manifests_are_enough(node: Explained, tmp_path: Any) -> None:
    node.define("red", node.macvlan("red", "10.2.0.0/24"))
    conf = tmp_path / "any.conf"
    conf.write_text(json.dumps({"cniVersion": "1.0.0", **node.bridge(capabilities={"portMappings": True})}))
    pod = tmp_path / "pod.yaml"
    ports = [{"name": "web", "image": "web", "ports": [{"containerPort": 80, "hostPort": 8080}]}]
    pod.write_text(json.dumps(manifest("red", containers=ports)))
    ended = node.explain("-f", str(pod), "--nads", str(node.nads), "--conf", str(conf), "-o", "json")
    assert ended.status == DONE, ended.stdout
    primary, red = ended.document["networks"]
    assert primary["plugins"][0]["capabilities"] == {
        "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
    }
    assert (red["name"], red["master"], red["addresses"]) == ("blue/red", UPLINK, ["10.2.0.2/24"])


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        ([], USAGE, "which pod?"),
        (["web-0", "--annotation", "red"], USAGE, "give one of them"),
        (["web-0"], USAGE, "no API server is named"),
        (["--annotation", "red", "--conf", "/nonexistent"], FOUND, "there is no file /nonexistent"),
        (["-f", "/nonexistent"], FOUND, "there is no file /nonexistent"),
    ],
)
def test_what_cannot_be_explained(node: Explained, arguments: list[str], status: int, why: str) -> None:
    node.write("00-multus.conf", node.config(node.bridge()))
    ended = node.explain(*arguments)
    assert ended.status == status
    assert why in ended.stdout + ended.stderr


def test_a_broken_configuration_is_told_with_its_place(node: Explained) -> None:
    node.write("00-multus.conf", node.config(node.bridge(), delegateTimeout="soon"))
    ended = node.explain("--annotation", "")
    assert ended.status == FOUND
    assert "delegateTimeout" in ended.stdout.splitlines()[0]
    node.write("00-multus.conf", '{"name": "x", "type": "multus",')
    ended = node.explain("--annotation", "")
    assert ended.status == FOUND
    assert "00-multus.conf" in ended.stdout.splitlines()[0]


def test_the_exits_are_told() -> None:
    assert set(Explain.exits) == {DONE, FOUND, PARTIAL, FAILED}
