"""GC: every trace of what the runtime does not know any more goes, in every network; what it knows stays whole."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.node import Pod, in_private_mounts

if TYPE_CHECKING:
    from tests.node import Answer, Node
    from tests.pods import MakePod


def three(node: Node, **more: object) -> dict[str, Any]:
    return node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue", "10.3.0.0/24"), **more)


def collect(node: Node, config: dict[str, Any], *valid: Pod) -> Answer:
    members = [{"containerID": pod.container_id, "ifname": "eth0"} for pod in valid]
    return node.call("GC", {**config, "cni.dev/valid-attachments": members})


def test_an_empty_list_leaves_nothing(node: Node, make_pod: MakePod) -> None:
    pods = [make_pod(f"pod-{at}") for at in range(3)]
    for pod in pods:
        node.call("ADD", three(node), pod).succeeded()
    assert collect(node, three(node)).succeeded().stdout == b""
    assert node.remains(*pods) == {}


def test_what_is_valid_stays_whole(node: Node, make_pod: MakePod) -> None:
    """The Go Multus turns the list around, and knows of no secondary network."""
    pods = [make_pod(f"pod-{at}") for at in range(4)]
    for pod in pods:
        node.call("ADD", three(node), pod).succeeded()
    collect(node, three(node), pods[1], pods[3]).succeeded()
    for at, pod in enumerate(pods):
        if at % 2:
            node.call("CHECK", three(node), pod).succeeded()
        else:
            assert pod.links() == {}
    assert node.records() == ["pod-1@eth0", "pod-3@eth0"]
    owners = {owner for network in ("primary", "red", "blue") for owner in node.reserved(network).values()}
    assert owners == {f"pod-{at} {ifname}" for at in (1, 3) for ifname in ("eth0", "net1", "net2")}


def test_a_namespace_that_is_gone_does_not_matter(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    subprocess.run(["umount", pod.netns], check=True)
    collect(node, three(node)).succeeded()
    assert node.records() == []
    assert node.reserved("red") == {}


def test_a_path_that_is_another_namespace_now_is_left_alone(node: Node, make_pod: MakePod) -> None:
    pod, other = make_pod("pod-1"), make_pod("pod-2")
    node.call("ADD", three(node), pod).succeeded()
    node.call("ADD", three(node), other).succeeded()
    subprocess.run(["umount", pod.netns], check=True)
    subprocess.run(["mount", "--bind", other.netns, pod.netns], check=True)
    collect(node, three(node), other).succeeded()
    node.call("CHECK", three(node), other).succeeded()
    assert node.records() == ["pod-2@eth0"]


def test_addresses_without_a_record_go_in_every_network(node: Node, pod: Pod) -> None:
    """A node whose journal was lost, or that had the Go programs before."""
    node.call("ADD", three(node), pod).succeeded()
    for network in ("primary", "red", "blue"):
        (node.addresses / network / f"10.{1 + ('primary', 'red', 'blue').index(network)}.0.77").write_bytes(
            b"lost\r\nnet1"
        )
    collect(node, three(node), pod).succeeded()
    node.call("CHECK", three(node), pod).succeeded()
    assert [len(node.reserved(network)) for network in ("primary", "red", "blue")] == [1, 1, 1]


def test_networks_that_are_configured_no_more_are_collected_too(node: Node, make_pod: MakePod) -> None:
    pod, stale = make_pod("pod-1"), make_pod("pod-2")
    node.call("ADD", three(node), pod).succeeded()
    node.call("ADD", three(node), stale).succeeded()
    collect(node, node.config(node.bridge()), pod).succeeded()
    assert node.remains(pod, stale).keys() == {"node", "addresses", "records", pod.netns}
    node.call("CHECK", three(node), pod).succeeded()
    assert set(node.reserved("red").values()) == {"pod-1 net1"}


def test_networks_of_one_name_are_each_collected(node: Node, pod: Pod) -> None:
    """A network whose dataDir was changed since has addresses in both places."""
    node.call("ADD", node.config(node.macvlan("red", "10.2.0.0/24")), pod).succeeded()
    elsewhere = {**node.ipam("10.2.0.0/24")["ipam"], "dataDir": str(node.root / "elsewhere")}
    (node.root / "elsewhere" / "red").mkdir(parents=True)
    (node.root / "elsewhere" / "red" / "10.2.0.9").write_bytes(b"lost\r\neth0")
    (node.addresses / "red" / "10.2.0.9").write_bytes(b"lost\r\neth0")
    collect(node, node.config(node.macvlan("red", ipam=elsewhere)), pod).succeeded()
    assert node.reserved("red") == {"10.2.0.2": "pod-1 eth0"}
    assert not (node.root / "elsewhere" / "red" / "10.2.0.9").exists()


def test_one_networks_failure_does_not_stop_the_others(node: Node, make_pod: MakePod) -> None:
    pods = [make_pod(f"pod-{at}") for at in range(2)]
    config = node.config(node.program("fabric"), node.macvlan("red", "10.2.0.0/24"))
    for pod in pods:
        node.call("ADD", config, pod).succeeded()
    failing = json.dumps({"cniVersion": "1.0.0", "code": 11, "msg": "the fabric is busy"})
    node.program("fabric", DEL={"status": 1, "stdout": failing})
    assert collect(node, config).failed(11).count("the fabric is busy") == 2
    assert node.reserved("red") == {}
    assert [pod.links() for pod in pods] == [{}, {}]
    assert node.records() == ["pod-0@eth0", "pod-1@eth0"]
    node.program("fabric")
    collect(node, config).succeeded()
    assert node.remains(*pods) == {}


def test_an_address_stays_reserved_while_its_link_cannot_go(node: Node, pod: Pod) -> None:
    chain = {
        "cniVersion": "1.0.0",
        "name": "chain",
        "plugins": [node.macvlan("ignored", "10.2.0.0/24"), {"type": "absent"}],
    }
    node.program("absent")
    config = node.config(node.bridge(), chain)
    node.call("ADD", config, pod).succeeded()
    (node.addresses / "chain" / "10.2.0.50").write_bytes(b"pod-1\r\nnet1")
    (node.bin_dir / "absent").unlink()
    assert "no program 'absent'" in collect(node, config).failed(101)
    assert [one.ifname for one in node.record(pod).attachments] == ["net1"]
    node.program("absent")
    collect(node, config).succeeded()
    assert node.remains(pod) == {}


def test_a_stale_pod_that_cannot_be_dropped_keeps_its_addresses(node: Node, pod: Pod) -> None:
    """Nor does a GC that fails again and again fill the disk."""
    config = node.config(node.bridge(), node.program("fabric"))
    node.call("ADD", config, pod).succeeded()
    node.program("fabric", DEL={"status": 1})
    sizes = []
    for _ in range(3):
        collect(node, config).failed(101)
        sizes.append(node.record_file(pod).stat().st_size)
    assert len(set(sizes)) == 1
    node.program("fabric")

    def read_only() -> None:
        for option in ("bind", "remount,ro,bind"):
            subprocess.run(["mount", "-o", option, node.cni_dir, node.cni_dir], check=True)
        (node.addresses / "primary" / "10.1.0.9").write_bytes(b"pod-1\r\nnet1")
        collect(node, config).failed(5)

    in_private_mounts(read_only)
    assert "10.1.0.9" in node.reserved("primary")
    collect(node, config).succeeded()
    assert node.remains(pod) == {}


def test_programs_that_know_gc_are_told_every_interface_that_stays(node: Node, make_pod: MakePod) -> None:
    pods = [make_pod("pod-1"), make_pod("pod-2")]
    old, new = node.program("old"), {**node.program("new"), "cniVersion": "1.1.0"}
    config = node.config(node.bridge(), old, new)
    for pod in pods:
        node.call("ADD", config, pod).succeeded()
    collect(node, config, pods[0]).succeeded()
    (call,) = node.calls("GC")
    assert call["name"] == "new"
    stays = [{"containerID": "pod-1", "ifname": ifname} for ifname in ("eth0", "net1", "net2")]
    assert call["stdin"]["cni.dev/valid-attachments"] == call["stdin"]["cni.dev/attachments"] == stays


def test_disable_gc_is_honoured(node: Node, pod: Pod) -> None:
    quiet = {**node.macvlan("quiet", "10.2.0.0/24"), "disableGC": True}
    node.call("ADD", node.config(quiet), pod).succeeded()
    (node.addresses / "quiet" / "10.2.0.9").write_bytes(b"lost\r\neth0")
    collect(node, node.config(quiet), pod).succeeded()
    assert "10.2.0.9" in node.reserved("quiet")


def test_a_container_with_two_networks_of_ours_keeps_the_valid_one(node: Node, pod: Pod) -> None:
    first, second = node.config(node.bridge()), node.config(node.bridge("second", "10.4.0.0/24", bridge="cni1"))
    node.call("ADD", first, pod).succeeded()
    node.call("ADD", second, pod, CNI_IFNAME="eth1").succeeded()
    valid = [{"containerID": "pod-1", "ifname": "eth1"}]
    node.call("GC", {**first, "cni.dev/valid-attachments": valid}).succeeded()
    assert pod.links() == {"eth1": "veth"}
    node.call("CHECK", second, pod, CNI_IFNAME="eth1").succeeded()


def test_a_version_without_gc_is_refused(node: Node) -> None:
    collect(node, three(node, cniVersion="1.0.0")).failed(1)


def test_nothing_at_all_is_nothing_to_collect(node: Node) -> None:
    collect(node, three(node)).succeeded()
    assert not node.cni_dir.exists()
    assert not node.addresses.exists()
    collect(node, three(node), Pod("", "pod-1")).succeeded()
