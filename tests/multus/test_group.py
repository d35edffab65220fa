"""DEL takes all links of a sandbox at once, and only those."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from cni_multus.marks import group_of

if TYPE_CHECKING:
    from tests.node import Node, Pod


def three(node: Node) -> dict[str, Any]:
    return node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue"))


def ip(netns: str, *arguments: str) -> None:
    subprocess.run(["nsenter", f"--net={netns}", "ip", *arguments], check=True)


def test_links_that_somebody_else_made_stay(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    ip(pod.netns, "link", "add", "mine", "type", "bridge")
    ip(pod.netns, "link", "add", "grouped", "group", "7", "type", "veth", "peer", "name", "other")
    node.call("DEL", three(node), pod).succeeded()
    assert pod.links() == {"mine": "bridge", "grouped": "veth", "other": "veth"}


def test_a_link_of_another_kind_with_our_name_stays(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    ip(pod.netns, "link", "del", "net1")
    ip(pod.netns, "link", "add", "net1", "type", "bridge")
    node.call("DEL", three(node), pod).succeeded()
    assert pod.links() == {"net1": "bridge"}


def test_a_group_that_the_kernel_refuses_goes_one_by_one(node: Node, pod: Pod) -> None:
    """`lo`, as any physical link, cannot be deleted: one in the group, and the kernel deletes none of it."""
    node.call("ADD", three(node), pod).succeeded()
    ip(pod.netns, "link", "set", "lo", "group", str(group_of("pod-1@eth0")))
    node.call("DEL", three(node), pod).succeeded()
    assert node.remains(pod) == {}


def test_a_link_that_the_container_renamed_goes_too(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    ip(pod.netns, "link", "set", "net1", "down")
    ip(pod.netns, "link", "set", "net1", "name", "lan0")
    node.call("DEL", three(node), pod).succeeded()
    assert node.remains(pod) == {}


def test_two_networks_of_one_container_keep_apart(node: Node, pod: Pod) -> None:
    """A runtime may call us for eth0 and for eth1: the DEL of one leaves the other alone."""
    first, second = node.config(node.bridge()), node.config(node.bridge("second", "10.4.0.0/24", bridge="cni1"))
    node.call("ADD", first, pod).succeeded()
    node.call("ADD", second, pod, CNI_IFNAME="eth1").succeeded()
    node.call("DEL", first, pod).succeeded()
    assert pod.links() == {"eth1": "veth"}
    assert node.records() == ["pod-1@eth1"]
    node.call("CHECK", second, pod, CNI_IFNAME="eth1").succeeded()
    node.call("DEL", second, pod, CNI_IFNAME="eth1").succeeded()
    assert node.remains(pod) == {}


def test_what_a_runtime_attached_beside_us_stays(node: Node, pod: Pod) -> None:
    """The same program, called as macvlan, for the same container."""
    alone = {"cniVersion": "1.1.0", **node.macvlan("alone", "10.5.0.0/24")}
    node.call("ADD", three(node), pod).succeeded()
    answer = node.call("ADD", alone, pod, kind="macvlan", CNI_IFNAME="eth1").succeeded().document
    node.call("DEL", three(node), pod).succeeded()
    assert pod.links() == {"eth1": "macvlan"}
    node.call("CHECK", {**alone, "prevResult": answer}, pod, kind="macvlan", CNI_IFNAME="eth1").succeeded()


def test_a_program_in_a_chain_still_sees_its_link(node: Node, pod: Pod) -> None:
    """It may have to read from the link what it must take back: the chain goes backwards, as it came."""
    tuning = node.bin_dir / "shaping"
    tuning.write_text(
        "#!/bin/sh\n"
        f'echo $CNI_COMMAND $(nsenter --net="$CNI_NETNS" ip -o link show "$CNI_IFNAME" | wc -l) >> {node.root}/seen\n'
        'test $CNI_COMMAND != ADD || echo \'{"cniVersion": "1.0.0"}\'\n'
    )
    tuning.chmod(0o755)
    plugins = [node.macvlan("ignored", "10.2.0.0/24"), {"type": "shaping"}]
    config = node.config(node.bridge(), {"cniVersion": "1.0.0", "name": "chain", "plugins": plugins})
    node.call("ADD", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert (node.root / "seen").read_text().splitlines() == ["ADD 1", "DEL 1"]
    assert node.remains(pod) == {}
