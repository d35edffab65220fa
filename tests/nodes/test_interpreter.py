"""The installed program brings its C library: it runs where there is none, and where there is another one."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus import VERSION
from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.node import interpreter, program
from cni_multus.node.bundle import Source, content
from cni_multus.node.changes import Changes
from cni_multus.node.install import Wanted, install
from cni_multus.node.receipt import Receipt
from tests.node import Answer, Pod, in_private_mounts
from tests.nodes.machine import BIN, RESULTS, STATE
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

CONFIG = {
    "cniVersion": "1.1.0",
    "name": "red",
    "type": "bridge",
    "bridge": "red0",
    "ipam": {"type": "host-local", "subnet": "10.9.0.0/24"},
}
OTHERS = ("lib64/ld-linux-x86-64.so.2", *(f"lib/x86_64-linux-gnu/{name}" for name in ("libc.so.6", "libz.so.1")))


def put(root: Path, source: str = str(PROGRAM.parent)) -> Receipt:
    """Install the built program alone."""
    wanted = Wanted(
        root=str(root),
        bin_dir=BIN,
        conf_dir="/etc/cni/net.d",
        cni_dir=STATE,
        results_dir=RESULTS,
        source=Source.look(source),
        links=("bridge", "host-local"),
        configuration=None,
        states=(),
    )
    assert install(wanted, Changes()) == ""
    found = Receipt.find(str(root), BIN)
    assert found is not None
    return found


class Bare:
    """A node whose root has nothing but the program, the kernel's file systems and a pod's namespace."""

    def __init__(self, root: Path, host: Namespace, pod: Pod) -> None:
        self.root = root
        self.host = host
        self.pod = pod

    def mount(self) -> None:
        """Where the calling thread alone sees it."""
        for place in ("proc", "sys", "dev", "run"):
            (self.root / place).mkdir()
        (self.root / "run/pod").touch()
        for what, where in (("/proc", "proc"), ("/sys", "sys"), ("/dev", "dev"), (self.pod.netns, "run/pod")):
            subprocess.run(["mount", "--rbind", what, self.root / where], check=True)

    def run(self, name: str, *arguments: str, stdin: object = None, **environment: str) -> Answer:
        command = ["/usr/bin/nsenter", f"--net={self.host.path}", "/usr/sbin/chroot", str(self.root), f"{BIN}/{name}"]
        data = json.dumps(stdin).encode() if stdin else b""
        done = subprocess.run(
            [*command, *arguments], env=environment, input=data, capture_output=True, cwd="/", check=False
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def ask(self, command: str, **changed: Any) -> Answer:
        environment = self.pod.environment(command, BIN, CNI_NETNS="/run/pod")
        return self.run("bridge", stdin={**CONFIG, **changed}, **environment)


@pytest.mark.parametrize("others", [(), OTHERS], ids=["none", "another"])
def test_it_runs_without_the_nodes_c_library(
    others: tuple[str, ...], host: Namespace, netns: MakeNamespace, tmp_path: Path
) -> None:
    root, pod = tmp_path / "node", Pod(netns("pod-1"), "pod-1")
    (root / "opt/cni/bin").mkdir(parents=True)
    put(root)
    for name in others:  # whoever loads one of these ends
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"of another kind")
        (root / name).chmod(0o755)
    node = Bare(root, host, pod)

    def work() -> None:
        node.mount()
        assert node.run("multus", "--version").succeeded().stdout == f"multus {VERSION}\n".encode()
        assert "1.1.0" in node.run("bridge", CNI_COMMAND="VERSION").succeeded().document["supportedVersions"]
        result = node.ask("ADD").succeeded().document
        assert pod.addresses("eth0") == [result["ips"][0]["address"]]
        node.ask("CHECK", prevResult=result).succeeded()
        node.ask("DEL").succeeded()
        assert pod.links() == {}

    in_private_mounts(work)
    assert [path for path in (root / "var/lib/cni/networks/red").iterdir() if path.name[0].isdigit()] == []


def test_a_version_is_the_same_wherever_it_is_bound_to(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    receipt = put(tmp_path / "node")
    [name] = program.versions(receipt)
    place = tmp_path / "node" / BIN[1:] / ".multus/versions" / name
    assert content(str(place)) == content(str(PROGRAM.parent))
    assert (place / "multus").read_bytes() != PROGRAM.read_bytes()
    assert program.is_whole(receipt, name)

    interpreter.bind(str(place / "multus"), "/elsewhere")
    assert not program.is_whole(receipt, name)
    (tmp_path / "again").mkdir()
    assert program.versions(put(tmp_path / "again", str(PROGRAM.parent))) == [name]
    assert put(tmp_path / "node").entries.keys() == receipt.entries.keys()
    assert program.is_whole(receipt, name)
    assert not [name for name in os.listdir(place.parent) if name.startswith(".")]


def test_as_it_was_built_it_runs_with_the_systems(tmp_path: Path) -> None:
    """Whose loader must not find the bundle's parts: another version's are of no use to it."""
    done = subprocess.run([PROGRAM, "--version"], env={"LD_DEBUG": "libs"}, capture_output=True, text=True, check=True)
    assert done.stdout == f"multus {VERSION}\n"
    assert f"{interpreter.LIBRARIES}/" not in done.stderr


@pytest.mark.parametrize("home", ["/" + "a" * 1100, "/a:b", "/$ORIGIN"])
def test_what_no_loader_finds_is_refused(home: str, tmp_path: Path) -> None:
    copy = tmp_path / "multus"
    copy.write_bytes(PROGRAM.read_bytes())
    with pytest.raises(InvalidEnvironment, match="cannot be started in"):
        interpreter.bind(str(copy), home)
    assert copy.read_bytes() == PROGRAM.read_bytes()


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 100])
def test_what_has_no_room_stays_as_it_is(data: bytes, tmp_path: Path) -> None:
    other = tmp_path / "multus"
    other.write_bytes(data)
    interpreter.bind(str(other), "/opt")
    assert other.read_bytes() == data
    assert interpreter.is_bound(str(other), "/opt")
