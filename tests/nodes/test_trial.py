"""A program is executed on the node before anything leads to it, and what does not run there changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shlex import quote

import pytest

from cni_multus.cli.command import FAILED
from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.node.bundle import Source, content
from cni_multus.node.changes import Changes
from cni_multus.node.versions import roll_back
from tests.node import in_private_mounts
from tests.nodes.kit import ROOT
from tests.nodes.machine import BIN, Machine

FOREIGN_ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00\x01\x00\x00\x00" + bytes(30) + b"\x38" + bytes(9)
"""A header alone: 64 bits, little endian, executable, for AArch64 (elf(5))."""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def program(machine: Machine, executable: bytes, version: str = "2.0.0") -> Source:
    """One that nobody has asked for its version where it is copied from."""
    directory = machine.place / f"program-{version}"
    (directory / "_internal").mkdir(parents=True)
    (directory / "multus").write_bytes(executable)
    (directory / "multus").chmod(0o755)
    return Source(str(directory), f"{version}-{content(str(directory))[:12]}")


def script(*lines: str) -> bytes:
    return "\n".join(("#!/bin/sh", *lines)).encode()


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


@pytest.mark.parametrize(
    ("executable", "why"),
    [
        (FOREIGN_ELF, "it is no program for this architecture"),
        (b"#!/no/such/loader\n", "its interpreter or loader, is not there"),
        (script("echo 'libc.so.6: version `GLIBC_2.99 not found' >&2; exit 1"), "GLIBC_2.99 not found"),
        (script("kill -ILL $$"), "it was ended by SIGILL"),
        (script("echo multus 1.0.0"), "it said 'multus 1.0.0', not 'multus 2.0.0'"),
        (script("echo multus 2.0.0"), "it does not answer as a plugin"),
        (script('[ "$1" ] && echo multus 2.0.0 || echo {}'), "it does not answer as a plugin: it said '{}'"),
    ],
)
def test_what_does_not_run_is_refused_and_nothing_is_changed(machine: Machine, executable: bytes, why: str) -> None:
    source = program(machine, executable)
    before = machine.tree()
    with pytest.raises(InvalidEnvironment, match="does not run on this node") as caught:
        machine.install(source=source)
    assert why in caught.value.message
    assert machine.tree() == before

    machine.install()
    before = machine.tree()
    with pytest.raises(InvalidEnvironment):
        machine.install(source=source)
    assert machine.tree() == before
    assert machine.says() == "1.0.0 part of 1.0.0"


def test_directories_that_were_missing_are_missing_again(machine: Machine) -> None:
    bins = machine.at(BIN)
    for path in bins.iterdir():
        path.unlink()
    bins.rmdir()
    before = machine.tree()
    with pytest.raises(InvalidEnvironment):
        machine.install(source=program(machine, FOREIGN_ELF))
    assert machine.tree() == before


def test_a_file_system_where_nothing_is_executed_is_named(machine: Machine) -> None:
    def work() -> None:
        mount("-t", "tmpfs", "-o", "noexec", "none", machine.at(BIN))
        done = machine.command(
            "install", "--root", str(machine.root), "--multus-bin-file", f"{machine.program().directory}/multus"
        )
        assert done.returncode == FAILED, done.stderr
        assert "is the file system mounted noexec?" in done.stderr
        assert list(machine.at(BIN).iterdir()) == []

    in_private_mounts(work)


def test_a_version_that_does_not_run_any_more_is_not_gone_back_to(machine: Machine) -> None:
    def work() -> None:
        machine.install()
        machine.install(source=machine.program("2.0.0"))
        mount("--bind", machine.at(BIN), machine.at(BIN))
        mount("-o", "remount,bind,noexec", machine.at(BIN))
        with pytest.raises(InvalidEnvironment, match="noexec"):
            roll_back(str(machine.root), BIN, Changes())
        assert os.readlink(machine.at(f"{BIN}/.multus/current")).startswith("versions/2.0.0")

    in_private_mounts(work)


def test_it_is_executed_at_the_node_s_root_where_that_is_a_whole_one(machine: Machine) -> None:
    def work() -> None:
        (machine.root / "usr").mkdir()
        (machine.root / "proc").mkdir()
        mount("--rbind", "/proc", machine.root / "proc")
        with pytest.raises(InvalidEnvironment, match="its interpreter or loader, is not there"):
            machine.install()
        mount("--bind", "/usr", machine.root / "usr")
        for name in ("bin", "lib", "lib64"):
            os.symlink(f"usr/{name}", machine.root / name)
        machine.install()

    in_private_mounts(work)


def test_of_directories_mounted_one_by_one_the_root_is_that_of_the_first_process(tmp_path: Path) -> None:
    """As a container of the DaemonSet has them; the first process here is that of a namespace of its own."""
    host, bins = tmp_path / "host", tmp_path / "bin"
    bins.mkdir()
    (bins / "multus").write_bytes(script('[ "$1" ] && echo multus 1.0.0 || echo \'{"supportedVersions": ["1"]}\''))
    (bins / "multus").chmod(0o755)
    inside = Path(f"{host}{bins}")
    for path in (host / "proc", inside):
        path.mkdir(parents=True)
    looking = (
        "from cni_multus.node import trial; "
        f"trial.run({str(host)!r}, '{inside}/multus', '1.0.0'); "
        f"print(trial._node_root({str(host)!r}, '{inside}/multus'))"
    )
    inner = f"mount --rbind /proc {host}/proc && mount --bind {bins} {inside} && {sys.executable} -c {quote(looking)}"
    command = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "sh", "-c", inner]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{host}/proc/1/root\n", "")
