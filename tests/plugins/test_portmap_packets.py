"""portmap, judged by packets: from outside, from the node, from the pods, of TCP and UDP, IPv4 and IPv6."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.configs import bridge, pools
from tests.plugins.datagrams import NODE, OUTSIDE
from tests.plugins.portmapped import BOTH, GATEWAY, PROTOCOLS, address_of, bridged, chains, held, mapping, portmap
from tests.plugins.services import SHORT, asked, serving
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

CAPABLE: dict[str, object] = {"capabilities": {"portMappings": True}}


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_port_of_the_node_leads_to_the_pod(
    family: int, protocol: str, node: Runtime, pod: Pod, outside: str, served: dict[str, object]
) -> None:
    assert asked(outside, protocol, NODE[family], 8080, patience=SHORT) == ""
    assert node.ask("ADD", portmap(*BOTH), pod, served).succeeded().document == served
    assert asked(outside, protocol, NODE[family], 8080) == f"pod1 {OUTSIDE[family]}"
    assert asked(outside, protocol, NODE[family], 8081, patience=SHORT) == ""
    node.delete(portmap(*BOTH), pod, served)
    assert asked(outside, protocol, NODE[family], 8080, patience=SHORT) == ""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_node_reaches_it_by_each_of_its_addresses(
    protocol: str, node: Runtime, pod: Pod, served: dict[str, object]
) -> None:
    node.ask("ADD", portmap(*BOTH), pod, served).succeeded()
    where = node.host.path
    assert asked(where, protocol, NODE[4], 8080) == f"pod1 {NODE[4]}"
    assert asked(where, protocol, "127.0.0.1", 8080) == f"pod1 {GATEWAY[4]}"
    assert asked(where, protocol, "127.9.8.7", 8080, source="127.0.0.5") == f"pod1 {GATEWAY[4]}"
    assert asked(where, protocol, NODE[6], 8080) == f"pod1 {NODE[6]}"


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pod_reaches_itself_and_its_neighbours_through_the_node(
    family: int, protocol: str, node: Runtime, pod: Pod, make_pod: MakePod, served: dict[str, object]
) -> None:
    neighbour = make_pod("neighbour")
    bridged(node, neighbour)
    node.ask("ADD", portmap(*BOTH), pod, served).succeeded()
    for asking in (pod, neighbour):
        assert asked(asking.netns, protocol, NODE[family], 8080) == f"pod1 {GATEWAY[family]}"


def test_without_snat_the_neighbours_are_seen_and_localhost_is_left_alone(
    node: Runtime, pod: Pod, outside: str, served: dict[str, object]
) -> None:
    node.ask("ADD", portmap(*BOTH, snat=False), pod, served).succeeded()
    assert asked(outside, "tcp", NODE[4], 8080) == f"pod1 {OUTSIDE[4]}"
    assert asked(node.host.path, "tcp", "127.0.0.1", 8080, patience=SHORT) == ""
    assert asked(pod.netns, "tcp", NODE[4], 8080, patience=SHORT) == ""
    assert node.shown.setting("ipv4/conf/cni0/route_localnet") == "0"


@pytest.mark.parametrize("family", [4, 6])
def test_with_masqall_strangers_come_from_the_node(
    family: int, node: Runtime, pod: Pod, outside: str, served: dict[str, object]
) -> None:
    """BUG of the reference: its nftables backend passes over masqAll."""
    node.ask("ADD", portmap(*BOTH, masqAll=True, backend="nftables"), pod, served).succeeded()
    for protocol in PROTOCOLS:
        assert asked(outside, protocol, NODE[family], 8080) == f"pod1 {GATEWAY[family]}"


def test_the_bit_of_the_mark_is_the_one_that_is_asked_for(node: Runtime, pod: Pod, served: dict[str, object]) -> None:
    """BUG of the reference: its nftables backend passes over markMasqBit."""
    node.ask("ADD", portmap(*BOTH, markMasqBit=5, backend="nftables"), pod, served).succeeded()
    assert asked(pod.netns, "tcp", NODE[4], 8080) == f"pod1 {GATEWAY[4]}"
    listed = node.shown.run("nft list table inet multus_hostports")
    assert "meta mark & 0x00000020 == 0x00000020" in listed
    assert "0x00002000" not in listed


def test_marks_of_others_are_not_masqueraded(node: Runtime, pod: Pod, outside: str, served: dict[str, object]) -> None:
    """The bit may mean something else to somebody else: only what was led elsewhere is masqueraded."""
    node.ask("ADD", portmap(*BOTH), pod, served).succeeded()
    node.shown.run(
        "nft 'add table inet x; add chain inet x y { type filter hook prerouting priority -150; };"
        f" add rule inet x y ip saddr {OUTSIDE[4]} meta mark set 0x2000'"
    )
    assert asked(outside, "tcp", address_of(served), 80) == f"pod1 {OUTSIDE[4]}"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_host_ip_leaves_the_other_addresses_alone(
    protocol: str, node: Runtime, pod: Pod, outside: str, served: dict[str, object]
) -> None:
    config = portmap(mapping(8080, protocol, NODE[4]), mapping(8081, protocol, NODE[6]))
    node.ask("ADD", config, pod, served).succeeded()
    assert asked(outside, protocol, NODE[4], 8080) == f"pod1 {OUTSIDE[4]}"
    assert asked(outside, protocol, GATEWAY[4], 8080, patience=SHORT) == ""
    assert asked(node.host.path, protocol, "127.0.0.1", 8080, patience=SHORT) == ""
    assert asked(outside, protocol, NODE[6], 8080, patience=SHORT) == ""
    assert asked(outside, protocol, NODE[6], 8081) == f"pod1 {OUTSIDE[6]}"
    assert asked(outside, protocol, NODE[4], 8081, patience=SHORT) == ""


def test_a_single_address_and_all_the_others_may_lead_to_different_ports(
    node: Runtime, pod: Pod, outside: str, served: dict[str, object]
) -> None:
    with serving(pod.netns, "another", 81):
        config = portmap(mapping(8080), mapping(8080, address="127.0.0.1", to=81))
        node.ask("ADD", config, pod, served).succeeded()
        assert asked(outside, "tcp", NODE[4], 8080) == f"pod1 {OUTSIDE[4]}"
        assert asked(node.host.path, "tcp", "127.0.0.1", 8080) == f"another {GATEWAY[4]}"


def test_a_port_may_be_one_pods_for_ipv4_and_anothers_for_ipv6(node: Runtime, make_pod: MakePod, outside: str) -> None:
    first, second = make_pod("first"), make_pod("second")
    old, new = bridged(node, first, "10.1.2.0/24"), bridged(node, second, "2001:db8:1::/64")
    with serving(first.netns, "first"), serving(second.netns, "second"):
        node.ask("ADD", portmap(*BOTH), first, old).succeeded()
        node.ask("ADD", portmap(*BOTH), second, new).succeeded()
        assert asked(outside, "tcp", NODE[4], 8080) == f"first {OUTSIDE[4]}"
        assert asked(outside, "tcp", NODE[6], 8080) == f"second {OUTSIDE[6]}"


def test_conditions_are_each_attachments_own(node: Runtime, make_pod: MakePod, outside: str) -> None:
    """BUG of the reference: the conditions of the last ADD replace everybody's."""
    first, second = make_pod("first"), make_pod("second")
    results = [bridged(node, pod) for pod in (first, second)]
    closed, closed6 = f"ip saddr != {OUTSIDE[4]}", f"ip6 saddr != {OUTSIDE[6]}"
    configs = [portmap(mapping(8080), conditionsV4=[closed], conditionsV6=closed6.split()), portmap(mapping(8081))]
    with serving(first.netns, "first"), serving(second.netns, "second"):
        for config, pod, result in zip(configs, (first, second), results, strict=True):
            node.ask("ADD", config, pod, result).succeeded()
        for family in (4, 6):
            assert asked(outside, "tcp", NODE[family], 8080, patience=SHORT) == ""
            assert asked(node.host.path, "tcp", NODE[family], 8080) == f"first {NODE[family]}"
            assert asked(outside, "tcp", NODE[family], 8081) == f"second {OUTSIDE[family]}"
        node.delete(configs[1], second)
        assert asked(outside, "tcp", NODE[4], 8080, patience=SHORT) == ""


def test_what_is_sent_to_localhost_from_outside_is_dropped(
    node: Runtime, pod: Pod, outside: str, served: dict[str, object]
) -> None:
    """route_localnet alone lets pods reach what the node has at 127.0.0.1 (as CVE-2020-8558)."""
    node.ask("ADD", portmap(mapping(8080)), pod, served).succeeded()
    assert node.shown.setting("ipv4/conf/cni0/route_localnet") == "1"
    inside = Shown(pod.netns)
    inside.write("ipv4/conf/all/route_localnet", "1")
    inside.run("ip addr flush dev lo; ip route del table local local 127.0.0.0/8 dev lo 2>/dev/null || true")
    inside.run(f"ip route add 127.0.0.1/32 via {GATEWAY[4]} src {address_of(served)}")
    with serving(node.host.path, "node", 9000):
        assert asked(pod.netns, "tcp", GATEWAY[4], 9000) == f"node {address_of(served)}"
        for protocol in PROTOCOLS:
            assert asked(pod.netns, protocol, "127.0.0.1", 9000, patience=SHORT) == ""
        node.shown.run("nft flush chain inet multus_hostports guard")
        assert asked(pod.netns, "tcp", "127.0.0.1", 9000) == f"node {address_of(served)}"


@pytest.mark.parametrize("family", [4, 6])
def test_it_follows_ptp_as_well(family: int, node: Runtime, pod: Pod, outside: str) -> None:
    ipam = pools(node, "10.1.2.0/24", "2001:db8:1::/64", routes=[{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])
    result = node.add({"cniVersion": "1.1.0", "name": "blue", "type": "ptp", "ipam": ipam}, pod)
    node.ask("ADD", portmap(*BOTH), pod, result).succeeded()
    with serving(pod.netns, "pod1"):
        for protocol in PROTOCOLS:
            assert asked(outside, protocol, NODE[family], 8080) == f"pod1 {OUTSIDE[family]}"
            assert asked(pod.netns, protocol, NODE[family], 8080).startswith("pod1 ")
        assert asked(node.host.path, "tcp", "127.0.0.1", 8080).startswith("pod1 ")
    node.check(portmap(*BOTH), pod, result)


def below_multus(node: Runtime, *more: dict[str, object]) -> dict[str, object]:
    """A list with portmap as a delegate, and ports that the runtime asks for."""
    chain = [bridge(ipam=pools(node, "10.1.2.0/24"), isDefaultGateway=True), {"type": "portmap", **CAPABLE}, *more]
    network = {"cniVersion": "1.1.0", "name": "blue", "plugins": chain}
    return node.config(network, runtimeConfig={"portMappings": BOTH})


def test_below_the_meta_plugin_it_gets_the_ports(node: Runtime, pod: Pod, outside: str) -> None:
    config = below_multus(node)
    node.call("ADD", config, pod).succeeded()
    with serving(pod.netns, "pod1"):
        assert asked(outside, "tcp", NODE[4], 8080) == f"pod1 {OUTSIDE[4]}"
    node.call("CHECK", config, pod).succeeded()
    bare = {key: value for key, value in config.items() if key != "runtimeConfig"}
    node.call("DEL", bare, pod).succeeded()
    assert (held(node), chains(node)) == ([], [])


def test_a_later_plugin_that_fails_takes_the_ports_with_it(node: Runtime, pod: Pod) -> None:
    node.program("failing", ADD={"status": 1, "stdout": '{"code": 42, "msg": "not today"}'})
    assert "not today" in node.call("ADD", below_multus(node, {"type": "failing"}), pod).failed(42)
    assert (held(node), chains(node)) == ([], [])
