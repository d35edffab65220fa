"""docs/explain.md and docs/call.md: what they have operators type is typed here, and prints what they show."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.call.command import Call
from cni_multus.cli.explain.command import Explain
from cni_multus.cli.main import run
from tests.cli.explain.conftest import NETWORKS
from tests.cli.terminal import ROOT
from tests.conftest import LIBC, MS_BIND, checked
from tests.node import Pod, in_private_mounts

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.cli.command import Command
    from tests.cli.explain.conftest import Explained

PAGES = {"explain": Explain, "call": Call}
_CHANGING = (
    (re.compile(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "0a:00:00:00:00:01"),
    (re.compile(r", fe80::[0-9a-f:]+/64"), ""),
    (re.compile(r"(?<![\d.])\d+\.\d(?![\d.])"), "1.0"),
    (re.compile(r"(ipam|waiting|programs|api) 1\.0,? ?"), ""),
)


def page(name: str) -> Path:
    return ROOT / "docs" / f"{name}.md"


def plain(text: str) -> str:
    """A text without what is different each time."""
    for pattern, told in _CHANGING:
        text = pattern.sub(told, text)
    return "\n".join(" ".join(line.split()).rstrip(" -") for line in text.splitlines()).strip()


def transcripts(name: str) -> list[tuple[str, str]]:
    """Every command of a page, and what stands below it."""
    blocks = re.findall(r"^```console\n(.*?)^```$", page(name).read_text(), re.MULTILINE | re.DOTALL)
    parts = [block.partition("\n") for block in blocks]
    return [(command.removeprefix(f"# multus {name}").strip(), printed) for command, _, printed in parts]


@pytest.fixture
def told(node: Explained) -> Explained:
    """The node of the pages: a bridge for all pods, a network with room, and one of two addresses that is full."""
    routed = {"type": "tuning", "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}, "dataDir": f"{node.root}/tuned"}
    primary = {"cniVersion": "1.1.0", "name": "primary", "plugins": [node.bridge(), routed]}
    node.define("red", node.macvlan("red", "10.2.0.0/24"), namespace="shop")
    tiny = {**node.ipam("10.3.0.0/29")["ipam"], "rangeStart": "10.3.0.2", "rangeEnd": "10.3.0.3"}
    node.define("tiny", {**node.macvlan("tiny"), "ipam": tiny}, namespace="shop")
    config = node.config(primary, nadDir=str(node.nads))
    node.write("00-multus.conf", config)
    node.write("10-primary.conflist", primary)
    for name in ("db-0", "db-1"):
        pod = Pod(node.pod(name).netns, f"4f2a6c1e9b7d{name[-1]}")
        arguments = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME={name};K8S_POD_UID=uid-of-{name}"
        asked = {**config, "runtimeConfig": {"io.kubernetes.cri.pod-annotations": {NETWORKS: "tiny"}}}
        node.call("ADD", asked, pod, CNI_ARGS=arguments).succeeded()
    return node


def printed(node: Explained, name: str, command: str) -> str:
    """What a command of a page prints on that node."""
    if name == "explain":
        return node.explain(*command.split()).stdout
    stdout = StringIO()
    more = ["--conf-dir", str(node.networks), "--bin-dir", str(node.bin_dir)]

    def typed() -> int:
        checked(LIBC.mount(bytes(node.run_dir), b"/run", None, MS_BIND, None))
        return run("multus", [name, *command.split(), *more])

    with redirect_stdout(stdout):
        node.run(lambda: in_private_mounts(typed))
    return stdout.getvalue()


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_show_what_is_printed(told: Explained, name: str) -> None:
    for command, shown in transcripts(name):
        seen = printed(told, name, command)
        assert plain(seen) == plain(shown), f"multus {name} {command}\n{seen}"


@pytest.mark.parametrize(("name", "command"), PAGES.items())
def test_the_pages_have_every_exit_status(name: str, command: type[Command]) -> None:
    rows = dict(re.findall(r"^\| (\d) \| (.+) \|$", page(name).read_text(), re.MULTILINE))
    assert {int(code): text for code, text in rows.items() if code != "2"} == dict(command.exits)
