"""bridge: the gateway of a VLAN, which comes with the first pod that needs it and goes with the last."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import in_thread
from tests.plugins.configs import bridge, pools
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

pytestmark = pytest.mark.vm

LAYOUTS = [["10.1.2.0/24"], ["2001:db8::/64"], ["10.1.2.0/24", "2001:db8::/64"]]


def gateway(node: Runtime, *subnets: str, vlan: int = 100, **more: object) -> dict[str, Any]:
    return bridge(vlan=vlan, isDefaultGateway=True, ipam=pools(node, *(subnets or LAYOUTS[0])), **more)


def answers(pod: Pod, address: str, *, within: float = 60) -> bool:
    return Shown(pod.netns).reaches(address, within=within)


def native_vlan(node: Runtime, port: str) -> set[int]:
    [shown] = json.loads(node.shown.run(f"bridge -j vlan show dev {port}"))
    return {entry["vlan"] for entry in shown["vlans"] if "PVID" in entry.get("flags", ())}


@pytest.mark.parametrize("subnets", LAYOUTS, ids=str)
def test_the_gateway_of_a_vlan_is_a_link_of_its_own(subnets: list[str], node: Runtime, pod: Pod) -> None:
    config = gateway(node, *subnets)
    node.ask("STATUS", config).succeeded()
    result = node.add(config, pod)
    assert [each["name"] for each in result["interfaces"]][::2] == ["cni0", "eth0"]
    last = result["interfaces"][3]
    shown = node.shown.link("cni0.100")
    assert last == {"name": "cni0.100", "mac": shown["address"], "mtu": 1500}
    assert [ip["interface"] for ip in result["ips"]] == [2] * len(subnets)
    assert shown["linkinfo"]["info_kind"] == "veth"
    assert native_vlan(node, shown["link"]) == {100}
    assert node.shown.addresses("cni0") == set()
    assert len(node.shown.addresses("cni0.100")) == len(subnets)
    node.check(config, pod, result)
    for ip in result["ips"]:
        assert answers(pod, ip["gateway"])
    node.delete(config, pod, result)
    assert node.links() == {"cni0": "bridge"}


def test_a_gateway_is_reached_from_its_vlan_only(node: Runtime, make_pod: MakePod) -> None:
    inside, outside, below = make_pod("inside"), make_pod("outside"), make_pod("below")
    node.add(gateway(node), inside)
    node.add(bridge(vlan=200, ipam=pools(node, "10.1.2.0/24")), outside)
    node.add(bridge(ipam=pools(node, "10.1.2.0/24")), below)
    assert answers(inside, "10.1.2.1")
    assert not answers(outside, "10.1.2.1", within=1)
    assert not answers(below, "10.1.2.1", within=1)


def test_vlans_have_a_gateway_each_and_the_node_joins_them(node: Runtime, make_pod: MakePod) -> None:
    one, other = make_pod("one"), make_pod("other")
    node.add(gateway(node), one)
    result = node.add(gateway(node, "10.9.0.0/24", vlan=200, name="red"), other)
    assert answers(one, result["ips"][0]["address"].split("/")[0])


@pytest.mark.parametrize("how", ["a namespace", "no namespace", "no prevResult"])
def test_the_last_pod_of_a_vlan_takes_its_gateway_along(how: str, node: Runtime, make_pod: MakePod) -> None:
    """BUG of the reference: the gateway stays for ever."""
    config, other = gateway(node), gateway(node, "10.9.0.0/24", vlan=200, name="red")
    first, second, third = make_pod("first"), make_pod("second"), make_pod("third")
    results = [node.add(config, first), node.add(config, second)]
    node.add(other, third)
    changed = {"CNI_NETNS": ""} if how == "no namespace" else {}
    known = None if how == "no prevResult" else results[0]
    node.delete(config, first, known, **changed)
    assert {"cni0.100", "cni0.200"} <= set(node.links())
    known = None if how == "no prevResult" else results[1]
    for _ in range(2):
        node.delete(config, second, known, **changed)
        assert "cni0.100" not in node.links()
        assert "cni0.200" in node.links()
    assert answers(third, "10.9.0.1")


def test_the_node_forgets_whose_an_address_of_a_vlan_was(node: Runtime, make_pod: MakePod) -> None:
    config, stays, goes = gateway(node), make_pod("stays"), make_pod("goes")
    node.add(config, stays)
    result = node.add(config, goes)
    address = result["ips"][0]["address"].partition("/")[0]
    assert answers(goes, "10.1.2.1")
    assert address in node.shown.run("ip neigh show dev cni0.100")
    node.delete(config, goes, result)
    assert address not in node.shown.run("ip neigh show dev cni0.100 nud all")


def test_a_pod_without_gateway_keeps_that_of_its_vlan(node: Runtime, make_pod: MakePod) -> None:
    first, second, third = make_pod("first"), make_pod("second"), make_pod("third")
    plain, trunk = bridge(vlan=100, name="plain"), bridge(vlanTrunk=[{"id": 100}], name="trunk")
    node.add(gateway(node), first)
    node.add(plain, second)
    node.add(trunk, third)
    node.delete(gateway(node), first)
    node.delete(plain, second)
    assert "cni0.100" in node.links()
    node.delete(trunk, third)
    assert node.links() == {"cni0": "bridge"}


def test_gc_removes_the_gateway_of_a_vlan_without_pods(node: Runtime, make_pod: MakePod) -> None:
    config, keep, lose = gateway(node), make_pod("keep"), make_pod("lose")
    for pod in (keep, lose):
        node.add(config, pod)
    valid = [{"containerID": "keep", "ifname": "eth0"}]
    node.ask("GC", {**config, "cni.dev/valid-attachments": valid}).succeeded()
    assert answers(keep, "10.1.2.1")
    assert len([kind for kind in node.links().values() if kind == "veth"]) == 3
    node.ask("GC", {**config, "cni.dev/valid-attachments": []}).succeeded()
    assert node.links() == {"cni0": "bridge"}


def test_a_gateway_that_somebody_else_made_is_used_and_left(node: Runtime, pod: Pod) -> None:
    node.shown.run("ip link add cni0 up type bridge vlan_filtering 1")
    node.shown.run("bridge vlan add vid 100 dev cni0 self")
    node.shown.run("ip link add link cni0 name cni0.100 type vlan id 100")
    config = gateway(node)
    result = node.add(config, pod)
    assert answers(pod, "10.1.2.1")
    node.check(config, pod, result)
    node.delete(config, pod, result)
    assert node.links() == {"cni0": "bridge", "cni0.100": "vlan"}


@pytest.mark.parametrize(
    "taken",
    [
        "ip link add cni0.100 type bridge",
        "ip link add cni0.100 type veth peer v1",
        "ip link add link up0 name cni0.100 type vlan id 100",
        "ip link add cni0.100 type veth peer v1; ip link set v1 master cni0",
    ],
)
def test_a_link_that_cannot_be_the_gateway_is_refused(taken: str, node: Runtime, pod: Pod) -> None:
    node.shown.run("ip link add cni0 address 02:00:00:00:00:01 type bridge vlan_filtering 1")
    node.shown.run(taken)
    before = node.shown.everything()
    assert node.ask("ADD", gateway(node), pod).failed(7).startswith("vlan: cni0.100 ")
    assert node.shown.everything() == before
    assert node.reserved("blue") == {}


def test_a_failed_add_leaves_no_gateway_but_the_one_that_others_use(node: Runtime, make_pod: MakePod) -> None:
    config = gateway(node, "2001:db8::/64", mtu=1000)
    node.ask("ADD", config, make_pod("first")).failed(7)
    assert node.links() == {}
    node.add(gateway(node), make_pod("second"))
    before = node.shown.everything()
    rival = gateway(node, "10.9.0.0/24", name="red")
    assert "cni0.100 has 10.1.2.1/24" in node.ask("ADD", rival, make_pod("third")).failed(7)
    assert node.shown.everything() == before
    node.add({**rival, "forceAddress": True}, make_pod("fourth"))
    assert node.shown.addresses("cni0.100") == {"10.9.0.1/24"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ip link del cni0.100", "there is no gateway cni0.100 of VLAN 100"),
        ("ip link set cni0.100 down", "gateway cni0.100 is down"),
        ("ip addr del 10.1.2.1/24 dev cni0.100", "gateway 10.1.2.1 is not on cni0.100"),
        ("bridge vlan del vid 100 dev $(ip -j link show cni0.100 | grep -o 'veth[0-9a-f]*')", "are not in VLAN 100"),
    ],
)
def test_check_looks_at_the_gateway(change: str, said: str, node: Runtime, pod: Pod) -> None:
    config = gateway(node)
    result = node.add(config, pod)
    node.shown.run(change)
    assert said in node.difference(config, pod, result)


def test_pods_that_come_and_go_at_once_leave_the_gateway_to_those_that_stay(node: Runtime, make_pod: MakePod) -> None:
    config = gateway(node)
    stays, others = make_pod("stays"), [make_pod(f"pod{at}") for at in range(3)]

    def come_and_go(pod: Pod) -> None:
        for _ in range(2):
            node.add(config, pod)
            node.delete(config, pod)

    with ThreadPoolExecutor(len(others)) as pool:
        done = [pool.submit(come_and_go, pod) for pod in others]
        in_thread(lambda: node.add(config, stays))
        for each in done:
            each.result()
    assert answers(stays, "10.1.2.1")
    assert len([kind for kind in node.links().values() if kind == "veth"]) == 3
