"""Programs in the plugin directories: which are executed, and that none of another place ever is."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

NAMES = ["../evil", "/{evil}", "x/../../evil", ".", "..", "evil\0", "./evil", "evil/", "evil/../evil", "\0"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["type", "ipam"])
def test_a_type_is_no_way_out_of_the_directories(node: Node, pod: Pod, tmp_path: Path, name: str, place: str) -> None:
    """The program would run where its path were built of the type."""
    ran = tmp_path / "ran"
    for directory in (tmp_path, node.bin_dir):
        evil = directory / "evil"
        evil.write_text(f"#!/bin/sh\ntouch {ran}\necho '{{}}'\n")
        evil.chmod(0o755)
    (node.bin_dir / "evil").unlink()
    kind = name.replace("{evil}", str(tmp_path / "evil")[1:])
    delegate = {"name": "red", "type": kind}
    if place == "ipam":
        delegate = node.macvlan("red", ipam={"type": kind})
    for command in ("ADD", "CHECK", "STATUS", "GC", "DEL"):
        config = node.config(node.bridge(), delegate, **{"cni.dev/valid-attachments": []})
        answer = node.call(command, config, None if command in ("STATUS", "GC") else pod)
        assert command in ("GC", "DEL", "CHECK") or answer.document["code"] in (7, 101), answer.document
        assert not ran.exists()
    assert node.remains(pod) == {}


@pytest.mark.parametrize("what", ["program", "directory"])
def test_a_program_that_every_user_may_change_is_not_executed(node: Node, pod: Pod, what: str) -> None:
    delegate = node.program("recorder")
    config = node.config(node.bridge(), delegate)
    path = node.bin_dir / "recorder" if what == "program" else node.bin_dir
    path.chmod(0o777)
    said = node.call("ADD", config, pod).failed(101)
    assert f"every user of this node may write to {path}" in said
    assert node.calls() == []
    assert node.remains(pod) == {}
    assert str(path) in node.call("STATUS", config).failed(101)
    path.chmod(0o775)
    node.call("ADD", config, pod).succeeded()
    path.chmod(0o777)
    node.call("DEL", config, pod).succeeded()  # a pod must be able to go
    assert node.remains(pod) == {}


def test_a_directory_in_which_everybody_keeps_his_own_is_no_danger(node: Node, pod: Pod) -> None:
    config = node.config(node.bridge(), node.program("recorder"))
    node.bin_dir.chmod(0o1777)
    node.call("ADD", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()


def test_no_shell_reads_what_a_definition_says(node: Node, pod: Pod, tmp_path: Path) -> None:
    """Names of bridges, zones and chains, and the values of rules, with all that a shell would act upon."""
    ran = tmp_path / "ran"
    for text in (f"$(touch {ran})", f"`touch {ran}`", f"; touch {ran};", f"x\ntouch {ran}", f"|touch {ran}", "-j DROP"):
        delegates = [
            {**node.bridge("a"), "bridge": text},
            {**node.bridge("a"), "bridge": text[:15].replace("/", "_").replace(" ", "_")},
            node.macvlan("b", master=text),
            {"name": "c", "plugins": [node.macvlan("c"), {"type": "tuning", "sysctl": {text: text}}]},
            {
                "name": "d",
                "plugins": [
                    node.bridge("d"),
                    {
                        "type": "firewall",
                        "dataDir": str(node.root / "firewall"),
                        "backend": "iptables",
                        "iptablesAdminChainName": text,
                    },
                ],
            },
            {
                "name": "e",
                "plugins": [
                    node.bridge("e"),
                    {"type": "firewall", "dataDir": str(node.root / "firewall"), "firewalldZone": text},
                ],
            },
        ]
        for delegate in delegates:
            config = node.config(node.bridge(), {"cniVersion": "1.0.0", **json.loads(json.dumps(delegate))})
            node.call("ADD", config, pod)
            node.call("DEL", config, pod).succeeded()
    assert not ran.exists()
    assert not os.path.exists("DROP")
