"""bridge: what it makes on the node and in the pod, in every version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.runtime import VERSIONS, WITH_CHECK

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Pod
    from tests.plugins.conftest import MakePod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

MAC = "02:00:5e:00:00:01"
OTHER_MAC = "02:00:5e:00:00:02"
THIRD_MAC = "02:00:5e:00:00:03"
SUBNETS = {"IPv4": ["10.1.2.0/24"], "IPv6": ["2001:db8::/64"], "dual stack": ["10.1.2.0/24", "2001:db8::/64"]}
LATER = [{"vlan": 100}, {"vlanTrunk": [{"id": 101}]}, {"vlanTrunk": []}, {"macspoofchk": True}, {"ipMasq": True}]


def bridge(version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "blue", "type": "bridge", "bridge": "cni0", **more}


def pools(node: Runtime, *subnets: str, **more: object) -> dict[str, Any]:
    """host-local with one set of ranges for each subnet."""
    ranges = [[{"subnet": subnet}] for subnet in subnets]
    return {"type": "host-local", "ranges": ranges, "dataDir": str(node.addresses), **more}


def addresses_in(result: dict[str, Any]) -> set[str]:
    """The addresses of a result of any version."""
    legacy = [result[key]["ip"] for key in ("ip4", "ip6") if key in result]
    return {*legacy, *(ip["address"] for ip in result.get("ips", []))}


def gateway_of(subnet: str) -> str:
    return subnet.replace(".0/", ".1/").replace("::/", "::1/")


@pytest.mark.parametrize("layout", SUBNETS)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_bridge_is_the_gateway_of_its_pods(
    version: str, layout: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    subnets = SUBNETS[layout]
    config = bridge(version, isDefaultGateway=True, ipam=pools(node, *subnets))
    if version == "1.1.0":
        node.ask("STATUS", config).succeeded()
    result = node.add(config, pod)
    assert result["cniVersion"] == version
    assert node.shown.addresses("cni0") == {gateway_of(subnet) for subnet in subnets}
    assert inside.addresses("eth0") == addresses_in(result)
    for subnet in subnets:
        gateway = gateway_of(subnet).split("/")[0]
        [default] = [route for route in inside.routes(6 if ":" in subnet else 4) if route.startswith("default")]
        assert default.startswith(f"default via {gateway} dev eth0")
        assert "src" not in default
    node.delete(config, pod, result)
    assert inside.links() == set()
    assert node.links() == {"cni0": "bridge"}
    assert node.reserved("blue") == {}


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_the_result_names_the_bridge_its_port_and_the_pods_interface(
    version: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    result = node.add(bridge(version, isGateway=True, ipam=pools(node, "10.1.2.0/24")), pod)
    made, port, interface = result["interfaces"]
    assert made["name"] == "cni0"
    assert made["mac"] == node.shown.link("cni0")["address"]
    assert port["mac"] == node.shown.link(port["name"])["address"]
    assert node.shown.link(port["name"])["master"] == "cni0"
    assert (interface["name"], interface["sandbox"]) == ("eth0", pod.netns)
    assert interface["mac"] == inside.link("eth0")["address"]
    assert len({made["mac"], port["mac"], interface["mac"]}) == 3
    assert {len(each["mac"]) for each in (made, port, interface)} == {17}
    assert [ip["interface"] for ip in result["ips"]] == [2]
    assert [each.get("mtu") for each in (made, port, interface)] == [1500 if version == "1.1.0" else None] * 3


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_several_networks_of_one_family_get_a_gateway_each(
    version: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    subnets = ["10.1.2.0/24", "2001:db8:1::/64", "2001:db8:2::/64"]
    config = bridge(version, isDefaultGateway=True, ipam=pools(node, *subnets))
    result = node.add(config, pod)
    assert node.shown.addresses("cni0") == {gateway_of(subnet) for subnet in subnets}
    assert len(inside.addresses("eth0")) == 3
    node.delete(config, pod, result)


@pytest.mark.parametrize("version", VERSIONS[:2])
def test_a_version_that_can_tell_one_address_of_a_family_refuses_the_second(
    version: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = bridge(version, isGateway=True, ipam=pools(node, "10.1.2.0/24", "2001:db8:1::/64", "2001:db8:2::/64"))
    before = node.shown.everything()
    message = node.ask("ADD", config, pod).failed(7)
    assert "IPv6 address" in message
    assert version in message
    assert node.shown.everything() == before
    assert node.reserved("blue") == {}
    node.delete(config, pod)


@pytest.mark.parametrize("version", VERSIONS[:2])
def test_a_program_that_gives_more_than_the_version_can_tell_is_refused(
    version: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = bridge(version, ipam=node.given("10.1.2.3/24", "10.1.2.4/24"))
    assert "more than 1 address per family" in node.ask("ADD", config, pod).failed(7)
    assert inside.links() == set()
    assert node.verbs() == ["ADD", "DEL"]


def test_two_ipv4_networks_can_share_a_bridge_in_one_attachment(node: Runtime, pod: Pod) -> None:
    node.add(bridge(isGateway=True, ipam=pools(node, "10.1.2.0/24", "10.9.0.0/24")), pod)
    assert node.shown.addresses("cni0") == {"10.1.2.1/24", "10.9.0.1/24"}


@pytest.mark.parametrize("version", VERSIONS)
def test_dns_comes_from_ipam(version: str, node: Runtime, pod: Pod, tmp_path: Path) -> None:
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("nameserver 192.0.2.53\n")
    result = node.add(bridge(version, ipam=pools(node, "10.1.2.0/24", resolvConf=str(resolv_conf))), pod)
    assert result["dns"]["nameservers"] == ["192.0.2.53"]


@pytest.mark.parametrize("dns", [{"nameservers": ["198.51.100.1"]}, {"search": []}])
def test_dns_of_the_configuration_replaces_that_of_ipam(dns: dict[str, Any], node: Runtime, pod: Pod) -> None:
    ipam = node.given("10.1.2.3/24", dns={"nameservers": ["192.0.2.53"], "domain": "example"})
    assert node.add(bridge(dns=dns, ipam=ipam), pod).get("dns", {}) == {
        key: value for key, value in dns.items() if value
    }


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_without_ipam_there_is_a_port_and_no_address(version: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    config = bridge(version)
    result = node.add(config, pod)
    assert [interface["name"] for interface in result["interfaces"]][::2] == ["cni0", "eth0"]
    assert "ips" not in result
    assert inside.is_up("eth0")
    assert inside.addresses("eth0") == set() == node.shown.addresses("cni0")
    node.delete(config, pod, result)
    assert inside.links() == set()


@pytest.mark.parametrize("version", VERSIONS[:2])
def test_a_version_that_cannot_tell_it_refuses_an_interface_without_address(
    version: str, node: Runtime, pod: Pod
) -> None:
    before = node.shown.everything()
    assert "no valid IP addresses" in node.ask("ADD", bridge(version), pod).failed(1)
    assert node.shown.everything() == before


@pytest.mark.parametrize("version", WITH_CHECK)
@pytest.mark.parametrize("layout", SUBNETS)
def test_check_finds_nothing_after_add(version: str, layout: str, node: Runtime, pod: Pod) -> None:
    config = bridge(version, isDefaultGateway=True, ipam=pools(node, *SUBNETS[layout]))
    result = node.add(config, pod)
    node.check(config, pod, result)
    node.delete(config, pod, result)


@pytest.mark.parametrize("version", VERSIONS[:4])
def test_check_is_not_for_versions_that_do_not_know_it(version: str, node: Runtime, pod: Pod) -> None:
    config = bridge(version, ipam=pools(node, "10.1.2.0/24"))
    node.ask("CHECK", config, pod, node.add(config, pod)).failed(1)


@pytest.mark.parametrize("version", VERSIONS)
def test_delete_of_what_was_never_added_succeeds(version: str, node: Runtime, pod: Pod) -> None:
    node.delete(bridge(version, isGateway=True, ipam=pools(node, "10.1.2.0/24")), pod)


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


def test_promisc_mode_and_hairpin_mode_exclude_each_other(node: Runtime, pod: Pod) -> None:
    assert "hairpinMode" in node.ask("ADD", bridge(promiscMode=True, hairpinMode=True), pod).failed(7)


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize(("key", "setting"), [("hairpinMode", "hairpin"), ("portIsolation", "isolated")])
def test_a_ports_settings_are_those_of_the_configuration(
    key: str, setting: str, on: bool, node: Runtime, pod: Pod
) -> None:
    result = node.add(bridge(**{key: on}), pod)
    port = node.shown.link(result["interfaces"][1]["name"])
    assert port["linkinfo"]["info_slave_data"][setting] is on


def test_the_mtu_is_that_of_the_bridge_and_of_both_ends(node: Runtime, pod: Pod, inside: Shown) -> None:
    result = node.add(bridge(mtu=1400), pod)
    port = result["interfaces"][1]["name"]
    assert [node.shown.link("cni0")["mtu"], node.shown.link(port)["mtu"], inside.link("eth0")["mtu"]] == [1400] * 3
    assert [interface["mtu"] for interface in result["interfaces"]] == [1400] * 3


def test_the_result_tells_the_mtu_that_a_bridge_took_from_its_port(node: Runtime, pod: Pod) -> None:
    node.shown.run("ip link add cni0 type bridge")
    result = node.add(bridge(mtu=1400), pod)
    assert result["interfaces"][0]["mtu"] == node.shown.link("cni0")["mtu"] == 1400


def test_the_macs_sources_rank(node: Runtime, make_pod: MakePod) -> None:
    def mac(name: str, *, arguments: str = "", **more: object) -> str:
        result = node.add(bridge(**more), make_pod(name), CNI_ARGS=f"IgnoreUnknown=1;{arguments}")
        return str(result["interfaces"][2]["mac"])

    argument, of_args, of_runtime = f"MAC={MAC}", {"cni": {"mac": OTHER_MAC}}, {"mac": THIRD_MAC}
    assert mac("configured", mac=OTHER_MAC) == OTHER_MAC
    assert mac("argument", mac=OTHER_MAC, arguments=argument) == MAC
    assert mac("args", args=of_args, arguments=argument) == OTHER_MAC
    assert mac("runtime", args=of_args, arguments=argument, runtimeConfig=of_runtime) == THIRD_MAC


@pytest.mark.parametrize("mac", ["01:00:5e:00:00:01", "00:00:00:00:00:00", "02:00:5e", "nonsense"])
@pytest.mark.parametrize("where", ["runtimeConfig.mac", "args.cni.mac", "mac", "CNI_ARGS.MAC"])
def test_a_mac_that_cannot_be_is_refused_with_its_path(where: str, mac: str, node: Runtime, pod: Pod) -> None:
    config = bridge(ipam=node.given("10.1.2.3/24"))
    arguments = {}
    match where.split("."):
        case ["CNI_ARGS", "MAC"]:
            arguments = {"CNI_ARGS": f"MAC={mac}"}
        case ["runtimeConfig", "mac"]:
            config["runtimeConfig"] = {"mac": mac}
        case ["args", "cni", "mac"]:
            config["args"] = {"cni": {"mac": mac}}
        case _:
            config["mac"] = mac
    before = node.shown.everything()
    message = node.ask("ADD", config, pod, **arguments).failed(7)
    assert message.startswith(f"{where}: ")
    assert node.shown.everything() == before
    assert node.verbs() == []


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


def test_an_interface_can_be_left_down(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = bridge(disableContainerInterface=True)
    result = node.add(config, pod)
    assert not inside.is_up("eth0")
    node.check(config, pod, result)
    inside.run("ip link set eth0 up")
    assert "it is up" in node.difference(config, pod, result)


def test_an_interface_that_stays_down_cannot_have_ipam(node: Runtime, pod: Pod) -> None:
    config = bridge(disableContainerInterface=True, ipam=node.given("10.1.2.3/24"))
    assert "disableContainerInterface" in node.ask("ADD", config, pod).failed(7)
    assert node.verbs() == []


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


@pytest.mark.parametrize("later", LATER, ids=str)
def test_keys_of_a_later_version_are_refused_and_nothing_is_touched(
    later: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    before = node.shown.everything()
    config = bridge(ipam=node.given("10.1.2.3/24"), **later)
    assert node.ask("ADD", config, pod).failed(2).startswith(f"{next(iter(later))}: ")
    assert node.shown.everything() == before
    assert inside.links() == set()
    assert node.verbs() == []
    node.delete(config, pod)


@pytest.mark.parametrize("off", [{"vlan": 0}, {"macspoofchk": False}, {"ipMasq": False, "ipMasqBackend": "nftables"}])
def test_keys_of_a_later_version_that_ask_for_nothing_are_no_matter(
    off: dict[str, Any], node: Runtime, pod: Pod
) -> None:
    node.add(bridge(**off), pod)


def test_the_port_says_whose_it_is(node: Runtime, pod: Pod) -> None:
    result = node.add(bridge(), pod, CNI_IFNAME="net1")
    assert node.shown.link(result["interfaces"][1]["name"])["ifalias"] == "multus:blue:pod1:net1"


def test_a_port_of_long_names_is_found_again(node: Runtime, pod: Pod) -> None:
    """The kernel's aliases are shorter than a network's and a container's longest names."""
    config = bridge(name="n" * 100)
    node.add(config, pod, CNI_CONTAINERID="c" * 200)
    node.delete(config, pod, CNI_CONTAINERID="d" * 200, CNI_NETNS="")
    assert "veth" in node.links().values()
    node.delete(config, pod, CNI_CONTAINERID="c" * 200, CNI_NETNS="")
    assert node.links() == {"cni0": "bridge"}


def test_the_interfaces_that_ipam_numbers_are_its_own(node: Runtime, pod: Pod) -> None:
    """It sees no interfaces; the addresses are all for the one that is made."""
    ipam = node.given(ips=[{"address": "10.1.2.3/24", "interface": 7}, {"address": "10.1.3.3/24"}])
    assert [ip["interface"] for ip in node.add(bridge(ipam=ipam), pod)["ips"]] == [2, 2]


def test_keys_are_read_in_any_case(node: Runtime, pod: Pod) -> None:
    config = {"cniVersion": "1.1.0", "name": "blue", "type": "bridge", "BRIDGE": "br1", "isdefaultgateway": True}
    node.add({**config, "IPAM": node.given("10.1.2.3/24")}, pod)
    assert node.shown.addresses("br1") == {"10.1.2.1/24"}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"bridge": "a/b"}, 7),
        ({"bridge": "a-name-of-more-than-15"}, 7),
        ({"bridge": 7}, 6),
        ({"mtu": -1}, 7),
        ({"mtu": 65536}, 7),
        ({"mtu": "1500"}, 6),
        ({"isGateway": "yes"}, 6),
        ({"dns": {"nameservers": "1.2.3.4"}}, 6),
        ({"ipam": []}, 6),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_its_path_before_anything_happens(
    wrong: dict[str, Any], code: int, node: Runtime, pod: Pod, inside: Shown
) -> None:
    before = node.shown.everything()
    config = {**bridge(ipam=node.given("10.1.2.3/24")), **wrong}
    assert node.ask("ADD", config, pod).failed(code).startswith(next(iter(wrong)))
    assert node.shown.everything() == before
    assert inside.links() == set()
    assert node.verbs() == []


def test_a_bridge_without_ports_and_without_a_mac_is_given_one(node: Runtime, pod: Pod) -> None:
    """What the Go plugin's L2 bridge is once its last container is gone."""
    for command in ("add cni0 type bridge", "add v0 type veth peer v1", "set v0 master cni0", "del v0"):
        node.shown.run(f"ip link {command}")
    assert node.shown.link("cni0")["address"] == "00:00:00:00:00:00"
    result = node.add(bridge(), pod)
    assert node.shown.link("cni0")["address"] == result["interfaces"][0]["mac"] != "00:00:00:00:00:00"
