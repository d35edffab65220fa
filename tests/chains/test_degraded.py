"""DEL, whatever has happened to what an ADD made, and to what is known of it: it succeeds, and nothing is left."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.chains.scene import ListScene, Scene
from tests.conftest import LIBC, MNT_DETACH

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Pod
    from tests.plugins.runtime import Runtime

TABLES = "nft list tables | sed 's/table //'"


def leave(scene: Scene) -> None:
    """The namespace is gone, and its path too."""
    LIBC.umount2(scene.pod.netns.encode(), MNT_DETACH)
    Path(scene.pod.netns).unlink()


def leave_file(scene: Scene) -> None:
    LIBC.umount2(scene.pod.netns.encode(), MNT_DETACH)


def on_node(command: str) -> Callable[[Scene], None]:
    return lambda scene: run(scene.node.host.path, command)


def in_pod(command: str) -> Callable[[Scene], None]:
    return lambda scene: run(scene.pod.netns, command)


def run(netns: str, command: str) -> None:
    subprocess.run(["nsenter", f"--net={netns}", "sh", "-ec", command], check=True, capture_output=True)


def told(**variables: str) -> Callable[[Scene], None]:
    return lambda scene: scene.told.update(variables)


def of_records(change: Callable[[Path], object]) -> Callable[[Scene], None]:
    """Do something to every file that a plugin keeps of what it found."""

    def work(scene: Scene) -> None:
        files = [path for path in (scene.node.root / "state").rglob("*.json") if path.is_file()]
        assert len(files) >= 4
        for path in files:
            change(path)

    return work


def retype(path: Path) -> None:
    """As it was, but with a number in the place of whatever was found."""
    found = json.loads(path.read_text())
    owner = ("network", "containerID", "ifname")
    path.write_text(json.dumps({key: value if key in owner else 7 for key, value in found.items()}))


def forget_records(scene: Scene) -> None:
    shutil.rmtree(scene.node.root / "state")


def reboot(scene: Scene) -> None:
    """Nothing is there but what is on disk."""
    leave(scene)
    run(scene.node.host.path, "for each in $(ls /sys/class/net); do :; done; nft flush ruleset")
    links = "ip -o link | grep -oE '(veth|bwp|cni)[^@: ]*' | sort -u"
    run(scene.node.host.path, f"for each in $({links}); do ip link del $each 2>/dev/null || true; done")
    forget_records(scene)


HAPPENED: dict[str, Callable[[Scene], None]] = {
    "nothing": lambda scene: None,
    "the namespace is gone": leave,
    "the namespace is gone, and its file is not": leave_file,
    "the runtime names no namespace": told(CNI_NETNS=""),
    "the runtime's arguments are malformed": told(CNI_ARGS="IP=;;=,MAC"),
    "the pod removed its links": in_pod("for each in eth0 net1 net2; do ip link del $each; done"),
    "the pod renamed its links": in_pod("ip link set eth0 down; ip link set eth0 name other"),
    "the pod flushed its addresses, routes and rules": in_pod(
        "for each in eth0 net1 net2; do ip addr flush dev $each; done; ip rule flush; ip -6 rule flush"
    ),
    "the bridge is gone": on_node("ip link del cni0"),
    "the macvlan's master is gone": on_node("ip link del up0"),
    "nftables has no rules": on_node("nft flush ruleset"),
    "our tables have no rules": on_node(f"{TABLES} | while read each; do nft flush table $each; done"),
    "our tables are gone": on_node(f"{TABLES} | while read each; do nft delete table $each; done"),
    "our limits are gone": on_node(
        "ip -o link | grep -oE 'veth[^@: ]*' | while read each; do"
        " tc qdisc del dev $each root; tc qdisc del dev $each clsact; done 2>/dev/null || true"
    ),
    "the link that limits is gone": on_node("ip -o link | grep -oE 'bwp[^@: ]*' | xargs -n1 ip link del"),
    "what the plugins had found is gone": forget_records,
    "what the plugins had found is empty": of_records(lambda path: path.write_bytes(b"")),
    "what the plugins had found is garbage": of_records(lambda path: path.write_bytes(b"\xff\x00}{")),
    "what the plugins had found is cut off": of_records(lambda path: path.write_bytes(path.read_bytes()[:40])),
    "what the plugins had found is of other types": of_records(retype),
    "the node was started anew": reboot,
}

OUT_OF_REACH = {"the runtime names no namespace", "the pod renamed its links"}
"""What a pod has then goes with its namespace, which a runtime removes next."""


@pytest.mark.parametrize("happened", HAPPENED)
@pytest.mark.parametrize("scenes", [Scene, ListScene], ids=["multus", "lists"])
def test_nothing_is_left(scenes: type[Scene], happened: str, node: Runtime, pod: Pod) -> None:
    scene = scenes(node, pod)
    scene.attach()
    HAPPENED[happened](scene)
    scene.detach()
    if happened in OUT_OF_REACH:
        leave(scene)
    assert scene.left() == {}
    scene.detach()
    assert scene.left() == {}


FORGOTTEN: dict[str, dict[str, Any]] = {
    "the results": {"remembers": False},
    "the capabilities": {"is_capable": False},
    "both": {"remembers": False, "is_capable": False},
    "both, and what stood in the configuration": {
        "remembers": False,
        "is_capable": False,
        "changed": {"bridge": 7, "vlan": "x", "mtu": [], "sysctl": "y", "ingressPolicy": "z", "master": {}, "mode": 1},
    },
}


@pytest.mark.parametrize("reached", ["a namespace", "no namespace"])
@pytest.mark.parametrize("forgotten", FORGOTTEN)
def test_a_runtime_may_have_forgotten(forgotten: str, reached: str, node: Runtime, pod: Pod) -> None:
    scene = ListScene(node, pod)
    scene.attach()
    for name, value in FORGOTTEN[forgotten].items():
        setattr(scene, name, value)
    if reached == "no namespace":
        leave(scene)
    scene.detach()
    assert scene.left() == {}


@pytest.mark.parametrize("happened", ["nftables has no rules", "our tables have no rules", "our tables are gone"])
def test_check_tells_what_happened_to_nftables_and_the_next_add_makes_good(
    happened: str, node: Runtime, pod: Pod
) -> None:
    scene = Scene(node, pod)
    scene.attach()
    HAPPENED[happened](scene)
    told = node.call("CHECK", scene.config, pod).failed(102)
    assert all(f"network {name}: " in told for name in ("guarded", "pointed"))
    scene.detach()
    scene.attach()
    scene.check()
    scene.detach()
    assert scene.left() == {}


@pytest.mark.parametrize("table", ["bridge multus_macspoof", "inet multus_firewall", "inet multus_hostports"])
def test_check_tells_which_table_has_no_rules(table: str, node: Runtime, pod: Pod) -> None:
    scene = Scene(node, pod)
    scene.attach()
    run(node.host.path, f"nft flush table {table}")
    assert table in node.call("CHECK", scene.config, pod).failed(102)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda said: b"\xff\x00}{" * 100,
    "the last line cut off": lambda said: said[:-40],
    "the last line of other bits": lambda said: said[:-40] + bytes(40),
    "every line damaged": lambda said: said.replace(b":", b";"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("reached", ["a namespace", "no namespace"])
def test_a_journal_may_be_damaged(damage: str, reached: str, node: Runtime, pod: Pod) -> None:
    scene = Scene(node, pod)
    scene.attach()
    path = node.record_file(pod)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    if reached == "no namespace":
        leave(scene)
    scene.detach()
    assert scene.left() == {}


@pytest.mark.parametrize("scenes", [Scene, ListScene], ids=["multus", "lists"])
@pytest.mark.parametrize("lost", ["the journal", "the journal and what the plugins had found"])
def test_gc_finds_what_is_on_no_record(lost: str, scenes: type[Scene], node: Runtime, pod: Pod) -> None:
    scene = scenes(node, pod)
    scene.attach()
    shutil.rmtree(node.cni_dir, ignore_errors=True)
    if lost != "the journal":
        forget_records(scene)
    leave(scene)
    scene.collect()
    assert scene.left() == {}
