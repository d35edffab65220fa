"""portmap, judged by packets: from outside, from the node, from the pods, of TCP and UDP, IPv4 and IPv6."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.plugins.configs import bridge, pools
from tests.plugins.datagrams import NODE, OUTSIDE, make_outside
from tests.plugins.flows import make_flows, strangers
from tests.plugins.portmapped import address_of, bridged, chains, garbage, held, mapping, portmap
from tests.plugins.services import SHORT, asked, bound, serving
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeNamespace
    from tests.node import Pod
    from tests.plugins.conftest import MakePod
    from tests.plugins.runtime import Runtime

BOTH = [mapping(8080), mapping(8080, "udp")]
GATEWAY = {4: "10.1.2.1", 6: "2001:db8:1::1"}
PROTOCOLS = ["tcp", "udp"]
CAPABLE: dict[str, object] = {"capabilities": {"portMappings": True}}


@pytest.fixture
def outside(netns: MakeNamespace, node: Runtime) -> str:
    node.shown.run("ip link set lo up")
    # A bridge that looks for duplicates of its own address asks for nobody else's meanwhile.
    node.shown.write("ipv6/conf/default/accept_dad", "0")
    return make_outside(netns, node.host.path)


@pytest.fixture
def served(node: Runtime, pod: Pod, outside: str) -> Iterator[dict[str, object]]:
    """A pod that answers at its ports 80, on a bridge; what its ADD returned.

    Where a node filters what it bridges (br_netfilter), only a port in hairpinMode sends back what came in by it.
    """
    result = bridged(node, pod, hairpinMode=True)
    with serving(pod.netns, "pod1"):
        yield result


def track(node: Runtime) -> None:
    """Let the kernel know of connections before the first ADD, as it does on any node with a filter."""
    node.shown.run(
        "nft 'add table inet x; add chain inet x y { type filter hook input priority 0; };"
        " add rule inet x y ct state invalid drop'"
    )


def tracked(node: Runtime, protocol: str, port: int, family: int = 4) -> str:
    """The connections to a port that the kernel knows, as conntrack lists them."""
    return node.shown.run(f"conntrack -L -f ipv{family} -p {protocol} --orig-port-dst {port} 2>/dev/null")


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


@pytest.mark.parametrize("version", ["0.3.1", "1.0.0"])
def test_a_udp_client_that_goes_on_sending_reaches_the_next_pod(
    version: str, node: Runtime, make_pod: MakePod, outside: str
) -> None:
    """BUG of the reference (containernetworking/plugins#1190): a DEL leaves what leads to the dead pod."""
    pods = [make_pod("first"), make_pod("second")]
    results = [bridged(node, pod) for pod in pods]
    config = portmap(mapping(5353, "udp"), version=version)
    with serving(pods[0].netns, "first"), serving(pods[1].netns, "second"):
        node.ask("ADD", config, pods[0], results[0]).succeeded()
        for family in (4, 6):
            source = f"{OUTSIDE[family]} 4000"
            assert asked(outside, "udp", NODE[family], 5353, source=source) == f"first {OUTSIDE[family]}"
        node.delete(config, pods[0])
        for family in (4, 6):
            assert asked(outside, "udp", NODE[family], 5353, source=f"{OUTSIDE[family]} 4000", patience=SHORT) == ""
        node.ask("ADD", config, pods[1], results[1]).succeeded()
        for family in (4, 6):
            source = f"{OUTSIDE[family]} 4000"
            assert asked(outside, "udp", NODE[family], 5353, source=source) == f"second {OUTSIDE[family]}"


@pytest.mark.vm
def test_an_older_kernel_leads_and_forgets_as_well(node: Runtime, make_pod: MakePod, outside: str) -> None:
    """One that forgets connections only one by one."""
    pods = [make_pod("first"), make_pod("second")]
    results = [bridged(node, pod, hairpinMode=True) for pod in pods]
    config = portmap(*BOTH, conditionsV4=["ip saddr != 198.51.100.0/24"])
    with serving(pods[0].netns, "first"), serving(pods[1].netns, "second"):
        for pod, result, name in zip(pods, results, ("first", "second"), strict=True):
            node.ask("STATUS", config).succeeded()
            node.ask("ADD", config, pod, result).succeeded()
            node.check(config, pod, result)
            for protocol in PROTOCOLS:
                for family in (4, 6):
                    source = f"{OUTSIDE[family]} 4000"
                    seen = asked(outside, protocol, NODE[family], 8080, source=source, patience=60)
                    assert seen == f"{name} {OUTSIDE[family]}"
                assert asked(node.host.path, protocol, "127.0.0.1", 8080, patience=60) == f"{name} {GATEWAY[4]}"
                assert asked(pod.netns, protocol, NODE[4], 8080, patience=60) == f"{name} {GATEWAY[4]}"
            node.delete(config, pod)
            assert [tracked(node, protocol, 8080, family) for protocol in PROTOCOLS for family in (4, 6)] == [""] * 4


def test_connections_of_tcp_to_a_dead_pod_are_forgotten(node: Runtime, pod: Pod, outside: str) -> None:
    """The kernel remembers them for days, and leads whoever uses their ports again to where the pod was."""
    result = bridged(node, pod)
    node.ask("ADD", portmap(mapping(8080)), pod, result).succeeded()
    with bound(pod.netns, 80, "tcp") as listening, bound(outside, 0, "tcp", "0.0.0.0") as client:
        listening.listen()
        client.connect((NODE[4], 8080))
        listening.accept()[0].close()
        assert f"src={address_of(result)}" in tracked(node, "tcp", 8080)
        node.delete(portmap(mapping(8080)), pod)
        assert tracked(node, "tcp", 8080) == ""


def test_what_others_are_connected_to_goes_on(node: Runtime, pod: Pod, outside: str, served: dict[str, object]) -> None:
    """The reference forgets all of UDP that goes to such a port, wherever: this is a client of another server."""
    track(node)
    with bound(outside, 5353, "udp") as server, bound(pod.netns, 4002, "udp") as sender:
        sender.sendto(b"question", (OUTSIDE[6], 5353))
        assert server.recvfrom(100)[0] == b"question"
        node.ask("ADD", portmap(mapping(5353, "udp")), pod, served).succeeded()
        assert f"dst={OUTSIDE[6]} sport=4002 dport=5353" in tracked(node, "udp", 5353, 6)


def test_a_connection_to_the_node_itself_goes_on(
    node: Runtime, pod: Pod, outside: str, served: dict[str, object]
) -> None:
    track(node)
    with bound(node.host.path, 8080, "tcp") as listening, bound(outside, 0, "tcp", "0.0.0.0") as client:
        listening.listen()
        client.connect((NODE[4], 8080))
        connection, _ = listening.accept()
        node.ask("ADD", portmap(mapping(8080)), pod, served).succeeded()
        client.sendall(b"still here")
        connection.settimeout(5)
        assert connection.recv(100) == b"still here"
        connection.close()


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


def test_a_hundred_thousand_connections_do_not_hold_it_up(node: Runtime, pod: Pod, served: dict[str, object]) -> None:
    """Measured: 0.15 s for both; the bound is for a machine that is busy with others."""
    track(node)
    make_flows(node.host, 17, strangers(100_000))
    started = time.monotonic()
    node.ask("ADD", portmap(*BOTH), pod, served).succeeded()
    node.delete(portmap(*BOTH), pod)
    assert time.monotonic() - started < 10


def test_garbage_collection_forgets_connections_too(
    node: Runtime, pod: Pod, outside: str, served: dict[str, object]
) -> None:
    node.ask("ADD", portmap(*BOTH), pod, served).succeeded()
    assert asked(outside, "udp", NODE[4], 8080) == f"pod1 {OUTSIDE[4]}"
    assert asked(outside, "udp", NODE[6], 8080) == f"pod1 {OUTSIDE[6]}"
    node.ask("GC", garbage(portmap())).succeeded()
    assert [tracked(node, "udp", 8080, family) for family in (4, 6)] == ["", ""]


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
