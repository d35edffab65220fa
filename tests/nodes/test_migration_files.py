"""The files of a Go Multus: kept aside while we are there, and given back as they were."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cni_multus.node.handing import Unhandable
from cni_multus.node.install import Foreign
from tests.nodes.machine import BIN, NET_D, STATE, Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_another_meta_plugin_s_configuration_and_credentials_are_given_back(machine: Machine) -> None:
    """A runtime takes 00-multus.conf before the 00-multus.conflist that ours may be."""
    machine.at(f"{NET_D}/00-multus.conf").write_text(json.dumps({"name": "m", "type": "multus", "delegates": []}))
    machine.at(f"{NET_D}/multus.d").mkdir()
    machine.at(f"{NET_D}/multus.d/multus.kubeconfig").write_text("theirs")
    document = json.loads(machine.at(f"{NET_D}/10-calico.conflist").read_text())
    machine.at(f"{NET_D}/10-calico.conflist").write_text(json.dumps({**document, "cniVersion": "1.0.0"}))
    before = machine.tree()
    with pytest.raises(Foreign, match="is another meta-plugin's"):
        machine.install()
    for _ in range(2):
        machine.install(take_over=True)
        assert sorted(path.name for path in machine.at(NET_D).glob("00*")) == ["00-multus.conflist"]
        assert machine.at(f"{NET_D}/multus.d/multus.kubeconfig").read_bytes() == machine.wanted().kubeconfig
    assert machine.install(take_over=True) == []
    machine.uninstall()
    assert machine.tree() == before


def test_its_records_must_be_where_ours_are(machine: Machine) -> None:
    """Else the pods that it attached would be nobody's."""
    theirs = {"name": "m", "cniVersion": "1.0.0", "plugins": [{"type": "multus", "cniDir": "/var/lib/multus/"}]}
    machine.at(f"{NET_D}/00-multus.conf").write_text(json.dumps(theirs))
    before = machine.tree()
    with pytest.raises(Foreign, match=r"has cniDir /var/lib/multus, .* --multus-conf-key 'cniDir=\"/var/lib/multus\"'"):
        machine.install(take_over=True)
    assert machine.tree() == before
    machine.install(take_over=True, cni_dir="/var/lib/multus")


def test_the_one_with_a_daemon_has_another_program(machine: Machine) -> None:
    machine.at(f"{NET_D}/00-multus.conf").write_text(json.dumps({"name": "m", "type": "multus-shim"}))
    before = machine.tree()
    machine.install(take_over=True)
    assert machine.leave(hand_over=True).waiting == "the Go Multus"
    assert machine.says() == "1.0.0 part of 1.0.0"
    machine.at(f"{BIN}/multus-shim").touch()
    machine.uninstall(hand_over=True)
    machine.at(f"{BIN}/multus-shim").unlink()
    assert machine.tree() == before


def test_a_record_that_cannot_be_read_is_not_handed_over(machine: Machine) -> None:
    machine.install()
    machine.at(f"{STATE}/journal/pod-1@eth0").write_text("junk\n")
    before = machine.tree()
    with pytest.raises(Unhandable, match="pod-1@eth0: its record cannot be read"):
        machine.leave(hand_over=True)
    assert machine.tree() == before


def test_on_the_command_line_it_says_what_is_to_be_done_next(machine: Machine) -> None:
    machine.install()
    answer = machine.command("uninstall", "--root", str(machine.root), "--hand-over", "--settle=0s")
    assert answer.returncode == 3, answer
    assert "put the Go Multus on the node now" in answer.stderr
