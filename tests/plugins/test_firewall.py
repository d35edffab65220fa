"""firewall on our own nftables: whose packets are let through, and which bridges are kept apart; packets decide."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import bridge
from tests.plugins.shown import BRIEFLY, Shown

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

OURS = "inet multus_firewall"


class Firewalled:
    """Pods on bridges, each with the firewall plugin after the bridge plugin."""

    def __init__(self, node: Runtime, root: Path) -> None:
        self.node = node
        self.records = root / "records"

    def config(self, **more: object) -> dict[str, Any]:
        return {
            "cniVersion": "1.1.0",
            "name": "blue",
            "type": "firewall",
            "dataDir": str(self.records),
            **more,
        }

    def attach(self, pod: Pod, address: str, *, to: str = "cni0", **more: object) -> dict[str, Any]:
        """What the firewall returned; the pod has the address and its bridge as the default route."""
        first = bridge(bridge=to, isDefaultGateway=True, ipam=self.node.given(*address.split()))
        made = self.node.add(first, pod)
        return self.node.ask("ADD", self.config(**more), pod, made).succeeded().document

    def set(self, name: str, table: str = OURS) -> str:
        """The elements of a set, as nft writes them; "" where there are none."""
        text = self.node.shown.run(f"nft list set {table} {name}")
        return " ".join(text.partition("elements = {")[2].partition("}")[0].split())


@pytest.fixture
def firewalled(node: Runtime, tmp_path: Path) -> Firewalled:
    return Firewalled(node, tmp_path)


def reaches(pod: Pod, address: str) -> bool:
    return Shown(pod.netns).reaches(address)


def is_kept_from(pod: Pod, address: str) -> bool:
    return not Shown(pod.netns).reaches(address, within=BRIEFLY)


def test_the_result_is_passed_through_and_the_addresses_are_let_through(firewalled: Firewalled, pod: Pod) -> None:
    given = firewalled.attach(pod, "10.1.2.3/24 2001:db8::3/64")
    assert [ip["address"] for ip in given["ips"]] == ["10.1.2.3/24", "2001:db8::3/64"]
    assert firewalled.set("pods4") == '10.1.2.3 comment "multus:blue:pod1:eth0"'
    assert firewalled.set("pods6") == '2001:db8::3 comment "multus:blue:pod1:eth0"'
    firewalled.node.check(firewalled.config(), pod, given)


def test_delete_needs_neither_namespace_nor_result_and_succeeds_twice(firewalled: Firewalled, pod: Pod) -> None:
    firewalled.attach(pod, "10.1.2.3/24", ingressPolicy="isolated")
    for _ in range(2):
        firewalled.node.delete(firewalled.config(), pod, CNI_NETNS="")
    assert firewalled.set("pods4") == firewalled.set("guarded") == firewalled.set("within") == ""
    assert firewalled.set("isolated", "bridge multus_firewall") == ""
    assert list(firewalled.records.iterdir()) == []


def test_a_delete_without_an_add_touches_nothing(firewalled: Firewalled, pod: Pod) -> None:
    firewalled.node.delete(firewalled.config(), pod)
    assert firewalled.node.shown.run("nft list ruleset") == ""
    assert not firewalled.records.exists()


def test_adding_twice_is_adding_once(firewalled: Firewalled, pod: Pod) -> None:
    given = firewalled.attach(pod, "10.1.2.3/24", ingressPolicy="same-bridge")
    before = firewalled.node.shown.run("nft list ruleset")
    firewalled.node.ask("ADD", firewalled.config(ingressPolicy="same-bridge"), pod, given).succeeded()
    assert firewalled.node.shown.run("nft list ruleset") == before


def test_a_second_add_that_fails_leaves_what_the_first_one_did(firewalled: Firewalled, pod: Pod) -> None:
    given = firewalled.attach(pod, "10.1.2.3/24", ingressPolicy="isolated")

    def shown() -> tuple[str, list[bytes]]:
        records = [record.read_bytes() for record in firewalled.records.iterdir()]
        return firewalled.node.shown.run("nft list ruleset"), records

    before = shown()
    firewalled.node.ask("ADD", firewalled.config(backend="firewalld"), pod, given).failed(5)
    assert shown() == before
    firewalled.node.check(firewalled.config(ingressPolicy="isolated"), pod, given)


def test_an_address_that_was_given_again_stays_with_its_new_owner(firewalled: Firewalled, make_pod: MakePod) -> None:
    old, new = make_pod("old"), make_pod("new")
    firewalled.attach(old, "10.1.2.3/24")
    firewalled.node.delete(bridge(), old)
    given = firewalled.attach(new, "10.1.2.3/24")
    assert "multus:blue:new:eth0" in firewalled.set("pods4")
    firewalled.node.delete(firewalled.config(), old)
    assert "multus:blue:new:eth0" in firewalled.set("pods4")
    firewalled.node.check(firewalled.config(), new, given)


def test_bridges_of_the_same_bridge_policy_do_not_reach_each_other(firewalled: Firewalled, make_pod: MakePod) -> None:
    one, beside, other = make_pod("one"), make_pod("beside"), make_pod("other")
    firewalled.attach(one, "10.1.1.2/24", to="foo", ingressPolicy="same-bridge")
    firewalled.attach(beside, "10.1.1.3/24", to="foo", ingressPolicy="same-bridge")
    given = firewalled.attach(other, "10.1.2.2/24", to="bar", ingressPolicy="open")
    assert reaches(other, "10.1.1.2")
    firewalled.node.delete(firewalled.config(), other)
    firewalled.node.ask("ADD", firewalled.config(ingressPolicy="same-bridge"), other, given).succeeded()
    assert reaches(one, "10.1.1.3")
    assert is_kept_from(one, "10.1.2.2")
    assert is_kept_from(other, "10.1.1.2")
    assert reaches(one, "10.1.1.1")
    firewalled.node.check(firewalled.config(ingressPolicy="same-bridge"), other, given)


def test_nothing_is_forwarded_within_an_isolated_bridge(firewalled: Firewalled, make_pod: MakePod) -> None:
    one, beside = make_pod("one"), make_pod("beside")
    firewalled.attach(one, "10.1.1.2/24", to="foo")
    firewalled.attach(beside, "10.1.1.3/24", to="foo", ingressPolicy="isolated")
    assert is_kept_from(one, "10.1.1.3")
    assert reaches(one, "10.1.1.1")
    firewalled.node.delete(firewalled.config(), beside)
    Shown(one.netns).run("ip neigh flush dev eth0")  # it waits a second before it asks again
    assert reaches(one, "10.1.1.3")


def test_the_strictest_policy_of_a_bridge_counts_until_its_last_attachment(
    firewalled: Firewalled, make_pod: MakePod
) -> None:
    one, other = make_pod("one"), make_pod("other")
    firewalled.attach(one, "10.1.1.2/24", ingressPolicy="same-bridge")
    assert firewalled.set("within") == '"cni0" . "cni0"'
    firewalled.attach(other, "10.1.1.3/24", ingressPolicy="isolated")
    assert (firewalled.set("within"), firewalled.set("guarded")) == ("", '"cni0"')
    firewalled.node.delete(firewalled.config(), other)
    assert firewalled.set("within") == '"cni0" . "cni0"'
    firewalled.node.delete(firewalled.config(), one)
    assert firewalled.set("guarded") == ""


def test_an_unknown_policy_or_backend_is_refused_before_anything_is_done(firewalled: Firewalled, pod: Pod) -> None:
    made = firewalled.node.add(bridge(ipam=firewalled.node.given("10.1.2.3/24")), pod)
    for wrong in (
        {"ingressPolicy": "closed"},
        {"backend": "ebtables"},
        {"iptablesAdminChainName": "a b"},
        {"iptablesAdminChainName": "A" * 29},
        {"dataDir": "relative"},
    ):
        [key] = wrong
        assert firewalled.node.ask("ADD", firewalled.config(**wrong), pod, made).failed(7).startswith(key)
    assert firewalled.node.shown.run("nft list ruleset") == ""


def test_a_policy_without_a_bridge_is_refused(firewalled: Firewalled, pod: Pod) -> None:
    made = {"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "sandbox": pod.netns}]}
    asked = firewalled.config(ingressPolicy="isolated")
    assert "ingressPolicy" in firewalled.node.ask("ADD", asked, pod, made).failed(7)
    assert not firewalled.records.exists()


def test_an_add_without_a_result_before_it_is_refused(firewalled: Firewalled, pod: Pod) -> None:
    assert "prevResult" in firewalled.node.ask("ADD", firewalled.config(), pod).failed(7)


def test_check_tells_what_somebody_removed(firewalled: Firewalled, pod: Pod) -> None:
    given = firewalled.attach(pod, "10.1.2.3/24", ingressPolicy="same-bridge")
    asked = firewalled.config(ingressPolicy="same-bridge")
    firewalled.node.shown.run(f"nft delete element {OURS} pods4 '{{ 10.1.2.3 }}'")
    firewalled.node.shown.run(f"nft flush set {OURS} guarded")
    said = firewalled.node.difference(asked, pod, given)
    assert "10.1.2.3 is not in set pods4" in said
    assert "bridge cni0 is not in set guarded" in said
    for record in firewalled.records.iterdir():
        record.unlink()
    assert "no record" in firewalled.node.difference(asked, pod, given)


def test_check_tells_that_iptables_filters_by_now(firewalled: Firewalled, pod: Pod) -> None:
    given = firewalled.attach(pod, "10.1.2.3/24")
    firewalled.node.shown.run("nft add table ip filter; nft add chain ip filter FORWARD")
    assert "iptables filters" in firewalled.node.difference(firewalled.config(), pod, given)


def test_garbage_goes_and_what_is_valid_stays(firewalled: Firewalled, make_pod: MakePod) -> None:
    lost, kept, foreign = make_pod("lost"), make_pod("kept"), make_pod("foreign")
    firewalled.attach(lost, "10.1.2.3/24", to="foo", ingressPolicy="isolated")
    given = firewalled.attach(kept, "10.1.3.3/24", to="bar", ingressPolicy="isolated")
    firewalled.attach(foreign, "10.1.4.3/24", name="green")
    asked = {
        **firewalled.config(ingressPolicy="isolated"),
        "cni.dev/valid-attachments": [{"containerID": "kept", "ifname": "eth0"}],
    }
    firewalled.node.ask("GC", asked).succeeded()
    assert sorted(firewalled.set("pods4").replace(",", "").split()[::3]) == ["10.1.3.3", "10.1.4.3"]
    assert firewalled.set("guarded") == '"bar"'
    assert firewalled.set("isolated", "bridge multus_firewall").endswith('comment "multus:blue:kept:eth0"')
    firewalled.node.check(firewalled.config(ingressPolicy="isolated"), kept, given)


def test_status_is_good_where_nftables_is(firewalled: Firewalled) -> None:
    assert firewalled.node.ask("STATUS", firewalled.config()).succeeded().stdout == b""


def test_the_operators_chain_is_asked_first_and_never_emptied(firewalled: Firewalled, make_pod: MakePod) -> None:
    one, other = make_pod("one"), make_pod("other")
    firewalled.attach(one, "10.1.1.2/24", to="foo")
    firewalled.node.shown.run(f"nft add rule {OURS} admin ip saddr 10.1.1.2 drop")
    firewalled.attach(other, "10.1.2.2/24", to="bar")
    assert is_kept_from(one, "10.1.2.2")
    assert "ip saddr 10.1.1.2 drop" in firewalled.node.shown.run(f"nft list chain {OURS} admin")


def test_many_pods_at_once_are_all_let_through(firewalled: Firewalled, make_pod: MakePod) -> None:
    pods = [make_pod(f"pod{number}") for number in range(8)]
    results = [{"cniVersion": "1.1.0", "ips": [{"address": f"10.1.2.{number + 2}/24"}]} for number in range(len(pods))]

    firewalled.node.command("firewall")

    def attach(number: int) -> None:
        told = {**firewalled.config(), "prevResult": results[number]}
        firewalled.node.process("ADD", told, pods[number]).succeeded()

    with ThreadPoolExecutor(len(pods)) as pool:
        list(pool.map(attach, range(len(pods))))
    assert firewalled.set("pods4").count("comment") == len(pods)
