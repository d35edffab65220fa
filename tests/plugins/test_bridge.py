"""bridge: what it makes on the node and in the pod, in every version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import bridge, pools
from tests.plugins.runtime import VERSIONS, WITH_CHECK

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

SUBNETS = {"IPv4": ["10.1.2.0/24"], "IPv6": ["2001:db8::/64"], "dual stack": ["10.1.2.0/24", "2001:db8::/64"]}


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


def test_the_interfaces_that_ipam_numbers_are_its_own(node: Runtime, pod: Pod) -> None:
    """It sees no interfaces; the addresses are all for the one that is made."""
    ipam = node.given(ips=[{"address": "10.1.2.3/24", "interface": 7}, {"address": "10.1.3.3/24"}])
    assert [ip["interface"] for ip in node.add(bridge(ipam=ipam), pod)["ips"]] == [2, 2]
