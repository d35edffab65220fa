"""A DaemonSet that comes back before the last pod of the former one has ended."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from cni_multus.node.marker import OURS, read_mark
from cni_multus.state.journal import Journal
from tests.deploy.kit import ROOT
from tests.nodes.machine import BIN, NET_D, STATE, Machine

if TYPE_CHECKING:
    from pathlib import Path


def install_as_init_container(machine: Machine, program: str) -> subprocess.CompletedProcess[str]:
    options = [f"--root={machine.root}", f"--bin-dir={BIN}", f"--cni-conf-dir={NET_D}", "--skip-configuration"]
    return subprocess.run(
        [sys.executable, "-m", "cni_multus", "install", *options, f"--multus-bin-file={program}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_configuration_that_only_passes_through_is_replaced(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.install()
    record = tmp_path / "node" / Journal(STATE).path("c" * 64, "eth0").lstrip("/")
    record.write_text("of a pod that runs")
    assert machine.leave().attachments
    configuration = machine.at(f"{NET_D}/00-multus.conf")
    assert read_mark(configuration.read_bytes()).uninstalling

    done = install_as_init_container(machine, f"{machine.program().directory}/multus")
    assert done.returncode == 0, done.stderr
    mark = read_mark(configuration.read_bytes())
    assert (mark.owner, mark.uninstalling) == (OURS, False)


def test_otherwise_the_watch_writes_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    done = install_as_init_container(machine, f"{machine.program().directory}/multus")
    assert done.returncode == 0, done.stderr
    assert not machine.at(f"{NET_D}/00-multus.conf").exists()


def test_a_node_that_has_no_directory_of_configurations_yet_gets_the_program(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.at(f"{NET_D}/10-calico.conflist").unlink()
    machine.at(NET_D).rmdir()
    done = install_as_init_container(machine, f"{machine.program().directory}/multus")
    assert done.returncode == 0, done.stderr
    assert machine.says() == "1.0.0 part of 1.0.0"
