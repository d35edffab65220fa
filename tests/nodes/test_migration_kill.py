"""A hand-over that is killed before any of its changes: the next one finishes it, and a DEL of ours leaves nothing."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from cni_multus.node.handover import HandOver
from cni_multus.node.receipt import Receipt
from tests.node import Node, Pod
from tests.nodes.machine import BIN, NET_D, SHELL, Machine
from tests.stepping import calls, killed_before
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

KEPT = ("multus", "addresses", "static")


class Handed:
    """A node with one pod, and the files that a hand-over changes."""

    def __init__(self, host: Namespace, netns: MakeNamespace, root: Path) -> None:
        self.root = root
        self.node = Node(host, root)
        for name in ("macvlan", "bridge", "host-local", "static"):
            (self.node.bin_dir / name).symlink_to(reference_plugins() / name)
        static = {"type": "static", "addresses": [{"address": "10.3.0.1/24"}], "dataDir": str(root / "static")}
        (root / "nads").mkdir()
        for name, config in (
            ("red", self.node.macvlan("", "10.2.0.0/24")),
            ("fixed", {**self.node.macvlan(""), "ipam": static}),
        ):
            config["cniVersion"] = "1.0.0"
            del config["name"]
            document = {
                "apiVersion": "k8s.cni.cncf.io/v1",
                "kind": "NetworkAttachmentDefinition",
                "metadata": {"namespace": "blue", "name": name},
                "spec": {"config": json.dumps(config)},
            }
            (root / "nads" / f"{name}.json").write_text(json.dumps(document))
        self.pod = Pod(netns("pod-1"), "pod-1")
        annotations = {"k8s.v1.cni.cncf.io/networks": "red,fixed"}
        self.config = self.node.config(
            self.node.bridge(),
            nadDir=str(root / "nads"),
            capabilities={"io.kubernetes.cri.pod-annotations": True},
            runtimeConfig={"io.kubernetes.cri.pod-annotations": annotations},
        )
        self.node.call("ADD", self.config, self.pod).succeeded()

    def work(self) -> None:
        """What is killed."""
        receipt = Receipt("/", str(self.node.bin_dir), cni_dir=str(self.node.cni_dir))
        hand_over = HandOver(receipt)
        hand_over.guard()
        hand_over.hand_over()

    def save(self) -> None:
        """Keep all that is on the node now."""
        for name in KEPT:
            shutil.copytree(self.root / name, self.root / "saved" / name, symlinks=True)

    def restore(self) -> None:
        """Have it again."""
        for name in KEPT:
            shutil.rmtree(self.root / name)
            shutil.copytree(self.root / "saved" / name, self.root / name, symlinks=True)

    def state(self) -> dict[str, object]:
        """Who knows of the pod."""
        networks = {name: self.node.reserved(name) for name in ("primary", "red", "blue_red")}
        results = self.node.cni_dir / "results"
        return {
            "records": self.node.records(),
            "addresses": networks,
            "static": sorted(path.name for path in (self.root / "static").rglob("10.*")),
            "scratch": [path.name for path in self.node.cni_dir.iterdir() if path.is_file()],
            "cache": sorted(path.name for path in results.iterdir()) if results.exists() else [],
        }


@pytest.fixture
def handed(host: Namespace, netns: MakeNamespace, tmp_path: Path) -> Handed:
    return Handed(host, netns, tmp_path)


def test_a_killed_hand_over_loses_nothing(handed: Handed) -> None:
    handed.save()
    count = calls(handed.work, changing=True)
    done = handed.state()
    assert done == {
        "records": [],
        "addresses": {
            "primary": {"10.1.0.2": "pod-1 eth0"},
            "red": {"10.2.0.2": "pod-1 net1"},
            "blue_red": {},
        },
        "static": [],
        "scratch": ["pod-1"],
        "cache": ["fixed-pod-1-net2", "primary-pod-1-eth0", "red-pod-1-net1"],
    }
    assert count > 20
    addresses: dict[str, object] = {name: {} for name in ("primary", "red", "blue_red")}
    nothing: dict[str, object] = {**{key: [] for key in done}, "addresses": addresses}
    for number in range(1, count + 1, 4):  # one in four: all of them take half a minute
        handed.restore()
        assert killed_before(handed.work, number, changing=True)
        handed.work()
        assert handed.state() == done, number
        handed.restore()
        assert killed_before(handed.work, number, changing=True)
        handed.node.call("DEL", handed.config, handed.pod).succeeded()
        assert handed.state() == nothing, number


def test_at_every_moment_of_a_return_there_is_a_meta_plugin(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.at(f"{BIN}/multus").write_text(SHELL.format(version="theirs"))
    machine.at(f"{NET_D}/00-multus.conf").write_text(json.dumps({"name": "m", "type": "multus", "delegates": []}))
    before = machine.tree(times=False)
    machine.install(take_over=True)
    shutil.copytree(machine.root, tmp_path / "saved", symlinks=True)

    def work() -> None:
        machine.uninstall(hand_over=True)

    count = calls(work, changing=True)
    assert machine.tree(times=False) == before
    for number in range(1, count + 1, 2):
        shutil.rmtree(machine.root)
        shutil.copytree(tmp_path / "saved", machine.root, symlinks=True)
        assert killed_before(work, number, changing=True)
        assert machine.at(f"{BIN}/multus").exists(), number
        [configuration] = machine.at(NET_D).glob("00-multus.conf")
        assert json.loads(configuration.read_text())["type"] == "multus", number
        work()
        assert machine.tree(times=False) == before, number
