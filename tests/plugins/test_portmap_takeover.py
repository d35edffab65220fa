"""portmap: a container whose ports the Go program mapped is detached by ours; and the other's are left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import Pod
from tests.plugins.portmapped import garbage, given, mapping, portmap
from tests.plugins.test_masquerade_backends import LEGACY, NEW, OLD, WITHOUT_NFTABLES
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from tests.plugins.runtime import Runtime

DUAL = given("10.1.2.5/24", "2001:db8:1::5/64")
BACKENDS = ["iptables", "nftables"]
NOTHING: list[str] = []
WITHOUT = [*LEGACY, sys.executable, str(WITHOUT_NFTABLES)]


def mapped_by_go(
    node: Runtime, pod: Pod, config: dict[str, Any], verb: str = "ADD", before: list[str] = NOTHING
) -> None:
    done = subprocess.run(
        ["nsenter", f"--net={node.host.path}", *before, str(reference_plugins() / "portmap")],
        env=pod.environment(verb, str(node.runtime_path)),
        input=json.dumps({**config, "prevResult": DUAL}).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def leading(node: Runtime) -> list[str]:
    """The ports that rules of the Go program lead anywhere, once for each rule."""
    lines = node.shown.run("iptables-save -t nat; ip6tables-save -t nat").splitlines()
    found = [
        line.partition("--dports ")[2].split()[0]
        for line in lines
        if "CNI-HOSTPORT-DNAT" in line and "-j CNI-DN" in line
    ]
    for family in ("ip", "ip6"):
        listed = node.shown.run(f"nft list table {family} cni_hostport 2>/dev/null || true").splitlines()
        found += [line.partition(" dport ")[2].split()[0] for line in listed if " dnat " in line]
    return sorted(found)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_the_go_program_mapped_goes_with_our_delete(backend: str, node: Runtime) -> None:
    pod, other = Pod("/somewhere", "pod1"), Pod("/somewhere", "other")
    config = portmap(mapping(8080), mapping(8081, "udp"), backend=backend)
    kept = portmap(mapping(9000), backend=backend)
    mapped_by_go(node, other, kept)
    before = node.shown.run("nft list ruleset")
    mapped_by_go(node, pod, config)
    assert leading(node) == ["8080", "8080", "8081", "8081", "9000", "9000"]
    node.delete(config, pod, DUAL)
    assert leading(node) == ["9000", "9000"]
    assert same(node.shown.run("nft list ruleset")) == same(before)
    node.delete(config, pod)
    mapped_by_go(node, other, kept, "CHECK")


def test_an_iptables_mapping_of_another_network_is_left_alone(node: Runtime) -> None:
    pod = Pod("/somewhere", "pod1")
    for name, port in (("blue", 8080), ("red", 8081)):
        mapped_by_go(node, pod, portmap(mapping(port), backend="iptables", name=name))
    node.delete(portmap(), pod)
    assert leading(node) == ["8081", "8081"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_ours_mapped_is_nothing_to_the_go_program(backend: str, node: Runtime) -> None:
    """Both serve on one node while it changes from one to the other."""
    mine, theirs = Pod("/somewhere", "mine"), Pod("/somewhere", "theirs")
    node.ask("ADD", portmap(mapping(8080)), mine, DUAL).succeeded()
    config = portmap(mapping(8081), backend=backend)
    mapped_by_go(node, theirs, config)
    mapped_by_go(node, mine, config, "DEL")
    node.check(portmap(mapping(8080)), mine, DUAL)
    node.delete(portmap(), mine)
    mapped_by_go(node, theirs, config, "CHECK")


def test_what_was_mapped_without_nftables_goes_without_it(node: Runtime) -> None:
    pod = Pod("/somewhere", "pod1")
    config = portmap(mapping(8080), backend="iptables")
    mapped_by_go(node, pod, config, "ADD", LEGACY)
    save = f"unshare --mount sh -c 'mount --bind {OLD} {NEW}; iptables-save -t nat; ip6tables-save -t nat'"
    assert node.shown.run(save).count(":CNI-DN-") == 2
    node.process("DEL", config, pod, *WITHOUT).succeeded()
    assert ":CNI-DN-" not in node.shown.run(save)


def test_a_kernel_without_nftables_is_told_and_can_be_deleted_on(node: Runtime) -> None:
    pod, config = Pod("/somewhere", "pod1"), portmap(mapping(8080))
    told = {**config, "prevResult": DUAL}
    assert "nftables does not serve on this node" in node.process("ADD", told, pod, *WITHOUT).failed(100)
    assert "nftables does not serve on this node" in node.process("STATUS", config, None, *WITHOUT).failed(50)
    node.process("DEL", config, pod, *WITHOUT).succeeded()
    node.process("GC", garbage(config), None, *WITHOUT).succeeded()


def same(text: str) -> str:
    """A ruleset without what counts packets."""
    return "\n".join(line for line in text.splitlines() if "packets" not in line)
