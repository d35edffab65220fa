"""ptp: what it refuses, what it leaves when it fails, what DEL does not need, and what CHECK finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import pools
from tests.plugins.runtime import VERSIONS

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown
    from tests.pods import MakePod

SUBNETS = "10.1.2.0/24", "2001:db8:1::/64"


def ptp(version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "blue", "type": "ptp", **more}


@pytest.mark.parametrize(
    ("wrong", "code", "start"),
    [
        ({"ipam": {}}, 7, "ipam.type"),
        ({"ipam": None}, 7, "ipam.type"),
        ({"ipam": "static"}, 6, "ipam"),
        ({"mtu": -1}, 7, "mtu"),
        ({"mtu": 67}, 7, "mtu"),
        ({"mtu": 65536}, 7, "mtu"),
        ({"mtu": "1500"}, 6, "mtu"),
        ({"ipMasq": "true"}, 6, "ipMasq"),
        ({"ipMasq": True, "ipMasqBackend": "nft"}, 7, "ipMasqBackend"),
        ({"ipMasq": True, "ipMasqBackend": 1}, 6, "ipMasqBackend"),
        ({"dns": []}, 6, "dns"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_before_anything_happens(
    wrong: dict[str, Any], code: int, start: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    before = node.shown.everything()
    config = {**ptp(ipam=node.given("10.1.2.5/24", gateway="10.1.2.1")), **wrong}
    assert node.ask("ADD", config, pod).failed(code).startswith(start)
    assert (inside.links(), node.shown.everything(), node.verbs()) == (set(), before, [])


@pytest.mark.parametrize(
    ("address", "gateway", "words"),
    [
        ("10.1.2.5/24", "", "10.1.2.5/24 without the gateway"),
        ("10.1.2.5/24", "10.1.2.5", "the gateway's own address"),
        ("10.1.2.5/24", "2001:db8::1", "of the other family"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_before_anything_is_made(
    address: str, gateway: str, words: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    """BUG of the reference: it fails half way, with words about a route, and leaves the pair."""
    before = node.shown.everything()
    message = node.ask("ADD", ptp(ipam=node.given(address, gateway=gateway)), pod).failed(7)
    assert words in message
    assert (inside.links(), node.shown.everything()) == (set(), before)
    assert node.verbs() == ["ADD", "DEL"]


def test_an_mtu_that_ipv6_does_not_know_is_told(node: Runtime, pod: Pod, inside: Shown) -> None:
    before = node.shown.everything()
    config = ptp(mtu=1200, ipam=pools(node, *SUBNETS))
    assert node.ask("ADD", config, pod).failed(7).startswith("mtu: 1200 ")
    assert (inside.links(), node.shown.everything(), node.reserved("blue")) == (set(), before, {})
    node.add(ptp(mtu=1200, ipam=pools(node, SUBNETS[0])), pod)


@pytest.mark.parametrize("masquerade", [False, True])
def test_a_failed_add_leaves_what_it_found(masquerade: bool, node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: the pair stays, and the address in some cases, too."""
    node.program("given", node.runtime_path)
    before = (node.shown.everything(), node.shown.run("nft list maps"))
    refused = [{"dst": "10.9.0.0/16", "scope": 255}]
    config = ptp(ipMasq=masquerade, ipam=node.given("10.1.2.5/24", gateway="10.1.2.1", routes=refused))
    node.ask("ADD", config, pod).failed(100)
    assert inside.links() == set()
    assert node.shown.everything() == before[0]
    assert "10.1.2.5" not in node.shown.run("nft list ruleset")
    assert node.verbs() == ["ADD", "DEL"]
    config["ipam"] = node.given("10.1.2.5/24", gateway="10.1.2.1")
    node.check(config, pod, node.add(config, pod))


def test_failed_ipam_leaves_nothing(node: Runtime, pod: Pod, inside: Shown) -> None:
    before = node.shown.everything()
    node.program("given", node.runtime_path, ADD={"status": 1, "stdout": '{"code": 42, "msg": "none left"}'})
    assert node.ask("ADD", ptp(ipam={"type": "given"}), pod).failed(42) == "none left"
    assert (inside.links(), node.shown.everything()) == (set(), before)


@pytest.mark.parametrize("version", VERSIONS)
def test_delete_of_what_was_never_added_succeeds(version: str, node: Runtime, pod: Pod) -> None:
    node.delete(ptp(version, ipMasq=True, ipam=pools(node, *SUBNETS)), pod)


@pytest.mark.parametrize("path", ["", "/nowhere/to/be/found", "/proc/self/status"])
def test_the_namespace_is_not_needed(path: str, node: Runtime, pod: Pod) -> None:
    """BUG of the reference: the pair outlives its pod's end where the namespace is kept, and a stale file fails DEL."""
    config = ptp(ipam=pools(node, *SUBNETS))
    node.add(config, pod)
    for _ in range(2):
        node.delete(config, pod, CNI_NETNS=path)
        assert (node.links(), node.reserved("blue")) == ({}, {})


@pytest.mark.parametrize("wrong", [{"mtu": -1}, {"ipMasq": "yes"}, {"ipMasqBackend": 7, "ipMasq": True}], ids=str)
def test_values_that_add_would_refuse_are_no_matter_to_delete(
    wrong: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    config = ptp(ipam=pools(node, *SUBNETS))
    node.add(config, pod)
    node.delete({**config, **wrong}, pod)
    assert (inside.links(), node.reserved("blue")) == (set(), {})


def test_the_addresses_are_not_needed(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = ptp(ipMasq=True, ipam=pools(node, *SUBNETS))
    node.add(config, pod)
    inside.run("ip addr flush dev eth0")
    node.delete(config, pod)
    assert inside.links() == set()
    assert "pod1" not in node.shown.run("nft list ruleset")


def test_what_another_attachment_has_stays(node: Runtime, make_pod: MakePod) -> None:
    config = ptp(ipam=pools(node, *SUBNETS))
    first, second = make_pod("first"), make_pod("second")
    node.add(config, first)
    result = node.add(config, second)
    node.delete(config, first, CNI_NETNS="")
    node.check(config, second, result)


BROKEN = {
    "the node's end down": ("node", "ip link set {port} down", "its peer {port} is down"),
    "the gateway gone": ("node", "ip addr del 10.1.2.1/32 dev {port}", "gateway 10.1.2.1 is not on {port}"),
    "the IPv6 gateway gone": (
        "node",
        "ip addr del 2001:db8:1::1/128 dev {port}",
        "gateway 2001:db8:1::1 is not on {port}",
    ),
    "the node's route gone": (
        "node",
        "ip route del 10.1.2.2/32",
        "route 10.1.2.2/32 by {port} is missing on the node",
    ),
    "the node's route elsewhere": (
        "node",
        "ip -6 route del 2001:db8:1::2/128; ip -6 route add 2001:db8:1::2/128 dev up0",
        "route 2001:db8:1::2/128 by {port} is missing on the node",
    ),
    "no forwarding": ("node", "echo 0 > /proc/sys/net/ipv4/ip_forward", "the node does not forward IPv4 packets"),
    "no forwarding of IPv6": (
        "node",
        "echo 0 > /proc/sys/net/ipv6/conf/all/forwarding",
        "the node does not forward IPv6 packets",
    ),
    "the node's end gone": ("node", "ip link set {port} netns {pod}", "its peer on the node is gone"),
    "down": ("pod", "ip link set eth0 down", "it is down"),
    "an address gone": ("pod", "ip addr del 10.1.2.2/24 dev eth0", "address 10.1.2.2/24 is not on eth0"),
    "the way to the gateway gone": ("pod", "ip route del 10.1.2.1/32", "route 10.1.2.1/32 is missing"),
    "the way to the network gone": (
        "pod",
        "ip -6 route del 2001:db8:1::/64",
        "route 2001:db8:1::/64 via 2001:db8:1::1 is missing",
    ),
    "a route gone": ("pod", "ip route del default", "route 0.0.0.0/0 via 10.1.2.1 is missing"),
    "the MTU": ("pod", "ip link set eth0 mtu 1300", "its MTU is 1300"),
}


@pytest.mark.parametrize(("where", "command", "words"), BROKEN.values(), ids=list(BROKEN))
def test_check_finds_what_is_changed(
    where: str, command: str, words: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    """BUG of the reference: it does not look at the node."""
    config = ptp(ipam=pools(node, *SUBNETS, routes=[{"dst": "0.0.0.0/0"}]))
    result = node.add(config, pod)
    node.check(config, pod, result)
    port = result["interfaces"][0]["name"]
    (node.shown if where == "node" else inside).run(command.format(port=port, pod=pod.netns))
    assert words.format(port=port) in node.difference(config, pod, result)


def test_routes_that_were_moved_to_another_table_are_no_difference(node: Runtime, pod: Pod, inside: Shown) -> None:
    config = ptp(ipam=pools(node, *SUBNETS, routes=[{"dst": "0.0.0.0/0"}]))
    result = node.add(config, pod)
    for route in sorted(inside.routes(), key=lambda route: "via" in route):
        inside.run(f"ip route add {route} table 100")
    inside.run("ip route flush table main")
    node.check(config, pod, result)


def test_addresses_of_another_interface_are_no_matter(node: Runtime, pod: Pod, inside: Shown) -> None:
    """A later plugin of the list may have added both."""
    config = ptp(ipMasq=True, ipam=pools(node, *SUBNETS))
    result = node.add(config, pod)
    inside.run("ip link add link1 up type bridge; ip addr add 10.50.0.1/24 dev link1")
    result["interfaces"].append({"name": "link1", "sandbox": pod.netns})
    result["ips"].append({"address": "10.50.0.1/24", "gateway": "10.50.0.9", "interface": 2})
    node.check(config, pod, result)
