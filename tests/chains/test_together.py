"""Every plugin in lists of one pod: attached, working as each of them says, and detached without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chains.everything import fewer, more, things_of
from tests.chains.lists import full, mac, state
from tests.chains.scene import ListScene, Scene
from tests.conftest import LIBC, MS_BIND, checked
from tests.node import in_private_mounts
from tests.plugins.frames import Wire
from tests.plugins.services import SHORT, asked, serving
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

STAYS = (
    "link cni0",
    "qdisc noqueue 0: of cni0",
    "address ",
    "route",
    "setting ",
    "nft table ",
    "nft chain ",
    "nft rule ",
    "nft set ",
    "nft map ",
)
"""What the first pod of a node brings, and leaves: the bridge, forwarding, and tables in which nobody is."""


@pytest.mark.parametrize("scenes", [Scene, ListScene], ids=["multus", "lists"])
def test_a_pod_leaves_no_trace(scenes: type[Scene], node: Runtime, pod: Pod) -> None:
    empty = things_of(pod.netns)
    scene = scenes(node, pod)
    scene.attach()
    scene.check()
    scene.detach()
    assert (scene.left(), scene.lost()) == ({}, {})
    after = things_of(pod.netns)
    assert (more(after, empty), fewer(after, empty)) == ({}, {})


def test_without_a_directory_of_their_own_plugins_keep_their_files_below_run(
    node: Runtime, pod: Pod, tmp_path: Path
) -> None:
    run, config = tmp_path / "run", full(node)
    run.mkdir()
    for network in config["delegates"]:
        for member in network["plugins"]:
            member.pop("dataDir", None)

    def work() -> set[str]:
        checked(LIBC.mount(bytes(run), b"/run", None, MS_BIND, None))
        node.call("ADD", config, pod).succeeded()
        node.call("CHECK", config, pod).succeeded()
        kept = {str(path.parent.relative_to(run)) for path in run.rglob("*.json")}
        node.call("DEL", config, pod).succeeded()
        return kept

    assert in_private_mounts(work) == {"cni/tuning", "multus/firewall", "multus/sbr"}
    assert [path for path in run.rglob("*") if path.is_file()] == []


def test_the_first_pod_leaves_what_is_everybodys(node: Runtime, pod: Pod) -> None:
    before = things_of(node.host.path)
    Scene(node, pod)
    after = things_of(node.host.path)
    assert {name: value for name, value in more(after, before).items() if not name.startswith(STAYS)} == {}
    changed = {name.split("/")[-1] for name in more(after, before).keys() & before.keys()}
    assert changed <= {"ip_forward", "forwarding", "accept_redirects"}
    assert "pod-1" not in str(after)
    assert fewer(after, before) == {}


def test_every_plugin_does_its_work(node: Runtime, make_pod: MakePod) -> None:
    pod, other = make_pod("pod-1"), make_pod("pod-2")
    Scene(node, pod).attach()
    inside, host = Shown(pod.netns), Shown(node.host.path)
    host.run("ip address add 10.2.0.1/24 dev up1")
    for family, target in (("-4", "10.1.0.1"), ("-6", "fd00:1::1"), ("-4", "10.2.0.1")):
        assert inside.reaches(target, family)
    assert inside.link("eth0")["address"] == mac()
    assert "lookup 100" in inside.run("ip rule show from " + next(iter(sorted(inside.addresses("net1")))).split("/")[0])
    assert "tbf" in inside.run("true") + host.run("tc qdisc show")
    with serving(pod.netns, "eth0"), serving(pod.netns, "net2", 90), serving(pod.netns, "udp", 53):
        assert asked(node.host.path, "tcp", "10.1.0.1", 8080).startswith("eth0 ")
        assert asked(node.host.path, "udp", "10.1.0.1", 5353).startswith("udp ")
        assert asked(node.host.path, "tcp", "10.1.0.1", 9090).startswith("net2 ")
        assert asked(other.netns, "tcp", "10.1.0.1", 8080, patience=SHORT) == ""


def test_the_spoof_check_follows_a_mac_that_tuning_gives(node: Runtime, make_pod: MakePod) -> None:
    """With the reference the check goes on to ask for the MAC from before: nothing comes through."""
    pod, witness = make_pod("pod-1"), make_pod("witness")
    Scene(node, pod).attach()
    was = Shown(node.host.path).run("nft list set bridge multus_macspoof allowed")
    assert was.count("comment") == 1
    node.add(
        {
            "cniVersion": "1.1.0",
            "name": "free",
            "type": "bridge",
            "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "dataDir": str(node.addresses)},
        },
        witness,
    )
    with Wire(pod.netns) as sending, Wire(witness.netns) as hearing:
        assert sending.mac == mac()
        sending.send("a MAC of nobody", source="02:00:00:00:00:99")
        sending.send("its own")
        assert hearing.heard("its own") == ["its own"]


def test_a_mac_that_tuning_takes_back_is_asked_for_again(node: Runtime, pod: Pod) -> None:
    bridge = {"cniVersion": "1.1.0", "name": "net", "type": "bridge", "macspoofchk": True, "ipam": {}}
    result = node.add(bridge, pod)
    before = things_of(node.host.path)
    tuning = {"cniVersion": "1.1.0", "name": "net", "type": "tuning", "dataDir": state(node, "tuning")}
    node.ask("ADD", {**tuning, "mac": mac(), "mtu": 70000}, pod, result).failed(100)
    assert more(things_of(node.host.path), before) == {}
    node.check(bridge, pod, result)
    node.check(bridge, pod, node.ask("ADD", {**tuning, "mac": mac()}, pod, result).succeeded().document)
    assert mac() in node.shown.run("nft list set bridge multus_macspoof allowed")
