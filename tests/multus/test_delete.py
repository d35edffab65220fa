"""DEL: everything goes, whatever is missing, broken or changed since the ADD; twice is as good as once."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import Pod, in_private_mounts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node
    from tests.pods import MakePod

BUSY = json.dumps({"cniVersion": "1.0.0", "code": 11, "msg": "the fabric is busy"})


def three(node: Node, **more: object) -> dict[str, Any]:
    return node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue", "10.3.0.0/24"), **more)


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def test_nothing_is_left(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    assert node.call("DEL", three(node), pod).succeeded().stdout == b""
    assert node.remains(pod) == {}


def test_twice_succeeds_twice(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    for _ in range(3):
        node.call("DEL", three(node), pod).succeeded()
    assert node.remains(pod) == {}


def test_without_a_namespace_the_recorded_one_is_cleared_if_it_lives(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    node.call("DEL", three(node), pod, CNI_NETNS="").succeeded()
    assert node.remains(pod) == {}


@pytest.mark.parametrize("stale", ["", "gone", "file", "directory"])
def test_a_namespace_that_is_gone_needs_no_clearing(node: Node, pod: Pod, stale: str, tmp_path: Path) -> None:
    node.call("ADD", three(node), pod).succeeded()
    subprocess.run(["umount", pod.netns], check=True)
    path = {"": "", "gone": str(tmp_path / "gone"), "file": pod.netns, "directory": str(tmp_path)}[stale]
    node.call("DEL", three(node), pod, CNI_NETNS=path).succeeded()
    assert node.records() == []
    assert node.reserved("primary") == node.reserved("red") == node.reserved("blue") == {}


def test_another_pods_namespace_at_the_path_is_left_alone(node: Node, make_pod: MakePod) -> None:
    """A path like /proc/1234/ns/net is somebody else's once the process has ended."""
    pod, other = make_pod("pod-1"), make_pod("pod-2")
    node.call("ADD", three(node), pod).succeeded()
    node.call("ADD", three(node), other).succeeded()
    node.call("DEL", three(node), pod, CNI_NETNS=other.netns).succeeded()
    node.call("CHECK", three(node), other).succeeded()
    assert pod.links() == {}, "its own still lived, and was found by the record"
    assert node.records() == ["pod-2@eth0"]


@pytest.mark.parametrize(
    "broken",
    [
        {"delegates": "garbage"},
        {"delegates": [None, {"type": 7}]},
        {"delegates": None},
        {"logLevel": 5, "logFile": [], "logToStderr": "no", "logOptions": {"maxSize": "big"}},
        {"logOptions": 7, "delegateTimeout": "long", "retryDeleteOnError": "yes", "readinessindicatorfile": 1},
        {"delegateTimeout": 0, "binDir": "relative", "confDir": 7, "capabilities": [], "runtimeConfig": 1},
        {"prevResult": {"cniVersion": "1.0.0", "ips": [{"address": "nowhere"}]}},
        {"prevResult": "garbage"},
        {"readinessindicatorfile": "/nonexistent/ready"},
    ],
)
def test_a_configuration_that_was_broken_since_does_not_matter(node: Node, pod: Pod, broken: dict[str, object]) -> None:
    node.call("ADD", three(node), pod).succeeded()
    node.call("DEL", {**three(node), **broken}, pod).succeeded()
    assert node.remains(pod) == {}


def test_the_networks_of_the_add_go_whatever_is_configured_now(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()
    node.call("DEL", node.config(node.macvlan("other", "10.9.0.0/24")), pod).succeeded()
    assert node.remains(pod) == {}


@pytest.mark.parametrize("arguments", ["", "garbage", "=;=;;A", "IgnoreUnknown=maybe;X=1"])
def test_arguments_do_not_matter(node: Node, pod: Pod, arguments: str) -> None:
    node.call("ADD", three(node), pod).succeeded()
    node.call("DEL", three(node), pod, CNI_ARGS=arguments).succeeded()
    assert node.remains(pod) == {}


def test_programs_get_the_adds_arguments_where_the_runtime_brings_none(node: Node, pod: Pod) -> None:
    config = node.config(node.program("calico"))
    node.call("ADD", config, pod, CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=web").succeeded()
    node.call("DEL", config, pod, CNI_ARGS="").succeeded()
    assert node.calls("DEL")[0]["environment"]["CNI_ARGS"] == "IgnoreUnknown=1;K8S_POD_NAME=web"


def test_an_unknown_container_leaves_no_trace(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge(), node.program("calico"))
    node.call("DEL", config, pod).succeeded()
    assert not node.cni_dir.exists()
    node.call("ADD", config, pod).succeeded()
    before = sorted(path for path in node.root.rglob("*"))
    node.call("DEL", config, Pod(pod.netns, "nobody")).succeeded()
    assert sorted(path for path in node.root.rglob("*")) == before
    assert node.calls("DEL") == []
    node.call("CHECK", config, pod).succeeded()


def test_all_are_attempted_backwards_and_all_failures_told(node: Node, pod: Pod) -> None:
    names = ["one", "two", "three", "four"]
    config = node.config(*[node.program(name) for name in names])
    node.call("ADD", config, pod).succeeded()
    node.program("two", DEL={"status": 1, "stdout": BUSY})
    node.program("four", DEL={"status": 1, "stderr": "panic"})
    message = node.call("DEL", config, pod).failed(101)
    assert message.startswith("Multus: [blue/pod-1/u1]: errors: ")
    assert message.count(" / ") == 1
    assert "the fabric is busy" in message
    assert [call["name"] for call in node.calls("DEL")] == ["four", "three", "two", "one"]
    assert [one.ifname for one in node.record(pod).attachments] == ["net1", "net3"]


def test_a_program_that_is_gone_is_told_once(node: Node, pod: Pod) -> None:
    """It must not keep the pod for ever; what is left stays on record, for GC and for when it is back."""
    config = node.config(node.bridge(), node.program("fabric"))
    node.call("ADD", config, pod).succeeded()
    (node.bin_dir / "fabric").unlink()
    assert "no program 'fabric'" in node.call("DEL", config, pod).failed(101)
    assert pod.links() == {}
    assert node.reserved("primary") == {}
    assert [one.ifname for one in node.record(pod).attachments] == ["net1"]
    for _ in range(2):
        node.call("DEL", config, pod).succeeded()
    assert node.records() == ["pod-1@eth0"]
    node.program("fabric")
    node.call("DEL", config, pod).succeeded()
    assert len(node.calls("DEL")) == 1
    assert node.remains(pod) == {}


def test_with_retry_delete_on_error_it_is_told_every_time(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge(), node.program("fabric"), retryDeleteOnError=True)
    node.call("ADD", config, pod).succeeded()
    (node.bin_dir / "fabric").unlink()
    sizes = []
    for _ in range(4):
        node.call("DEL", config, pod).failed(101)
        sizes.append(node.record_file(pod).stat().st_size)
    assert len(set(sizes)) == 1, "a kubelet that tries for days must not fill the disk"
    node.program("fabric")
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}


def test_a_hanging_program_is_ended(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge(), node.program("fabric"), delegateTimeout=1)
    node.call("ADD", config, pod).succeeded()
    node.program("fabric", DEL={"sleep": 60})
    assert "did not end within 1 s" in node.call("DEL", config, pod).failed(11)
    assert pod.links() == {}


def test_a_read_only_directory_keeps_no_link_and_no_address(node: Node, pod: Pod) -> None:
    node.call("ADD", three(node), pod).succeeded()

    def delete() -> None:
        mount("--bind", "-o", "ro", node.cni_dir, node.cni_dir)
        mount("-o", "remount,ro,bind", node.cni_dir)
        assert "read-only" in node.call("DEL", three(node), pod).failed(5)

    in_private_mounts(delete)
    assert pod.links() == {}
    assert node.reserved("primary") == node.reserved("red") == node.reserved("blue") == {}
    node.call("DEL", three(node), pod).succeeded()
    assert node.remains(pod) == {}


def test_a_full_disk_does_not_matter(node: Node, pod: Pod, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    node.cni_dir, node.addresses = disk / "multus", disk / "addresses"

    def run() -> None:
        mount("-t", "tmpfs", "-o", "size=256k,nr_inodes=64", "tmpfs", disk)
        node.call("ADD", three(node), pod).succeeded()
        (disk / "ballast").write_bytes(b"")
        subprocess.run(f"head -c 1M /dev/zero > {disk}/ballast", shell=True, check=False, capture_output=True)
        while True:
            try:
                (disk / f"ballast-{len(os.listdir(disk))}").touch(exist_ok=False)
            except OSError:
                break
        node.call("DEL", three(node), pod).succeeded()
        assert node.remains(pod) == {}

    in_private_mounts(run)


def test_an_add_on_a_full_disk_touches_nothing(node: Node, pod: Pod, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    node.cni_dir = disk / "multus"

    def add() -> None:
        mount("-t", "tmpfs", "-o", "size=4k,nr_inodes=8", "tmpfs", disk)
        (disk / "ballast").write_bytes(b"x" * 4096)
        answer = node.call("ADD", three(node), pod)
        assert "no space left on device" in answer.failed(5)
        assert node.remains(pod) == {}

    in_private_mounts(add)
    assert node.links() == {}


def test_an_add_in_a_read_only_directory_touches_nothing(node: Node, pod: Pod) -> None:
    node.cni_dir.mkdir()

    def add() -> None:
        mount("--bind", node.cni_dir, node.cni_dir)
        mount("-o", "remount,ro,bind", node.cni_dir)
        assert "read-only" in node.call("ADD", three(node), pod).failed(5)

    in_private_mounts(add)
    assert node.remains(pod) == {}
    assert node.links() == {}
