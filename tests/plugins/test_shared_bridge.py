"""The bridge that attachments share: its addresses, its MAC, what is asked of all its ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import bridge, pools

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown
    from tests.pods import MakePod


def test_a_new_bridge_has_its_name_and_is_not_promiscuous(node: Runtime, pod: Pod) -> None:
    node.add(bridge(bridge="br-blue"), pod)
    assert node.shown.link("br-blue")["promiscuity"] == 0
    assert node.shown.is_up("br-blue")


def test_the_bridge_is_called_cni0_unless_it_has_a_name(node: Runtime, pod: Pod) -> None:
    node.add({"cniVersion": "1.1.0", "name": "blue", "type": "bridge"}, pod)
    assert node.links()["cni0"] == "bridge"


def test_an_existing_bridge_is_used_as_it_is(node: Runtime, pod: Pod) -> None:
    node.shown.run("ip link add cni0 type bridge")
    before = node.shown.link("cni0")
    node.add(bridge(), pod)
    after = node.shown.link("cni0")
    assert (after["ifindex"], after["address"]) == (before["ifindex"], before["address"])
    assert node.shown.is_up("cni0")


def test_forwarding_is_enabled_for_the_families_that_have_a_gateway(node: Runtime, pod: Pod) -> None:
    node.add(bridge(isGateway=True, ipam=pools(node, "10.1.2.0/24")), pod)
    assert node.shown.setting("ipv4/ip_forward") == "1"
    assert node.shown.setting("ipv6/conf/all/forwarding") == "0"


def test_forwarding_stays_off_where_the_bridge_is_no_gateway(node: Runtime, pod: Pod) -> None:
    node.add(bridge(ipam=pools(node, "10.1.2.0/24")), pod)
    assert node.shown.setting("ipv4/ip_forward") == "0"
    assert node.shown.addresses("cni0") == set()


def test_a_second_ipv4_address_on_the_bridge_is_a_conflict(node: Runtime, make_pod: MakePod) -> None:
    first, second = make_pod("first"), make_pod("second")
    node.add(bridge(isGateway=True, ipam=node.given("10.1.2.3/24")), first)
    before = node.shown.everything()
    other = bridge(isGateway=True, ipam=node.given("10.1.3.3/24"))
    assert "forceAddress" in node.ask("ADD", other, second).failed(7)
    assert node.shown.everything() == before
    node.add({**other, "forceAddress": True}, second)
    assert node.shown.addresses("cni0") == {"10.1.3.1/24"}


def test_an_ipv6_address_that_overlaps_is_a_conflict(node: Runtime, make_pod: MakePod) -> None:
    first, second = make_pod("first"), make_pod("second")
    node.add(bridge(isGateway=True, ipam=node.given("2001:db8:1::3/64")), first)
    other = bridge(isGateway=True, ipam=node.given("2001:db8:1::3/48"))
    assert "forceAddress" in node.ask("ADD", other, second).failed(7)
    node.add({**other, "forceAddress": True}, second)
    assert node.shown.addresses("cni0") == {"2001:db8:1::1/48"}


def test_ipv6_networks_that_do_not_overlap_live_side_by_side(node: Runtime, make_pod: MakePod) -> None:
    node.add(bridge(isGateway=True, ipam=node.given("2001:db8:1::3/64")), make_pod("first"))
    node.add(bridge(isGateway=True, ipam=node.given("2001:db8:2::3/64")), make_pod("second"))
    assert node.shown.addresses("cni0") == {"2001:db8:1::1/64", "2001:db8:2::1/64"}


def test_a_link_local_gateway_does_not_conflict_with_the_bridges_own(node: Runtime, make_pod: MakePod) -> None:
    node.add(bridge(), make_pod("first"))
    assert node.shown.addresses("cni0", link_local=True)
    ipam = node.given("2001:db8::3/64", gateway="fe80::1")
    node.add(bridge(isDefaultGateway=True, ipam=ipam), make_pod("second"))
    assert "fe80::1/64" in node.shown.addresses("cni0", link_local=True)


def test_force_address_takes_all_that_conflict(node: Runtime, pod: Pod) -> None:
    node.shown.run("ip link add cni0 type bridge")
    node.shown.run("ip addr add 10.7.0.1/24 dev cni0")
    node.shown.run("ip addr add 10.8.0.1/24 dev cni0")
    ipam = pools(node, "10.1.2.0/24", "10.9.0.0/24")
    node.add(bridge(isGateway=True, forceAddress=True, ipam=ipam), pod)
    assert node.shown.addresses("cni0") == {"10.1.2.1/24", "10.9.0.1/24"}


def test_promisc_mode_is_set_on_a_new_bridge(node: Runtime, pod: Pod) -> None:
    node.add(bridge(promiscMode=True), pod)
    assert node.shown.link("cni0")["promiscuity"] == 1
    assert "PROMISC" in node.shown.link("cni0")["flags"]


def test_promisc_mode_is_set_on_a_bridge_that_somebody_listens_to(node: Runtime, pod: Pod) -> None:
    """Who listens makes the bridge promiscuous too, but only as long as it does."""
    node.shown.run("ip link add cni0 up type bridge")
    node.shown.run("ip link add mv0 link cni0 up type macvlan mode passthru")
    assert node.shown.link("cni0")["promiscuity"] > 0
    node.add(bridge(promiscMode=True), pod)
    assert "PROMISC" in node.shown.link("cni0")["flags"]


def test_the_result_tells_the_mtu_that_a_bridge_took_from_its_port(node: Runtime, pod: Pod) -> None:
    node.shown.run("ip link add cni0 type bridge")
    result = node.add(bridge(mtu=1400), pod)
    assert result["interfaces"][0]["mtu"] == node.shown.link("cni0")["mtu"] == 1400


@pytest.mark.parametrize("more", [{}, {"isGateway": True}])
def test_the_bridges_mac_stays_while_ports_come_and_go(more: dict[str, Any], node: Runtime, make_pod: MakePod) -> None:
    config = bridge(ipam=pools(node, "10.1.2.0/24"), **more)
    seen = set()
    pods = [make_pod(f"pod{at}") for at in range(4)]
    for each in pods:
        seen.add(node.add(config, each)["interfaces"][0]["mac"])
        seen.add(node.shown.link("cni0")["address"])
    for each in pods:
        node.delete(config, each)
        seen.add(node.shown.link("cni0")["address"])
    assert len(seen) == 1


@pytest.mark.parametrize("more", [{}, {"isGateway": True}])
def test_a_bridge_whose_mac_nobody_set_keeps_it(more: dict[str, Any], node: Runtime, make_pod: MakePod) -> None:
    node.shown.run("ip link add cni0 type bridge")
    node.shown.run("ip link add port0 up address 02:00:00:00:00:01 master cni0 type veth peer name port1")
    config = bridge(ipam=pools(node, "10.1.2.0/24"), **more)
    pods = [make_pod(f"pod{at}") for at in range(3)]
    macs = {node.add(config, each)["interfaces"][0]["mac"] for each in pods}
    node.delete(config, pods[0])
    assert macs == {"02:00:00:00:00:01"} == {node.shown.link("cni0")["address"]}


def test_an_attachment_leaves_the_nodes_other_neighbours_alone(node: Runtime, make_pod: MakePod) -> None:
    """Setting a bridge's MAC, be it to the one it has, flushes the neighbours on it."""
    config = bridge(isGateway=True, ipam=pools(node, "10.1.2.0/24"))
    node.add(config, make_pod("first"))
    node.shown.run("ip neigh add 10.1.2.99 lladdr 02:00:00:00:00:99 dev cni0 nud reachable")
    node.add(config, make_pod("second"))
    assert "02:00:00:00:00:99" in node.shown.run("ip neigh show dev cni0")


def test_a_default_route_that_ipam_brings_is_not_added_twice(node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: without `gw` in IPAM's route the default is added twice, and the ADD fails."""
    ipam = node.given("10.1.2.3/24", routes=[{"dst": "0.0.0.0/0"}])
    node.add(bridge(isDefaultGateway=True, ipam=ipam), pod)
    assert inside.routes()[0] == "default via 10.1.2.1 dev eth0 proto static"
    assert len(inside.routes()) == 2


def test_the_gateway_of_ipams_default_route_is_kept(node: Runtime, pod: Pod, inside: Shown) -> None:
    ipam = node.given("10.1.2.3/24", routes=[{"dst": "0.0.0.0/0", "gw": "10.1.2.254"}])
    node.add(bridge(isDefaultGateway=True, ipam=ipam), pod)
    assert inside.routes()[0] == "default via 10.1.2.254 dev eth0 proto static"
    assert node.shown.addresses("cni0") == {"10.1.2.1/24"}


def test_a_gateway_that_ipam_names_is_the_bridges_address(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.add(bridge(isDefaultGateway=True, ipam=node.given("10.1.2.3/24", gateway="10.1.2.254")), pod)
    assert node.shown.addresses("cni0") == {"10.1.2.254/24"}
    assert inside.routes()[0] == "default via 10.1.2.254 dev eth0 proto static"


def test_an_address_that_is_the_gateways_own_is_refused(node: Runtime, pod: Pod) -> None:
    before = node.shown.everything()
    message = node.ask("ADD", bridge(isGateway=True, ipam=node.given("10.1.2.1/24")), pod).failed(7)
    assert "10.1.2.1/24" in message
    assert node.shown.everything() == before
    assert node.verbs() == ["ADD", "DEL"]


@pytest.mark.parametrize("address", ["10.1.2.3/32", "10.1.2.2/31", "2001:db8::3/128"])
def test_a_network_without_room_for_a_gateway_needs_one_from_ipam(address: str, node: Runtime, pod: Pod) -> None:
    assert "gateway" in node.ask("ADD", bridge(isGateway=True, ipam=node.given(address)), pod).failed(7)


def test_a_bridge_without_ports_and_without_a_mac_is_given_one(node: Runtime, pod: Pod) -> None:
    """What the Go plugin's L2 bridge is once its last container is gone."""
    for command in ("add cni0 type bridge", "add v0 type veth peer v1", "set v0 master cni0", "del v0"):
        node.shown.run(f"ip link {command}")
    assert node.shown.link("cni0")["address"] == "00:00:00:00:00:00"
    result = node.add(bridge(), pod)
    assert node.shown.link("cni0")["address"] == result["interfaces"][0]["mac"] != "00:00:00:00:00:00"
