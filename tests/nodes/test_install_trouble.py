"""Disks that are full or read-only, directories that nobody may write, and several at once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import IoFailure
from tests.node import in_private_mounts
from tests.nodes.kit import ROOT
from tests.nodes.machine import BIN, NET_D, Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def fill(directory: Path, left: int) -> Path:
    """A file that leaves so many pages free."""
    path = directory / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            file.truncate(max(0, file.tell() - left * 4096))
    return path


@pytest.mark.parametrize("left", range(6))
def test_a_full_disk_is_an_error_and_what_is_there_still_works(machine: Machine, left: int) -> None:
    def work() -> None:
        place = machine.at(BIN)
        mount("-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", str(place))
        machine.install()
        before = machine.says()
        filler = fill(place, left)
        source = machine.program("2.0.0")
        if left < 3:
            with pytest.raises(IoFailure, match="no space left"):
                machine.install(source=source)
            assert machine.says() == before
        filler.unlink()
        machine.install(source=source)
        assert machine.says() == "2.0.0 part of 2.0.0"
        filler = fill(place, 0)
        machine.uninstall()
        filler.unlink()
        assert list(place.iterdir()) == []

    in_private_mounts(work)


@pytest.mark.parametrize("path", [BIN, NET_D, "/var/lib"])
def test_a_read_only_directory_is_named_and_nothing_else_is_changed_by_uninstall(machine: Machine, path: str) -> None:
    machine.at("/var/lib").mkdir(parents=True)
    before = machine.tree()

    def work() -> None:
        place = machine.at(path)
        mount("--bind", "-o", "ro", str(place), str(place))
        with pytest.raises(IoFailure, match=f"{path}.*read-only"):
            machine.install()
        subprocess.run(["umount", str(place)], check=True)
        machine.uninstall()

    in_private_mounts(work)
    assert machine.tree() == before


def test_a_configuration_that_cannot_be_replaced_keeps_everything(machine: Machine) -> None:
    machine.install()

    def work() -> None:
        place = machine.at(NET_D)
        mount("--bind", "-o", "ro", str(place), str(place))
        with pytest.raises(IoFailure, match="read-only"):
            machine.uninstall()
        assert machine.says() == "1.0.0 part of 1.0.0"
        subprocess.run(["umount", str(place)], check=True)

    in_private_mounts(work)
    machine.uninstall()
    assert sorted(path.name for path in machine.at(NET_D).iterdir()) == ["10-calico.conflist"]


def test_many_at_once_are_one_after_another(machine: Machine) -> None:
    before = machine.tree()
    sources = [machine.program(version) for version in ("1.0.0", "2.0.0", "3.0.0")]
    base = [sys.executable, "-m", "cni_multus"]
    for _ in range(3):
        started = []
        for source in sources:
            command = [*base, "install", "--root", str(machine.root), "--multus-bin-file", f"{source.directory}/multus"]
            started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL))
        command = [*base, "uninstall", "--root", str(machine.root), "--settle", "0"]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL))
        assert {process.wait() for process in started} <= {0, 4}
        machine.install(kubeconfig=b"")
        assert machine.says() == "1.0.0 part of 1.0.0"
    machine.uninstall()
    assert machine.tree() == before


def test_a_receipt_that_is_damaged_is_named(machine: Machine) -> None:
    machine.install()
    receipt = machine.at(f"{BIN}/.multus/installed.json")
    content = receipt.read_bytes()
    receipt.write_bytes(content[: len(content) // 2])
    for command in (["install", "--multus-bin-file", f"{machine.program().directory}/multus"], ["uninstall"]):
        done = machine.command(*command, "--root", str(machine.root))
        assert done.returncode == 4
        assert "installed.json" in done.stderr
    receipt.write_bytes(content)
    machine.uninstall()


def test_what_somebody_else_put_in_our_place_stays(machine: Machine) -> None:
    machine.install(links=("macvlan",))
    link = machine.at(f"{BIN}/macvlan")
    link.unlink()
    link.write_text("another one")
    machine.at("/var/lib/cni/multus/note").write_text("of the operator")
    machine.uninstall()
    assert link.read_text() == "another one"
    assert machine.at("/var/lib/cni/multus/note").exists()
    assert not machine.at(f"{BIN}/.multus").exists()


def test_an_edited_configuration_is_kept_aside(machine: Machine) -> None:
    machine.install()
    ours = machine.at(f"{NET_D}/00-multus.conf")
    ours.write_text(ours.read_text().replace('"type": "multus"', '"type": "multus", "logLevel": "debug"'))
    machine.uninstall()
    assert '"debug"' in (machine.at(NET_D) / "00-multus.conf.edited").read_text()
    assert not ours.exists()


def test_a_program_that_nobody_may_execute_is_refused(machine: Machine) -> None:
    place = f"{machine.program().directory}/multus"
    os.chmod(place, 0o644)
    done = machine.command("install", "--root", str(machine.root), "--multus-bin-file", place)
    assert done.returncode == 4
    assert not machine.at(f"{BIN}/.multus").exists()
