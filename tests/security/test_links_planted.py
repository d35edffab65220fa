"""Symbolic links that somebody put where files of ours are about to be: none is followed, nothing is outside."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.chains.lists import state

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

PRECIOUS = b"what another program needs\n"


KEPT = ("addresses", "leases", "log", "multus", "state")
"""Where a node keeps files for pods."""


def everything(node: Node) -> dict[str, Any]:
    """Networks with all that keeps files on the node, and a log."""
    plugins = [
        {"type": "tuning", "mtu": 1400, "dataDir": state(node, "tuning")},
        {"type": "firewall", "ingressPolicy": "same-bridge", "dataDir": state(node, "firewall")},
    ]
    leases = {"type": "whereabouts", "range": "10.4.0.0/24", "dataDir": str(node.leases), "policy": "next"}
    fixed = {"type": "static", "addresses": [{"address": "10.5.0.2/24"}], "dataDir": state(node, "static")}
    return node.config(
        {"name": "primary", "plugins": [node.bridge("primary"), *plugins]},
        {"name": "leased", "plugins": [node.macvlan("leased", ipam={**leases, "datastore": "file"})]},
        {"name": "fixed", "plugins": [node.macvlan("", ipam=fixed), {"type": "sbr", "dataDir": state(node, "sbr")}]},
        logFile=str(node.root / "log" / "multus.log"),
        logLevel="debug",
        logToStderr=False,
    )


def made_by(node: Node, pod: Pod) -> list[str]:
    """Every file that an ADD leaves, relative to the node's root."""
    node.call("ADD", everything(node), pod).succeeded()
    found = [
        os.path.relpath(os.path.join(directory, name), node.root)
        for kept in KEPT
        for directory, _, names in os.walk(node.root / kept)
        for name in names
    ]
    node.call("DEL", everything(node), pod).succeeded()
    return sorted(found)


def cleared(node: Node) -> None:
    for name in KEPT:
        shutil.rmtree(node.root / name, ignore_errors=True)


def planted(node: Node, path: str, target: Path) -> None:
    where = node.root / path
    where.parent.mkdir(parents=True, exist_ok=True)
    where.unlink(missing_ok=True)
    where.symlink_to(target)


@pytest.mark.parametrize("there", [True, False], ids=["of a file", "of nothing"])
def test_a_link_in_the_place_of_any_file_is_not_followed(node: Node, pod: Pod, tmp_path: Path, there: bool) -> None:
    """Each file that a request makes, one after the other; a lock, a record and a reservation are files, too."""
    paths = made_by(node, pod)
    kinds = (
        "log",
        "multus/journal",
        "state/tuning",
        "state/sbr",
        "state/firewall",
        "addresses",
        "leases",
        "state/static",
    )
    assert all(any(path.startswith(f"{kind}/") for path in paths) for kind in kinds), paths
    outside = tmp_path / "outside"
    outside.mkdir()
    victim = outside / "victim"
    for path in paths:
        cleared(node)
        if there:
            victim.write_bytes(PRECIOUS)
        planted(node, path, victim)
        for command in ("ADD", "CHECK", "DEL"):
            answer = node.call(command, everything(node), pod)
            assert answer.status == 0 or answer.document["code"] != 999, (path, command, answer.document)
            assert sorted(os.listdir(outside)) == (["victim"] if there else []), (path, command)
            assert not there or victim.read_bytes() == PRECIOUS, (path, command)
        if os.path.lexists(node.root / path):
            (node.root / path).unlink()
        node.call("DEL", everything(node), pod).succeeded()
        assert pod.links() == {}


def test_a_link_in_the_place_of_what_is_being_written_is_not_followed(node: Node, pod: Pod, tmp_path: Path) -> None:
    """Files are written under another name, which is known where there is one writer."""
    victim = tmp_path / "victim"
    victim.write_bytes(PRECIOUS)
    name = f".multus-{pod.container_id}"
    for directory in ("state/tuning", "state/sbr", "state/firewall"):
        for ifname in ("eth0", "net1", "net2"):
            planted(node, f"{directory}/{name}_{ifname}", victim)
    answer = node.call("ADD", everything(node), pod)
    assert answer.failed(5)
    assert victim.read_bytes() == PRECIOUS
    node.call("DEL", everything(node), pod).succeeded()
    assert pod.links() == {}
