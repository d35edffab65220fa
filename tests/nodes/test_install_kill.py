"""Install and uninstall killed before each change: the same command finishes, and the other takes back."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.nodes.machine import Machine
from tests.stepping import calls, killed_before

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.program()
    return made


def points(work: Callable[[], object], machine: Machine) -> range:
    """Which calls to kill it before: each that changes something."""
    saved = save(machine)
    count = calls(work, changing=True)
    restore(machine, saved)
    assert count > 30
    return range(1, count + 1)


def save(machine: Machine) -> Path:
    place = machine.place / "saved"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(machine.root, place, symlinks=True)
    return place


def restore(machine: Machine, place: Path) -> None:
    shutil.rmtree(machine.root)
    shutil.copytree(place, machine.root, symlinks=True)


def shape(machine: Machine) -> dict[str, tuple[object, ...]]:
    """The node without what changes with each run: times, and the receipt's order."""
    return {name: facts for name, facts in machine.tree(times=False).items() if not name.endswith("installed.json")}


def test_an_installation_that_was_killed_is_finished_or_taken_back(machine: Machine) -> None:
    wanted = machine.wanted(links=("macvlan", "tap"), rename=True)

    def work() -> None:
        from cni_multus.node.changes import Changes
        from cni_multus.node.install import install

        install(wanted, Changes())

    before, empty = save(machine), shape(machine)
    for number in points(work, machine):
        restore(machine, before)
        assert killed_before(work, number, changing=True)
        killed = machine.place / "killed"
        shutil.rmtree(killed, ignore_errors=True)
        shutil.copytree(machine.root, killed, symlinks=True)
        work()
        assert machine.says("macvlan") == "1.0.0 part of 1.0.0"
        finished = shape(machine)
        assert not [name for name in finished if ".coming" in name or "-installing" in name], number
        machine.uninstall()
        assert shape(machine) == empty, number
        restore(machine, killed)
        machine.uninstall()
        assert shape(machine) == empty, number


def test_an_uninstallation_that_was_killed_is_finished_or_taken_back(machine: Machine) -> None:
    empty = shape(machine)
    machine.install(links=("macvlan", "tap"), rename=True)
    machine.install(source=machine.program("2.0.0"), rename=True)
    before = save(machine)
    for number in points(machine.uninstall, machine):
        restore(machine, before)
        assert killed_before(machine.uninstall, number, changing=True)
        killed = machine.place / "killed"
        shutil.rmtree(killed, ignore_errors=True)
        shutil.copytree(machine.root, killed, symlinks=True)
        machine.uninstall()
        assert shape(machine) == empty, number
        restore(machine, killed)
        machine.install(rename=True)
        assert machine.says() == "1.0.0 part of 1.0.0"
        machine.uninstall()
        assert shape(machine) == empty, number


def test_at_every_moment_of_a_removal_there_is_a_configuration(machine: Machine) -> None:
    """The primary's own, or ours: a runtime that looks just then finds one."""
    machine.install(rename=True)
    before = save(machine)
    for number in points(machine.uninstall, machine):
        restore(machine, before)
        assert killed_before(machine.uninstall, number, changing=True)
        names = [path.name for path in machine.at("/etc/cni/net.d").iterdir()]
        assert "00-multus.conf" in names or "10-calico.conflist" in names, number
