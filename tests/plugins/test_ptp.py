"""ptp: a pair of links, addresses and routes at both ends, in every version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import pools
from tests.plugins.datagrams import OUTSIDE, make_outside, source_seen
from tests.plugins.masqueraded import garbage
from tests.plugins.runtime import VERSIONS, WITH_CHECK

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown
    from tests.pods import MakePod

SUBNETS = "10.1.2.0/24", "2001:db8:1::/66"
ROUTES = [{"dst": "0.0.0.0/0"}, {"dst": "192.168.0.0/16"}, {"dst": "2001:db8:9::/64"}]


def ptp(version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "blue", "type": "ptp", **more}


def given(node: Runtime, address: str, gateway: str = "", **more: object) -> dict[str, Any]:
    return ptp(ipam=node.given(address, gateway=gateway, **more))


@pytest.mark.parametrize("version", VERSIONS)
def test_pod_and_node_reach_each_other(version: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    config = ptp(version, mtu=1400, ipam=pools(node, *SUBNETS, routes=ROUTES))
    before = node.shown.everything()
    if version == "1.1.0":
        node.ask("STATUS", config).succeeded()
    result = node.add(config, pod)
    for gateway, own in (("10.1.2.1", "10.1.2.2"), ("2001:db8:1::1", "2001:db8:1::2")):
        inside.run(f"ping -c 1 -W 2 {gateway}")
        node.shown.run(f"ping -c 1 -W 2 {own}")
    if version in VERSIONS[2:]:
        port, interface = result["interfaces"]
        assert (port["name"], port["mac"]) == (*links_of(node), node.shown.link(port["name"])["address"])
        assert interface == {**interface, "name": "eth0", "mac": inside.link("eth0")["address"], "sandbox": pod.netns}
        assert [ip["interface"] for ip in result["ips"]] == [1, 1]
        assert {ip["address"] for ip in result["ips"]} == inside.addresses("eth0")
    assert {inside.link("eth0")["mtu"], *(node.shown.link(name)["mtu"] for name in links_of(node))} == {1400}
    if version in WITH_CHECK:
        node.check(config, pod, result)
    else:
        node.ask("CHECK", config, pod, result).failed(1)
    node.delete(config, pod, result)
    node.delete(config, pod, result)
    assert inside.links() == set()
    assert node.shown.everything() == {**before, "forwarding": ("1", "1")}
    assert node.reserved("blue") == {}


def links_of(node: Runtime) -> list[str]:
    return [name for name in node.links() if name != "out0"]


def test_everything_goes_by_the_node(node: Runtime, pod: Pod, inside: Shown) -> None:
    """The pod has no neighbours: no route of the kernel's own says that it has."""
    node.add(ptp(ipam=pools(node, *SUBNETS, routes=ROUTES)), pod)
    assert set(inside.routes()) == {
        "10.1.2.1 dev eth0 proto static scope link src 10.1.2.2",
        "10.1.2.0/24 via 10.1.2.1 dev eth0 proto static src 10.1.2.2",
        "default via 10.1.2.1 dev eth0 proto static",
        "192.168.0.0/16 via 10.1.2.1 dev eth0 proto static",
    }
    assert set(inside.routes(6)) == {
        "2001:db8:1::1 dev eth0 proto static src 2001:db8:1::2 metric 1024 pref medium",
        "2001:db8:1::/66 via 2001:db8:1::1 dev eth0 proto static src 2001:db8:1::2 metric 1024 pref medium",
        "2001:db8:9::/64 via 2001:db8:1::1 dev eth0 proto static metric 1024 pref medium",
    }
    [port] = links_of(node)
    assert node.shown.addresses(port) == {"10.1.2.1/32", "2001:db8:1::1/128"}
    assert f"10.1.2.2 dev {port} proto static scope link" in node.shown.routes()
    assert f"2001:db8:1::2 dev {port} proto static metric 1024 pref medium" in node.shown.routes(6)
    assert node.shown.setting(f"ipv6/conf/{port}/accept_ra") == "0"
    assert inside.setting("ipv6/conf/eth0/accept_ra") == "0"


def test_the_nodes_end_says_whose_it_is(node: Runtime, pod: Pod) -> None:
    node.add(ptp(ipam=pools(node, SUBNETS[0])), pod)
    [port] = links_of(node)
    assert node.shown.link(port)["ifalias"] == "multus:blue:pod1:eth0"


def test_pods_reach_each_other_and_what_is_outside(node: Runtime, make_pod: MakePod, netns: MakeNamespace) -> None:
    outside = make_outside(netns, node.host.path)
    config = ptp(ipam=pools(node, *SUBNETS, routes=[*ROUTES, {"dst": "::/0"}]))
    first, second = make_pod("first"), make_pod("second")
    node.add(config, first)
    node.add(config, second)
    for other, sender, receiver in (
        (OUTSIDE[4], "10.1.2.2", "10.1.2.3"),
        (OUTSIDE[6], "2001:db8:1::2", "2001:db8:1::3"),
    ):
        assert source_seen(first.netns, second.netns, receiver) == sender
        assert source_seen(second.netns, outside, other) == receiver
        assert source_seen(outside, first.netns, sender) == other


@pytest.mark.parametrize(
    ("address", "gateway"),
    [
        ("10.1.2.5/32", "10.1.2.1"),
        ("10.1.2.5/32", "169.254.1.1"),
        ("10.1.2.4/31", "10.1.2.5"),
        ("2001:db8:1::5/128", "2001:db8:1::1"),
        ("2001:db8:1::5/128", "fe80::1"),
        ("2001:db8:1::5/64", "fe80::1"),
    ],
)
def test_an_address_without_a_network_works(
    address: str, gateway: str, node: Runtime, pod: Pod, inside: Shown, netns: MakeNamespace
) -> None:
    """BUG of the reference: it looks for the kernel's route to the network, which is not there, and fails."""
    outside = make_outside(netns, node.host.path)
    family = 6 if ":" in address else 4
    config = given(node, address, gateway, routes=[{"dst": "::/0" if family == 6 else "0.0.0.0/0"}])
    result = node.add(config, pod)
    assert inside.addresses("eth0") == {address}
    own = address.partition("/")[0]
    assert source_seen(pod.netns, outside, OUTSIDE[family]) == own
    assert source_seen(outside, pod.netns, own) == OUTSIDE[family]
    node.check(config, pod, result)
    node.delete(config, pod, result)


def test_several_addresses_of_one_network_have_one_gateway(node: Runtime, pod: Pod, inside: Shown) -> None:
    ips = ["10.1.2.5/24", "10.1.2.6/24"]
    config = given(node, "10.1.2.5/24", "10.1.2.1")
    config["ipam"] = node.given(*ips, gateway="10.1.2.1")
    result = node.add(config, pod)
    assert inside.addresses("eth0") == set(ips)
    for address in ips:
        node.shown.run(f"ping -c 1 -W 2 {address.partition('/')[0]}")
    node.check(config, pod, result)


def test_a_route_to_the_networks_own_gateway_is_no_second_one(node: Runtime, pod: Pod, inside: Shown) -> None:
    routes = [{"dst": "10.1.2.0/24", "gw": "10.1.2.1"}, {"dst": "10.1.2.0/24"}, {"dst": "10.9.0.0/16"}]
    config = given(node, "10.1.2.5/24", "10.1.2.1", routes=routes)
    node.check(config, pod, node.add(config, pod))
    assert len(inside.routes()) == 3


def test_a_gateway_in_the_network_that_is_not_the_node_is_kept(node: Runtime, pod: Pod, inside: Shown) -> None:
    """Nobody is there, unless the node answers for it (proxy_arp); the reference makes the same route."""
    config = given(node, "10.1.2.5/24", "10.1.2.1", routes=[{"dst": "10.9.0.0/16", "gw": "10.1.2.77"}])
    node.check(config, pod, node.add(config, pod))
    [port] = links_of(node)
    node.shown.write(f"ipv4/conf/{port}/proxy_arp", "1")
    node.shown.run("ip link add far up type bridge; ip addr add 10.9.0.1/16 dev far; ip addr add 10.1.2.77/32 dev far")
    inside.run("ping -c 1 -W 2 10.9.0.1")


def test_two_interfaces_of_a_pod_keep_to_themselves(node: Runtime, pod: Pod, inside: Shown) -> None:
    blue = ptp(ipam=pools(node, *SUBNETS, routes=ROUTES))
    red = {**blue, "name": "red", "ipam": pools(node, "10.7.2.0/24", "2001:db8:7::/64", routes=ROUTES[:1])}
    result = node.add(blue, pod)
    other = node.add(red, pod, CNI_IFNAME="net1")
    node.check(blue, pod, result)
    node.check(red, pod, other, CNI_IFNAME="net1")
    node.delete(blue, pod)
    assert inside.links() == {"net1"}
    node.check(red, pod, other, CNI_IFNAME="net1")


def test_a_pod_does_not_wait_for_duplicates(node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: dual stack costs two seconds; without a gateway of IPv6 it returns too early."""
    node.add(ptp(ipam=pools(node, *SUBNETS)), pod)
    [port] = links_of(node)
    for shown, name in ((inside, "eth0"), (node.shown, port)):
        assert "tentative" not in shown.run(f"ip -6 addr show dev {name} scope global")
        assert shown.setting(f"ipv6/conf/{name}/accept_dad") == "0"


def test_a_node_without_ipv6_by_default_has_it_where_it_is_asked_for(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.shown.write("ipv6/conf/default/disable_ipv6", "1")
    inside.write("ipv6/conf/default/disable_ipv6", "1")
    node.add(ptp(ipam=pools(node, *SUBNETS)), pod)
    inside.run("ping -c 1 -W 2 2001:db8:1::1")


DNS = {"nameservers": ["192.0.2.53"], "domain": "example.org", "search": ["a"], "options": ["ndots:2"]}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (None, DNS),
        ({}, DNS),
        *((({key: value}), {key: value}) for key, value in DNS.items()),
        ({"nameservers": [], "search": [], "options": []}, {}),
    ],
    ids=str,
)
def test_dns_of_the_configuration_replaces_ipams(
    own: dict[str, Any] | None, expected: dict[str, Any], node: Runtime, pod: Pod
) -> None:
    config = given(node, "10.1.2.5/24", "10.1.2.1", dns=DNS)
    assert node.add({**config, "dns": own}, pod).get("dns", {}) == expected


def test_garbage_goes_and_what_is_valid_stays(node: Runtime, make_pod: MakePod) -> None:
    config = ptp(ipam=pools(node, *SUBNETS))
    stays, goes = make_pod("stays"), make_pod("goes")
    result = node.add(config, stays)
    node.add(config, goes)
    node.ask("GC", garbage(config, "stays")).succeeded()
    node.check(config, stays, result)
    assert links_of(node) == [result["interfaces"][0]["name"]]
    node.ask("GC", garbage(config)).succeeded()
    assert links_of(node) == []
    assert node.reserved("blue") == {}
