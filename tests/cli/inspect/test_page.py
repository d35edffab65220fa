"""docs/inspect.md: what it has operators type is typed here, on the node that it tells of, and prints what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.inspect.command import Inspect
from tests.cli.inspect.conftest import shell
from tests.cli.inspect.networks import primary, red
from tests.cli.terminal import ROOT
from tests.node import Pod

if TYPE_CHECKING:
    from tests.cli.inspect.conftest import Inspected

PAGE = ROOT / "docs" / "inspect.md"
PICTURE = ROOT / "docs" / "inspect.svg"
CONTAINERS = {"db-0": "1c9e07d5a2b4", "web-0": "4f2a6c1e9b7d", "web-1": "b83d5e60f1a2"}
PATIENCE = 30
_CHANGING = (
    (re.compile(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "0a:00:00:00:00:01"),
    (re.compile(r"\bveth[0-9a-f]{8}\b"), "veth5d1c02e9"),
    (re.compile(r"\bbwp[0-9a-f]{12}\b"), "bwp20e11653b32d"),
    (re.compile(r"\b\d+m?s\b"), "0s"),
    (re.compile(r", [rt]x bytes \d+\b"), ""),
    (re.compile(r"\b([rt]x packets) \d+\b"), r"\1 12"),
)


@pytest.fixture
def told(node: Inspected) -> Inspected:
    """The node of the page: one pod is as it should be, one was changed, the namespace of one is gone."""
    config = node.config(primary(node), red(node))
    node.write("00-multus.conf", config)
    pods = {}
    for name, container_id in CONTAINERS.items():
        pods[name] = Pod(node.pod(name).netns, container_id)
        arguments = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME={name};K8S_POD_UID=uid-of-{name}"
        node.call("ADD", config, pods[name], CNI_ARGS=arguments).succeeded()
    shell(
        pods["web-1"].netns,
        "ip address del 10.2.0.4/24 dev net1; ip address add 10.2.0.200/24 dev net1; ip link set eth0 mtu 1300",
    )
    subprocess.run(["umount", pods["db-0"].netns], check=True)
    os.unlink(pods["db-0"].netns)
    deadline = time.monotonic() + PATIENCE
    while list(node.links().values()).count("veth") > len(CONTAINERS) - 1:  # the kernel takes its time with namespaces
        assert time.monotonic() < deadline, "the kernel keeps a namespace that nobody has"
        time.sleep(0.01)
    return node


def plain(node: Inspected, text: str) -> str:
    """A text without what is different each time."""
    text = text.replace(str(node.root), "/run/netns").replace(os.uname().nodename, "node-a")
    for pattern, told in _CHANGING:
        text = pattern.sub(told, text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines()).strip()


def transcripts() -> list[tuple[str, str]]:
    """Every command of the page, and what stands below it."""
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    found = []
    for block in blocks:
        command, _, printed = block.partition("\n")
        found.append((command.removeprefix("# multus inspect").strip(), printed))
    return found


def test_the_page_shows_what_is_printed(told: Inspected) -> None:
    for command, shown in transcripts():
        printed = told.inspect(*command.split()).stdout
        assert plain(told, printed) == plain(told, shown), f"multus inspect {command}\n{printed}"


def test_the_picture_is_what_is_drawn(told: Inspected) -> None:
    assert plain(told, told.inspect("--graph", "svg").stdout) == plain(told, PICTURE.read_text())


def test_the_page_has_every_exit_status() -> None:
    rows = dict(re.findall(r"^\| (\d) \| (.+) \|$", PAGE.read_text(), re.MULTILINE))
    assert {int(code): text for code, text in rows.items() if code != "2"} == dict(Inspect.exits)
