"""What a tenant names reaches logs, errors, records and the kernel as a name, and as nothing else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.security.asking import asking, define

if TYPE_CHECKING:
    from tests.node import Node, Pod

FORGED = "\n2026-01-01T00:00:00Z [error] [kube-system/x/y] ADD ok"
HOSTILE = [
    FORGED,
    "\r\x1b[2J\x1b[31m",
    "\x9b31m",
    "\u202egnp.exe\u2066",
    "\u2028\u2029\x85\x0b\x0c",
    '"}], "code": 0, "x": [{"',
    "a" * 5000,
    "../../../etc/passwd",
    "\ud800",
    "$(reboot)`reboot`",
    "%s%n{0}",
]
LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[(error|info|verbose|debug)\] \[blue/pod-1/u1\] ")


def harmless(text: str) -> None:
    """One entry a line, each of this pod, with nothing that a terminal or a reader would act upon."""
    lines = text.split("\n")
    assert lines.pop() == ""
    for line in lines:
        assert LINE.match(line), line
        assert line.isprintable(), line
        assert len(line) < 20_000


def asked(node: Node, pod: Pod, networks: object) -> None:
    """Whatever comes of it is one document, and lines of a log."""
    log = node.root / "log"
    config = asking(node, networks, logFile=str(log), logLevel="debug", logToStderr=False)
    for command in ("ADD", "DEL"):
        answer = node.call(command, config, pod)
        assert answer.stdout.isascii()
        assert answer.stderr == ""
        if answer.status:
            assert command == "ADD"
            assert answer.document["code"] in (1, 2, 5, 6, 7, 100, 101), answer.document
            assert len(answer.stdout) < 60_000
    harmless(log.read_text())
    assert node.remains(pod) == {}


@pytest.mark.parametrize("key", ["name", "namespace", "interface", "mac", "ips", "deviceID", "cni-args", "shorthand"])
def test_an_annotation_forges_nothing(node: Node, pod: Pod, key: str) -> None:
    define(node, "red", {"type": "macvlan", "master": "up0"})
    for text in HOSTILE:
        element: dict[str, object] = {"name": "red", key: text}
        if key in ("ips", "cni-args"):
            element[key] = [text] if key == "ips" else {text: text}
        asked(node, pod, f"blue/{text}@{text}" if key == "shorthand" else [element])


@pytest.mark.parametrize("key", ["name", "type", "master", "bridge", "ipam", "cniVersion", "subnet", "plugins"])
def test_a_definition_forges_nothing(node: Node, pod: Pod, key: str) -> None:
    for text in HOSTILE:
        config: dict[str, object] = {"name": "red", "type": "bridge", "bridge": "cni0"}
        if key == "subnet":
            config["ipam"] = {"type": "host-local", "subnet": text, "routes": [{"dst": text}]}
        else:
            config[key] = {"type": text} if key == "ipam" else text
        define(node, "red", config if key != "plugins" else text)
        asked(node, pod, "red")


def test_an_interface_of_any_name_that_the_kernel_takes(node: Node, pod: Pod) -> None:
    """Quotes, escapes and stars are letters to the kernel; they name a link, a reservation and a rule here, too."""
    define(node, "red", node.macvlan("red", "10.2.0.0/24"))
    define(node, "way", {"name": "way", "type": "bridge", "bridge": "br1", "ipMasq": True, **node.ipam("10.3.0.0/24")})
    log = node.root / "log"
    for name in ("\x1b[31mred", 'a"b\\c', "$(reboot)", "*", "-j", "{0}", "\xe9", "..a", ".multus-x"):
        networks = [{"name": "red", "interface": name}, {"name": "way", "interface": f"{name[:9]}2"}]
        config = asking(node, networks, logFile=str(log), logLevel="debug", logToStderr=False)
        node.call("ADD", config, pod).succeeded()
        assert name in pod.links()
        node.call("CHECK", config, pod).succeeded()
        node.call("DEL", config, pod).succeeded()
        assert pod.links() == {}
        assert node.reserved("red") == node.reserved("way") == {}
    harmless(log.read_text())
    assert all(json.dumps(line).isascii() for line in log.read_text().splitlines())
