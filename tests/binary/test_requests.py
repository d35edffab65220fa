"""The built program as a runtime calls it: its names, its verbs, and whatever it is asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.versions import SUPPORTED
from cni_multus.registry import MODULES
from tests.binary.calls import ask, call, three
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod


def test_a_pod_with_three_networks_from_add_to_del(node: Node, pod: Pod) -> None:
    config = three(node)
    assert ask(node, None, "STATUS", config).succeeded().stdout == b""
    added = ask(node, pod, "ADD", config).succeeded()
    assert added.stderr == ""
    assert [ip["address"] for ip in added.document["ips"]] == ["10.1.0.2/24"]
    assert pod.links() == {"eth0": "veth", "net1": "macvlan", "net2": "macvlan"}
    ping = subprocess.run(
        ["nsenter", f"--net={pod.netns}", "ping", "-c1", "-W2", "10.1.0.1"], capture_output=True, check=False
    )
    assert ping.returncode == 0
    assert ask(node, pod, "CHECK", config).succeeded().stdout == b""
    valid = [{"containerID": "pod-1", "ifname": "eth0"}]
    assert ask(node, None, "GC", {**config, "cni.dev/valid-attachments": valid}).succeeded().stdout == b""
    ask(node, pod, "CHECK", config).succeeded()
    for _ in range(2):
        assert ask(node, pod, "DEL", config).succeeded().stdout == b""
    assert node.remains(pod) == {}
    ask(node, pod, "ADD", config).succeeded()
    ask(node, None, "GC", {**config, "cni.dev/valid-attachments": []}).succeeded()
    assert node.remains(pod) == {}


@pytest.mark.parametrize("name", [*MODULES, "something-else"])
def test_every_name_tells_its_versions(node: Node, tmp_path: Path, name: str) -> None:
    link = tmp_path / name
    link.symlink_to(PROGRAM)
    answer = call(node, {"CNI_COMMAND": "VERSION"}, b"not \xff JSON", program=str(link)).succeeded()
    assert answer.document == {"cniVersion": "1.1.0", "supportedVersions": list(SUPPORTED)}


@pytest.mark.parametrize("name", [name for name in MODULES if name != "multus"])
def test_a_plugin_without_command_says_what_it_is(node: Node, tmp_path: Path, name: str) -> None:
    link = tmp_path / name
    link.symlink_to(PROGRAM)
    answer = call(node, {}, program=str(link)).succeeded()
    assert answer.stdout == b""
    assert name in answer.stderr
    assert "1.1.0" in answer.stderr


def test_a_link_is_the_plugin_of_its_name(node: Node, pod: Pod, tmp_path: Path) -> None:
    link = tmp_path / "macvlan"
    link.symlink_to(PROGRAM)
    config = {"cniVersion": "1.1.0", **node.macvlan("red", "10.2.0.0/24")}
    added = ask(node, pod, "ADD", config, program=str(link)).succeeded()
    assert pod.links() == {"eth0": "macvlan"}
    ask(node, pod, "CHECK", {**config, "prevResult": added.document}, program=str(link)).succeeded()
    ask(node, pod, "DEL", config, program=str(link)).succeeded()
    assert node.remains(pod) == {}


GARBAGE: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 6),
    "blanks": (b" \n\t", 6),
    "text": (b"hello", 6),
    "half": (b'{"cniVersion": "1.0.0", "na', 6),
    "a list": (b"[]", 6),
    "null": (b"null", 6),
    "bytes": (bytes(range(256)), 6),
    "utf-16": ('{"name": "a"}'.encode("utf-16"), 6),
    "two documents": (b'{"name": "a"}{"name": "b"}', 6),
    "not a number": (b'{"name": "a", "mtu": NaN}', 6),
    "deep": (b"[" * 100_000, 6),
    "deep objects": (b'{"a":' * 50_000, 6),
    "a huge number": (b'{"name": "a", "delegateTimeout": ' + b"9" * 10_000 + b"}", 6),
    "huge": (b"x" * (20 << 20), 6),
    "a huge document": (b'{"name": "a", "x": "' + b"x" * (20 << 20) + b'"}', 6),
    "no name": (b"{}", 7),
    "a bad name": (b'{"name": "../a"}', 7),
    "a bad version": (b'{"name": "a", "cniVersion": "9.9.9"}', 1),
    "a version that is none": (b'{"name": "a", "cniVersion": {}}', 6),
    "no networks": (b'{"name": "a", "cniVersion": "1.0.0"}', 7),
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_on_standard_input_is_one_error(node: Node, pod: Pod, garbage: str) -> None:
    stdin, code = GARBAGE[garbage]
    answer = ask(node, pod, "ADD", stdin)
    answer.failed(code)
    assert re.sub(r"\S+ \[error\] \[blue/pod-1/u1\] ADD failed in .*\n", "", answer.stderr, count=1) == ""
    assert node.remains(pod) == {}
    assert ask(node, pod, "DEL", stdin).status in (0, 1)


ENVIRONMENTS: dict[str, dict[str, str]] = {
    "no container": {"CNI_CONTAINERID": ""},
    "a bad container": {"CNI_CONTAINERID": "../x"},
    "no namespace": {"CNI_NETNS": ""},
    "no interface": {"CNI_IFNAME": ""},
    "a long interface": {"CNI_IFNAME": "a" * 16},
    "a template": {"CNI_IFNAME": "eth%d"},
    "a verb that is none": {"CNI_COMMAND": "UPDATE"},
    "a verb in small letters": {"CNI_COMMAND": "add"},
    "bad arguments": {"CNI_ARGS": "what"},
}


@pytest.mark.parametrize("changed", ENVIRONMENTS)
def test_a_bad_environment_is_one_error(node: Node, pod: Pod, changed: str) -> None:
    environment = pod.environment("ADD", str(node.runtime_path), **ENVIRONMENTS[changed])
    answer = call(node, environment, three(node))
    answer.failed(4)
    assert answer.stderr == ""
    assert node.remains(pod) == {}
    assert not node.cni_dir.exists()


def test_bytes_that_are_no_text_in_the_environment_are_one_error(node: Node, pod: Pod) -> None:
    environment = {**pod.environment("ADD", str(node.runtime_path)), "CNI_IFNAME": os.fsdecode(b"eth\xff")}
    call(node, environment, three(node)).failed(4)


def test_without_any_environment_it_is_the_command_line(node: Node) -> None:
    answer = call(node, {}).succeeded()
    assert "CNI multus plugin" in answer.stderr
    assert all(version in answer.stderr for version in SUPPORTED)


def test_all_links_of_a_pod_go_with_one_message(node: Node, pod: Pod, tmp_path: Path) -> None:
    """Each one alone would cost 15 ms."""
    log = tmp_path / "trace"
    ask(node, pod, "ADD", three(node)).succeeded()
    strace = ["strace", "-f", "-qq", "-e", "trace=sendto,sendmsg,write", "-s", "4096", "-o", str(log)]
    ask(node, pod, "DEL", three(node), *strace).succeeded()
    assert len(re.findall(r"nlmsg_type=(?:RTM_DELLINK|0x11\b)", log.read_text())) == 1
    assert node.remains(pod) == {}


def test_every_request_is_one_line_of_the_log_file(node: Node, pod: Pod) -> None:
    log = node.root / "multus.log"
    config = three(node, logFile=str(log), logFormat="json")
    quiet = [ask(node, pod, verb, config).succeeded().stderr for verb in ("ADD", "DEL", "DEL")]
    failed = ask(node, pod, "ADD", {**config, "delegates": []})
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["verb"], line["outcome"]) for line in lines] == [
        ("ADD", "ok"),
        ("DEL", "ok"),
        ("DEL", "ok"),
        ("ADD", "failed"),
    ]
    assert [one["interface"] for one in lines[0]["networks"]] == ["eth0", "net1", "net2"]
    told = [[{**one, "ms": None} for one in line["networks"]] for line in lines[:2]]
    assert told[0] == told[1]
    assert lines[-1]["message"] == failed.failed(7)
    assert (quiet, failed.stderr) == (["", "", ""], log.read_text().splitlines(keepends=True)[-1])


def test_messages_of_the_log_stay_off_standard_output(node: Node, pod: Pod) -> None:
    answer = ask(node, pod, "ADD", three(node, logLevel="debug")).succeeded()
    assert answer.document["cniVersion"] == "1.1.0"
    assert answer.stderr.count("\n") == 6
    assert sys.executable not in answer.stderr
