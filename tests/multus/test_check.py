"""CHECK: whatever was changed in any attachment is found, and all of it is named."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node, Pod
    from tests.pods import MakePod


def three(node: Node) -> dict[str, Any]:
    return node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue", "10.3.0.0/24"))


def ip(netns: str, *arguments: str) -> None:
    subprocess.run(["nsenter", f"--net={netns}", "ip", *arguments], check=True)


def port(node: Node) -> str:
    return next(name for name, kind in node.links().items() if kind == "veth")


CHANGES: dict[str, tuple[str, str, Callable[[Node, Pod], object]]] = {
    "eth0 is down": ("primary", "down", lambda node, pod: ip(pod.netns, "link", "set", "eth0", "down")),
    "net1 is gone": ("red", "net1 is gone", lambda node, pod: ip(pod.netns, "link", "del", "net1")),
    "net1 has another MAC": (
        "red",
        "MAC",
        lambda node, pod: ip(pod.netns, "link", "set", "net1", "address", "02:00:00:00:00:07"),
    ),
    "net1 has another MTU": ("red", "MTU", lambda node, pod: ip(pod.netns, "link", "set", "net1", "mtu", "1300")),
    "an address of net2 is gone": (
        "blue",
        "10.3.0.2/24",
        lambda node, pod: ip(pod.netns, "addr", "del", "10.3.0.2/24", "dev", "net2"),
    ),
    "the default route is gone": ("primary", "0.0.0.0/0", lambda node, pod: ip(pod.netns, "route", "del", "default")),
    "a reservation is gone": ("red", "10.2.0.2", lambda node, pod: (node.addresses / "red/10.2.0.2").unlink()),
    "a reservation is another's": (
        "blue",
        "10.3.0.2",
        lambda node, pod: (node.addresses / "blue/10.3.0.2").write_bytes(b"pod-7\r\neth0"),
    ),
    "the port is on another bridge": (
        "primary",
        "not a port",
        lambda node, pod: ip(node.host.path, "link", "set", port(node), "nomaster"),
    ),
    "the gateway is gone": (
        "primary",
        "10.1.0.1",
        lambda node, pod: ip(node.host.path, "addr", "flush", "dev", "cni0"),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_found_and_its_network_named(node: Node, pod: Pod, change: str) -> None:
    network, told, make = CHANGES[change]
    node.call("ADD", three(node), pod).succeeded()
    assert node.call("CHECK", three(node), pod).succeeded().stdout == b""
    make(node, pod)
    message = node.call("CHECK", three(node), pod).failed(102)
    assert message.startswith("Multus: [blue/pod-1/u1]: ")
    assert f"network {network}: " in message
    assert told in message


def test_all_differences_are_named(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    ip(pod.netns, "link", "del", "net1")
    ip(pod.netns, "addr", "flush", "dev", "net2")
    (node.addresses / "primary/10.1.0.2").unlink()
    message = node.call("CHECK", three(node), pod).failed(102)
    assert all(f"network {name}: " in message for name in ("primary", "red", "blue"))
    assert message.count(" / ") == 2


def test_what_others_added_is_no_difference(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    ip(pod.netns, "addr", "add", "10.2.0.200/24", "dev", "net1")
    ip(pod.netns, "route", "add", "198.51.100.0/24", "via", "10.1.0.1")
    ip(pod.netns, "link", "add", "mine", "type", "bridge")
    node.call("CHECK", three(node), pod).succeeded()


def test_what_was_never_attached_cannot_be_in_order(node: Node, pod: Pod) -> None:
    assert "no record of an ADD of pod-1 eth0" in node.call("CHECK", three(node), pod).failed(102)
    assert not node.cni_dir.exists()


def test_what_is_half_deleted_is_not_in_order(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge(), node.program("fabric"))
    node.call("ADD", config, pod).succeeded()
    node.program("fabric", DEL={"status": 1})
    node.call("DEL", config, pod).failed(101)
    assert "a DEL of pod-1 eth0 was begun" in node.call("CHECK", config, pod).failed(102)


def test_a_program_of_a_version_without_check_is_passed_over(node: Node, pod: Pod) -> None:
    """The Go Multus fails with 999."""
    config = node.config({**node.program("old"), "cniVersion": "0.3.1"}, node.program("new"))
    node.call("ADD", config, pod).succeeded()
    node.call("CHECK", config, pod).succeeded()
    assert [call["name"] for call in node.calls("CHECK")] == ["new"]


def test_a_programs_objection_keeps_its_code(node: Node, pod: Pod) -> None:
    objection = json.dumps({"cniVersion": "1.0.0", "code": 120, "msg": "the tunnel is down"})
    config = node.config(node.program("fabric", CHECK={"status": 1, "stdout": objection}))
    node.call("ADD", config, pod).succeeded()
    assert "network net-fabric: the tunnel is down" in node.call("CHECK", config, pod).failed(120)


def test_disable_check_is_honoured(node: Node, pod: Pod) -> None:
    chain = {"cniVersion": "1.0.0", "name": "quiet", "disableCheck": True, "plugins": [node.program("one")]}
    config = node.config(node.bridge(), chain)
    node.call("ADD", config, pod).succeeded()
    node.call("CHECK", config, pod).succeeded()
    assert node.calls("CHECK") == []


def test_a_version_without_check_is_refused(node: Node, pod: Pod) -> None:
    node.call("CHECK", node.config(node.bridge(), cniVersion="0.3.1"), pod).failed(1)


def test_another_pods_namespace_is_not_in_order(node: Node, make_pod: MakePod) -> None:
    pod, other = make_pod("pod-1"), make_pod("pod-2")
    node.call("ADD", three(node), pod).succeeded()
    node.call("CHECK", three(node), pod, CNI_NETNS=other.netns).failed(102)
