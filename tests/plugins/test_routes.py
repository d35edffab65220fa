"""Routes: whose default is in force, and that what IPAM asks for is what the kernel has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK
from tests.plugins.runtime import VERSIONS

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

DEFAULTS = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
NINE = {"dst": "10.9.0.0/16"}


def primary(node: Runtime, version: str = "1.1.0", **more: object) -> dict[str, Any]:
    """What eth0 is: a bridge that is the gateway, IPv4 and IPv6."""
    ipam = node.given("10.1.2.3/24", "2001:db8:1::3/64")
    of_bridge = {"name": "blue", "type": "bridge", "bridge": "cni0", "isDefaultGateway": True, "ipam": ipam}
    return {"cniVersion": version, **of_bridge, **more}


def secondary(ipam: dict[str, Any], version: str = "1.1.0", **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "red", "type": "macvlan", "master": UPLINK, "ipam": ipam, **more}


def way(inside: Shown, address: str) -> str:
    """The link by which packets to an address leave."""
    family = 6 if ":" in address else 4
    [route] = inside.ip(f"-{family} route get {address}")
    return str(route["dev"])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_default_of_a_second_interface_does_not_take_over(
    version: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    """BUG of the reference: the IPv4 default that is added last wins, IPv6 ones merge into one of several ways."""
    node.add(primary(node), pod)
    pools = {"ranges": [[{"subnet": "10.2.2.0/24"}], [{"subnet": "2001:db8:2::/64"}]], "routes": DEFAULTS}
    ipam = {"type": "host-local", "dataDir": str(node.addresses), **pools}
    result = node.add(secondary(ipam, version), pod, CNI_IFNAME="net1")
    assert (way(inside, "192.0.2.1"), way(inside, "2001:db8:ff::1")) == ("eth0", "eth0")
    assert "default via 10.2.2.1 dev net1 proto static metric 4096" in inside.routes(4)
    assert "default via 2001:db8:2::1 dev net1 proto static metric 4096 pref medium" in inside.routes(6)
    if version == "1.1.0":
        assert [route["priority"] for route in result["routes"]] == [4096, 4096]
    elif version in VERSIONS[2:]:
        assert [set(route) for route in result["routes"]] == [{"dst", "gw"}] * 2


def test_the_first_interfaces_default_has_the_kernels_own_metric(node: Runtime, pod: Pod, inside: Shown) -> None:
    result = node.add(primary(node), pod)
    assert "default via 10.1.2.1 dev eth0 proto static" in inside.routes(4)
    assert "default via 2001:db8:1::1 dev eth0 proto static metric 1024 pref medium" in inside.routes(6)
    assert all("priority" not in route for route in result["routes"])


def test_a_priority_that_is_asked_for_is_given(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.add(primary(node), pod)
    routes = [{"dst": "::/0", "priority": 7}, {"dst": "0.0.0.0/0", "priority": 5000}]
    ipam = node.given("10.2.2.3/24", "2001:db8:2::3/64", routes=routes)
    node.add(secondary(ipam), pod, CNI_IFNAME="net1")
    assert "default dev net1 proto static metric 7 pref medium" in inside.routes(6)
    assert "default dev net1 proto static scope link metric 5000" in inside.routes(4)
    assert (way(inside, "192.0.2.1"), way(inside, "2001:db8:ff::1")) == ("eth0", "net1")


def test_eight_interfaces_with_a_default_each_leave_it_to_the_first(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.add(primary(node), pod)
    metrics = []
    for at in range(1, 9):
        ipam = node.given(f"10.2.{at}.3/24", gateway=f"10.2.{at}.1", routes=DEFAULTS[:1])
        result = node.add(secondary(ipam, name=f"net-{at}"), pod, CNI_IFNAME=f"net{at}")
        metrics.append(result["routes"][0]["priority"])
    assert metrics == sorted(set(metrics))
    assert way(inside, "192.0.2.1") == "eth0"
    inside.run("ip link del eth0")
    assert way(inside, "192.0.2.1") == "net1"


def test_a_default_is_ranked_behind_the_worst_there_is(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.add(primary(node), pod)
    inside.run("ip route add default via 10.1.2.9 dev eth0 metric 4294967295")
    ipam = node.given("10.2.2.3/24", gateway="10.2.2.1", routes=DEFAULTS[:1])
    result = node.add(secondary(ipam), pod, CNI_IFNAME="net1")
    assert result["routes"][0]["priority"] == 4294967295
    assert way(inside, "192.0.2.1") == "eth0"


def test_a_default_in_a_table_of_its_own_has_no_rank(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.add(primary(node), pod)
    ipam = node.given("10.2.2.3/24", gateway="10.2.2.1", routes=[{"dst": "0.0.0.0/0", "table": 100}])
    node.add(secondary(ipam), pod, CNI_IFNAME="net1")
    assert inside.routes(4, "100") == ["default via 10.2.2.1 dev net1 proto static"]


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "by the gateway of the address": ({}, "10.9.0.0/16 via 10.1.2.1 dev eth0 proto static", "main"),
    "by a gateway of its own": ({"gw": "10.1.2.9"}, "10.9.0.0/16 via 10.1.2.9 dev eth0 proto static", "main"),
    "on the link (BUG of the reference)": ({"scope": 253}, "10.9.0.0/16 dev eth0 proto static scope link", "main"),
    "in a table": ({"table": 5000}, "10.9.0.0/16 via 10.1.2.1 dev eth0 proto static", "5000"),
    "with a metric": ({"priority": 50}, "10.9.0.0/16 via 10.1.2.1 dev eth0 proto static metric 50", "main"),
    "with an MTU (BUG of the reference)": (
        {"mtu": 1400, "advmss": 1360},
        "10.9.0.0/16 via 10.1.2.1 dev eth0 proto static mtu 1400 advmss 1360",
        "main",
    ),
    "by a gateway outside of the network": (
        {"gw": "169.254.1.1"},
        "10.9.0.0/16 via 169.254.1.1 dev eth0 proto static onlink",
        "main",
    ),
    "with everything": (
        {"gw": "10.1.2.9", "table": 100, "priority": 5, "mtu": 1300, "scope": 0},
        "10.9.0.0/16 via 10.1.2.9 dev eth0 proto static metric 5 mtu 1300",
        "100",
    ),
}


@pytest.mark.parametrize(("told", "line", "table"), CASES.values(), ids=list(CASES))
def test_a_route_is_made_as_ipam_tells_it(
    told: dict[str, Any], line: str, table: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = secondary(node.given("10.1.2.3/24", gateway="10.1.2.1", routes=[{**NINE, **told}]))
    result = node.add(config, pod)
    assert line in inside.routes(4, table)
    node.check(config, pod, result)
    inside.run(f"ip route del 10.9.0.0/16 table {table}")
    assert "route 10.9.0.0/16" in node.difference(config, pod, result)


@pytest.mark.parametrize(
    ("told", "changed"),
    [
        ({"mtu": 1400}, "via 10.1.2.1 mtu 1300"),
        ({"advmss": 1360}, "via 10.1.2.1"),
        ({"priority": 50}, "via 10.1.2.1 metric 51"),
        ({"gw": "10.1.2.9"}, "via 10.1.2.1"),
        ({"scope": 253}, "scope global"),
    ],
    ids=str,
)
def test_check_finds_a_route_that_was_changed(
    told: dict[str, Any], changed: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = secondary(node.given("10.1.2.3/24", gateway="10.1.2.1", routes=[{**NINE, **told}]))
    result = node.add(config, pod)
    inside.run("ip route del 10.9.0.0/16")
    inside.run(f"ip route add 10.9.0.0/16 dev eth0 {changed}")
    assert "route 10.9.0.0/16" in node.difference(config, pod, result)


def test_a_route_by_another_interface_is_not_the_one(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = secondary(node.given("10.1.2.3/24", routes=[{**NINE, "scope": 253}]))
    result = node.add(config, pod)
    inside.run("ip link add other up type veth peer name rehto")
    inside.run("ip route del 10.9.0.0/16")
    inside.run("ip route add 10.9.0.0/16 dev other")
    assert "route 10.9.0.0/16" in node.difference(config, pod, result)


@pytest.mark.parametrize("extra", [{}, {"gw": "10.1.2.1"}, {"table": 254}], ids=str)
def test_a_route_that_is_told_twice_is_made_once(extra: dict[str, Any], node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: the second is refused, and the ADD with it."""
    routes = [NINE, {**NINE, **extra}, *DEFAULTS[:1], *DEFAULTS[:1]]
    result = node.add(secondary(node.given("10.1.2.3/24", gateway="10.1.2.1", routes=routes)), pod)
    assert [route["dst"] for route in result["routes"]] == ["10.9.0.0/16", "0.0.0.0/0"]
    assert len(inside.routes()) == 3


@pytest.mark.parametrize("gateway", ["10.1.2.1", ""])
def test_a_route_to_the_own_network_is_the_kernels(gateway: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    ipam = node.given("10.1.2.3/24", gateway=gateway, routes=[{"dst": "10.1.2.0/24"}])
    config = secondary(ipam)
    result = node.add(config, pod)
    assert inside.routes() == ["10.1.2.0/24 dev eth0 proto kernel scope link src 10.1.2.3"]
    node.check(config, pod, result)


def test_a_route_to_the_own_network_by_a_gateway_is_made(node: Runtime, pod: Pod, inside: Shown) -> None:
    ipam = node.given("10.1.2.3/24", routes=[{"dst": "10.1.2.0/24", "gw": "10.1.2.1", "priority": 10}])
    node.add(secondary(ipam), pod)
    assert "10.1.2.0/24 via 10.1.2.1 dev eth0 proto static metric 10" in inside.routes()


def test_a_destination_may_have_host_bits(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = secondary(node.given("10.1.2.3/24", gateway="10.1.2.1", routes=[{"dst": "10.9.8.7/16"}]))
    result = node.add(config, pod)
    assert "10.9.0.0/16 via 10.1.2.1 dev eth0 proto static" in inside.routes()
    node.check(config, pod, result)


@pytest.mark.parametrize(
    ("address", "gateway", "default"),
    [
        ("10.1.2.3/32", "169.254.1.1", "default via 169.254.1.1 dev eth0 proto static onlink"),
        ("2001:db8::3/128", "fe80::1", "default via fe80::1 dev eth0 proto static metric 1024 onlink pref medium"),
        (
            "2001:db8::3/128",
            "2001:db8::1",
            "default via 2001:db8::1 dev eth0 proto static metric 1024 onlink pref medium",
        ),
    ],
)
def test_an_address_without_a_network_reaches_its_gateway(
    address: str, gateway: str, default: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = secondary(
        node.given(address, gateway=gateway, routes=[{"dst": "::/0" if ":" in address else "0.0.0.0/0"}])
    )
    result = node.add(config, pod)
    family = 6 if ":" in address else 4
    lines = [line.strip() for line in inside.run(f"ip -{family} route show default").splitlines()]
    assert lines == [default]
    node.check(config, pod, result)


def test_two_gateways_of_one_destination_are_both_made(node: Runtime, pod: Pod, inside: Shown) -> None:
    routes = [{**NINE, "gw": "10.1.2.1"}, {**NINE, "gw": "10.1.2.2"}, {"dst": "2001:db8:9::/48", "gw": "2001:db8::1"}]
    routes.append({"dst": "2001:db8:9::/48", "gw": "2001:db8::2"})
    config = secondary(node.given("10.1.2.3/24", "2001:db8::3/64", routes=routes))
    result = node.add(config, pod)
    assert len([route for route in inside.routes() if route.startswith("10.9.0.0/16")]) == 2
    node.check(config, pod, result)


def test_a_reused_result_of_the_reference_without_gateways_is_understood(node: Runtime, pod: Pod) -> None:
    """It tells routes as IPAM did, whatever gateway it then took."""
    config = secondary(node.given("10.1.2.3/24", gateway="10.1.2.1", routes=[NINE, *DEFAULTS[:1]]))
    result = node.add(config, pod)
    for route in result["routes"]:
        del route["gw"]
    node.check(config, pod, result)
