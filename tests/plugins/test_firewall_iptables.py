"""firewall on a node whose iptables filters what it forwards: rules in the chains of the Go plugin."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import bridge
from tests.plugins.shown import BRIEFLY, Shown
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod


class Filtered:
    """A node that drops what it forwards, unless a rule lets it through."""

    def __init__(self, node: Runtime, root: Path) -> None:
        self.node = node
        self.records = root / "records"
        for family in ("", "6"):
            node.shown.run(f"ip{family}tables -P FORWARD DROP")
        node.shown.run("sysctl -q net.ipv4.ip_forward=1")

    def config(self, **more: object) -> dict[str, Any]:
        records = str(self.records)
        return {"cniVersion": "1.1.0", "name": "blue", "type": "firewall", "dataDir": records, **more}

    def bridged(self, pod: Pod, address: str, to: str) -> dict[str, Any]:
        return self.node.add(bridge(bridge=to, isDefaultGateway=True, ipam=self.node.given(*address.split())), pod)

    def attach(self, pod: Pod, address: str, to: str = "cni0", **more: object) -> dict[str, Any]:
        made = self.bridged(pod, address, to)
        return self.node.ask("ADD", self.config(**more), pod, made).succeeded().document

    def rules(self, family: str = "") -> list[str]:
        text = self.node.shown.run(f"ip{family}tables-save -t filter")
        return [line for line in text.splitlines() if line.startswith("-A")]


@pytest.fixture
def filtered(node: Runtime, tmp_path: Path) -> Filtered:
    return Filtered(node, tmp_path)


def reaches(pod: Pod, address: str) -> bool:
    return Shown(pod.netns).reaches(address)


def is_kept_from(pod: Pod, address: str) -> bool:
    return not Shown(pod.netns).reaches(address, within=BRIEFLY)


def test_packets_pass_from_add_to_delete(filtered: Filtered, make_pod: MakePod) -> None:
    one, other = make_pod("one"), make_pod("other")
    filtered.bridged(one, "10.1.1.2/24", "foo")
    given = filtered.bridged(other, "10.1.2.2/24", "bar")
    assert is_kept_from(other, "10.1.1.2")
    filtered.node.ask("ADD", filtered.config(), other, given).succeeded()
    assert reaches(other, "10.1.1.2")
    assert is_kept_from(one, "10.1.2.2")  # nobody lets the other one's begin
    filtered.node.check(filtered.config(), other, given)
    for _ in range(2):
        filtered.node.delete(filtered.config(), other, CNI_NETNS="")
    assert is_kept_from(other, "10.1.1.2")


def test_the_chains_and_rules_are_those_that_operators_know(filtered: Filtered, pod: Pod) -> None:
    filtered.attach(pod, "10.1.2.3/24 2001:db8::3/64")
    whose = '-m comment --comment "multus:blue:pod1:eth0"'
    ways = [
        '-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD',
        '-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN',
    ]
    states = "-m conntrack --ctstate RELATED,ESTABLISHED"
    assert [line.replace('"multus:blue:pod1:eth0"', "multus:blue:pod1:eth0") for line in filtered.rules()] == [
        line.replace('"multus:blue:pod1:eth0"', "multus:blue:pod1:eth0")
        for line in (
            *ways,
            f"-A CNI-FORWARD -d 10.1.2.3/32 {states} {whose} -j ACCEPT",
            f"-A CNI-FORWARD -s 10.1.2.3/32 {whose} -j ACCEPT",
        )
    ]
    assert len(filtered.rules("6")) == 4


def test_the_operators_chain_has_its_own_name_and_stays(filtered: Filtered, pod: Pod) -> None:
    filtered.node.shown.run("iptables -N MINE; iptables -A MINE -s 192.0.2.1 -j DROP")
    given = filtered.attach(pod, "10.1.2.3/24", iptablesAdminChainName="MINE")
    filtered.node.ask("ADD", filtered.config(iptablesAdminChainName="MINE"), pod, given).succeeded()
    assert len(filtered.rules()) == 5
    filtered.node.delete(filtered.config(), pod)
    assert "-A MINE -s 192.0.2.1/32 -j DROP" in filtered.rules()
    assert len(filtered.rules()) == 3


def test_check_tells_the_rule_that_somebody_removed(filtered: Filtered, pod: Pod) -> None:
    given = filtered.attach(pod, "10.1.2.3/24")
    filtered.node.shown.run("iptables -D CNI-FORWARD 2")
    assert "-d 10.1.2.3/32" in filtered.node.difference(filtered.config(), pod, given)


def test_garbage_goes_and_what_is_valid_stays(filtered: Filtered, make_pod: MakePod) -> None:
    lost, kept = make_pod("lost"), make_pod("kept")
    filtered.attach(lost, "10.1.2.3/24")
    given = filtered.attach(kept, "10.1.2.4/24")
    asked = {**filtered.config(), "cni.dev/valid-attachments": [{"containerID": "kept", "ifname": "eth0"}]}
    filtered.node.ask("GC", asked).succeeded()
    assert not any("10.1.2.3" in line for line in filtered.rules())
    filtered.node.check(filtered.config(), kept, given)


def test_what_the_go_plugin_let_through_is_taken_back(filtered: Filtered, pod: Pod) -> None:
    made = filtered.bridged(pod, "10.1.2.3/24 2001:db8::3/64", "cni0")
    done = subprocess.run(
        ["nsenter", f"--net={filtered.node.host.path}", str(reference_plugins() / "firewall")],
        input=json.dumps({**filtered.config(backend="iptables"), "prevResult": made}),
        env=pod.environment("ADD", str(reference_plugins())),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert len(filtered.rules()) == len(filtered.rules("6")) == 4
    filtered.node.delete(filtered.config(), pod, made)
    assert len(filtered.rules()) == len(filtered.rules("6")) == 2
