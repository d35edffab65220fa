"""cnitool with the Go plugins as its programs, and with our own: what either attached, the other detaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.shown import Shown
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.terminal import Terminal
    from tests.conftest import MakeNamespace


def tuning(node: Terminal) -> dict[str, Any]:
    return {"type": "tuning", "mtu": 1400, "dataDir": str(node.names.parent / "tuning")}


def static(node: Terminal) -> dict[str, Any]:
    return {"type": "static", "addresses": [{"address": "10.3.0.9/24"}], "dataDir": str(node.names.parent / "static")}


NETWORKS: dict[str, Callable[[Terminal], dict[str, Any]]] = {
    "bridge": lambda node: node.bridge("net"),
    "macvlan": lambda node: node.macvlan("net", "10.3.0.0/24"),
    "static": lambda node: node.macvlan("net", ipam=static(node)),
    "loopback": lambda node: {"name": "net", "type": "loopback"},
    "chain": lambda node: {"name": "net", "plugins": [node.bridge("net"), tuning(node)]},
}
OURS, THEIRS = "ours", "theirs"


class Tools:
    """cnitool without and with the Go plugins in CNI_PATH."""

    def __init__(self, node: Terminal, network: str) -> None:
        go = reference_plugins()
        self.node = node
        self.path = {OURS: str(node.bin_dir), THEIRS: str(go)}
        node.write("10-net.conf", {"cniVersion": "1.0.0", **NETWORKS[network](node)})

    def add(self, whose: str, pod: str) -> dict[str, Any]:
        return self.node.cnitool("add", "net", pod, CNI_PATH=self.path[whose]).succeeded().document

    def delete(self, whose: str, pod: str) -> None:
        self.node.cnitool("del", "net", pod, CNI_PATH=self.path[whose]).succeeded()

    def check(self, whose: str, pod: str) -> None:
        self.node.cnitool("check", "net", pod, CNI_PATH=self.path[whose]).succeeded()


@pytest.fixture(params=NETWORKS)
def tools(node: Terminal, request: pytest.FixtureRequest) -> Tools:
    return Tools(node, request.param)


@pytest.mark.parametrize("first", [OURS, THEIRS])
def test_either_detaches_what_the_other_attached(tools: Tools, pod: str, first: str) -> None:
    second = THEIRS if first == OURS else OURS
    tools.add(first, pod)
    tools.check(first, pod)
    tools.delete(second, pod)
    assert Shown(pod).links() == set()
    assert tools.node.reserved("net") == {}
    assert tools.node.remembered() == []
    tools.add(second, pod)
    tools.delete(first, pod)
    assert Shown(pod).links() == set()


@pytest.mark.parametrize("checking", [OURS, THEIRS])
def test_either_is_content_with_what_the_other_attached(tools: Tools, pod: str, checking: str) -> None:
    tools.add(THEIRS if checking == OURS else OURS, pod)
    tools.check(checking, pod)


def test_both_print_the_same_result(tools: Tools, netns: MakeNamespace) -> None:
    shown = []
    for whose in (OURS, THEIRS):
        pod = netns(whose)
        shown.append(anonymous(tools.add(whose, pod), pod))
        tools.delete(whose, pod)
        for link in Shown(tools.node.host.path).links() & {"cni0"}:
            Shown(tools.node.host.path).run(f"ip link delete {link}")
        for last in tools.node.addresses.glob("net/last_reserved_ip*"):
            last.unlink()
    assert shown[0] == shown[1]


def anonymous(result: dict[str, Any], pod: str) -> dict[str, Any]:
    """Without what differs from one ADD to the next: MACs, the names of veth ends, the namespace."""
    for interface in result["interfaces"]:
        interface["mac"] = "any"
        interface["name"] = "veth" if interface["name"].startswith("veth") else interface["name"]
        if "sandbox" in interface:
            assert interface["sandbox"] == pod
            interface["sandbox"] = "the pod's"
    return result
