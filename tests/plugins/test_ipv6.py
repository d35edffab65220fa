"""IPv6: no wait for duplicate detection unless it is asked for, no addresses from routers, and where IPv6 is off."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

DAD = 1.0
"""Seconds that the kernel listens for duplicates, at least."""

LONG = 60

ALL_NODES = "ff02::1"


def bridge(ipam: dict[str, Any] | None = None, **more: object) -> dict[str, Any]:
    of_bridge = {"name": "blue", "type": "bridge", "bridge": "cni0", "isGateway": True, **more}
    return {"cniVersion": "1.1.0", **of_bridge, **({"ipam": ipam} if ipam else {})}


def macvlan(ipam: dict[str, Any] | None = None) -> dict[str, Any]:
    of_macvlan = {"cniVersion": "1.1.0", "name": "red", "type": "macvlan", "master": UPLINK}
    return {**of_macvlan, **({"ipam": ipam} if ipam else {})}


def in_transition(place: Shown, name: str) -> list[str]:
    """The addresses of a link that cannot be used yet, or ever."""
    [found] = place.ip(f"-6 addr show dev {name}")
    return [address["local"] for address in found["addr_info"] if address.get("tentative") or address.get("dadfailed")]


@pytest.fixture(params=["bridge", "macvlan"])
def dual_stack(request: pytest.FixtureRequest, node: Runtime) -> dict[str, Any]:
    ipam = node.given("10.1.2.3/24", "2001:db8::3/64", gateway="")
    return bridge(ipam) if request.param == "bridge" else macvlan(ipam)


def look_long(*places: Shown) -> None:
    """From now on the kernel looks for duplicates as long as nobody would take for a busy machine."""
    for place in places:
        place.write("ipv6/conf/default/dad_transmits", str(LONG))


def test_nothing_waits_for_duplicate_detection(
    dual_stack: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    """BUG of the reference: where there is no gateway, the addresses are handed over tentative."""
    look_long(node.shown, inside)
    start = time.monotonic()
    node.add(dual_stack, pod)
    took = time.monotonic() - start
    assert in_transition(inside, "eth0") == []
    assert took < LONG


def test_the_gateway_can_be_used_at_once(node: Runtime, pod: Pod, inside: Shown) -> None:
    node.add(bridge(node.given("2001:db8::3/64")), pod)
    assert "2001:db8::1" not in in_transition(node.shown, "cni0")
    inside.run("ping -6 -c 1 -W 20 2001:db8::1")


def test_enabledad_waits_until_addresses_can_be_used(node: Runtime, pod: Pod, inside: Shown) -> None:
    start = time.monotonic()
    node.add(bridge(node.given("2001:db8::3/64"), enabledad=True), pod)
    assert time.monotonic() - start > DAD
    assert in_transition(inside, "eth0") == []
    assert inside.setting("ipv6/conf/eth0/enhanced_dad") == "1"
    assert inside.setting("ipv6/conf/eth0/accept_dad") == "1"


def test_enabledad_has_nothing_to_wait_for_without_ipv6(node: Runtime, pod: Pod, inside: Shown) -> None:
    look_long(node.shown, inside)
    start = time.monotonic()
    node.add(bridge(node.given("10.1.2.3/24"), enabledad=True), pod)
    assert time.monotonic() - start < LONG


def test_without_enabledad_a_duplicate_is_not_noticed(node: Runtime, make_pod: MakePod) -> None:
    for name in ("first", "second"):
        node.add(bridge(node.given("2001:db8::3/64")), make_pod(name))


def test_check_finds_a_duplicate(node: Runtime, make_pod: MakePod) -> None:
    first, second = make_pod("first"), make_pod("second")
    node.add(bridge(node.given("2001:db8::3/64")), first)
    config = bridge(node.given("2001:db8::4/64"), enabledad=True)
    result = node.add(config, second)
    shown = Shown(second.netns)
    shown.run("ip addr add 2001:db8::3/64 dev eth0")
    deadline = time.monotonic() + 30
    while not shown.run("ip -6 addr show dev eth0 dadfailed"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    told = {**result, "ips": [*result["ips"], {"address": "2001:db8::3/64", "interface": 2}]}
    assert "duplicate" in node.difference(config, second, told)


def advertisement(prefix: str) -> bytes:
    """A router advertisement (RFC 4861) that offers a prefix for addresses (RFC 4862)."""
    header = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    return header + struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 3600, 1800, 0, socket.inet_pton(socket.AF_INET6, prefix))


@pytest.fixture
def router(node: Runtime) -> Iterator[socket.socket]:
    """A socket of the node that advertises to the pods on "cni0"."""
    with node.host.inside():
        sender = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    with sender:
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        yield sender


def advertise(router: socket.socket, node: Runtime, inside: Shown) -> set[str]:
    """Send advertisements, and return the addresses that the pod has then."""
    deadline = time.monotonic() + 30
    while in_transition(node.shown, "cni0"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for _ in range(3):
        router.sendto(advertisement("2001:db8:bad::"), (ALL_NODES, 0, 0, node.shown.link("cni0")["ifindex"]))
        time.sleep(0.05)
    return inside.addresses("eth0")


def test_a_router_on_the_link_adds_nothing_to_what_ipam_gave(
    node: Runtime, pod: Pod, inside: Shown, router: socket.socket
) -> None:
    """BUG of the reference: the pod takes an address and a default route from any router."""
    config = bridge(node.given("2001:db8::3/64"))
    result = node.add(config, pod)
    assert inside.setting("ipv6/conf/eth0/accept_ra") == "0"
    assert advertise(router, node, inside) == {"2001:db8::3/64"}
    assert [route for route in inside.routes(6) if "default" in route] == []
    node.check(config, pod, result)


def test_a_router_serves_an_interface_that_has_no_ipam(
    node: Runtime, pod: Pod, inside: Shown, router: socket.socket
) -> None:
    """The address is nobody else's business there, and routers are the way to have one."""
    node.add(bridge(), pod)
    [address] = advertise(router, node, inside)
    assert address.startswith("2001:db8:bad:")


def test_ipv6_that_is_off_is_switched_on_for_an_ipv6_address(
    dual_stack: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    for scope in ("all", "default"):
        inside.write(f"ipv6/conf/{scope}/disable_ipv6", "1")
    inside.run("ip link set lo up")
    node.add(dual_stack, pod)
    assert inside.setting("ipv6/conf/eth0/disable_ipv6") == "0"
    assert inside.reaches("2001:db8::3")


@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
def test_ipv6_that_is_off_stays_off_for_an_ipv4_address(kind: str, node: Runtime, pod: Pod, inside: Shown) -> None:
    for scope in ("all", "default"):
        inside.write(f"ipv6/conf/{scope}/disable_ipv6", "1")
    ipam = node.given("10.1.2.3/24")
    node.add(bridge(ipam) if kind == "bridge" else macvlan(ipam), pod)
    assert inside.setting("ipv6/conf/eth0/disable_ipv6") == "1"
    assert inside.setting("ipv6/conf/lo/disable_ipv6") == "1"


def test_addresses_survive_the_link_going_down(
    dual_stack: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    node.add(dual_stack, pod)
    inside.run("ip link set eth0 down")
    inside.run("ip link set eth0 up")
    assert inside.addresses("eth0") == {"10.1.2.3/24", "2001:db8::3/64"}


def test_neither_a_new_bridge_nor_its_port_listens_to_routers(node: Runtime, pod: Pod) -> None:
    result = node.add(bridge(), pod)
    for interface in result["interfaces"][:2]:
        assert node.shown.setting(f"ipv6/conf/{interface['name']}/accept_ra") == "0"


def test_an_existing_bridge_goes_on_listening_to_routers(node: Runtime, pod: Pod) -> None:
    """It may be what the node itself has its address on."""
    node.shown.run("ip link add cni0 type bridge")
    node.add(bridge(), pod)
    assert node.shown.setting("ipv6/conf/cni0/accept_ra") == "1"
