"""The files of a Go Multus: kept aside while we are there, and given back as they were."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cni_multus.node.install import Foreign
from tests.nodes.machine import NET_D, Machine

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
