"""A pod's own processes, with all rights in its namespaces, at work while its links are made and taken away."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.chains.lists import full

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import MakeNamespace
    from tests.node import Node, Pod

ROUNDS = 6
NOISE = {
    "renames": "for i in eth0 net1 net2; do ip link set $i down name x$i; ip link set x$i name $i; done",
    "removes": "for i in net1 net2 eth0; do ip link del $i; done",
    "takes names": "for i in eth0 net1 net2; do ip link add $i type veth peer name y$i; ip link del $i; done",
    "flushes": "ip addr flush dev net1; ip route flush dev net2; ip rule flush; ip link set eth0 down",
    "sets": "for i in /proc/sys/net/ipv6/conf/*; do echo 1 > $i/disable_ipv6; done; ip link set eth0 mtu 600",
    "moves": "ip link set net1 netns {other}; ip link set net2 netns {other}",
}

ENDED = "ip -o link | sed 's/^[0-9]*: //; s/[:@].*//' | while read -r i; do ip link del $i 2>/dev/null || :; done"
"""What the kernel does with the links of a namespace that ends."""


@contextmanager
def busy(pod: Pod, script: str, tmp_path: Path) -> Iterator[None]:
    """A shell in the pod's namespace that does this again and again."""
    stop = tmp_path / "stop"
    loop = f"while ! [ -e {stop} ]; do {script}; done 2>/dev/null"
    command = ["nsenter", f"--net={pod.netns}", "unshare", "--mount", "sh", "-c", f"mount -t proc proc /proc; {loop}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        stop.touch()
        process.wait()
        stop.unlink()


@pytest.mark.parametrize("noise", NOISE)
def test_whatever_a_pod_does_meanwhile_the_node_keeps_nothing_and_loses_nothing(
    node: Node, pod: Pod, netns: MakeNamespace, tmp_path: Path, noise: str
) -> None:
    """One document for each call, and then no reservation or record; what the pod hid of its links ends with it."""
    other = netns("other")
    bystander = node_links(node)
    sleeper = subprocess.Popen(["nsenter", f"--net={other}", "sleep", "600"])
    try:
        with busy(pod, NOISE[noise].format(other=sleeper.pid), tmp_path):
            for _ in range(ROUNDS):
                added = node.call("ADD", full(node), pod)
                assert not added.status or added.document["code"] != 999, added.document
                checked = node.call("CHECK", full(node), pod)
                assert not checked.status or checked.document["code"] != 999, checked.document
                gone = node.call("DEL", full(node), pod)
                assert not gone.status or gone.document["code"] != 999, gone.document
    finally:
        sleeper.kill()
        sleeper.wait()
    node.call("DEL", full(node), pod).succeeded()
    assert node.records() == []
    assert {name: node.reserved(name) for name in ("guarded", "routed", "pointed")} == {
        "guarded": {},
        "routed": {},
        "pointed": {},
    }
    command = ["nsenter", f"--net={node.host.path}", "nft", "list", "ruleset"]
    rules = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert pod.container_id not in rules
    assert not re.search(r"10\.[13]\.0\.[1-9]", rules)
    for namespace in (pod.netns, other):
        subprocess.run(["nsenter", f"--net={namespace}", "sh", "-c", ENDED], check=True)
    assert node_links(node) == bystander


def node_links(node: Node) -> dict[str, str]:
    return {name: kind for name, kind in node.links().items() if kind != "bridge"}
