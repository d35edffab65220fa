"""Addresses, routes and both at once, on real links: what our messages made, as pyroute2 reads it."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import add_address_message, list_addresses, remove_address_message
from cni_multus.linux.interfaces import bring_up
from cni_multus.linux.links import add_veth, change_link, link
from cni_multus.linux.routes import (
    RT_SCOPE_LINK,
    RTPROT_BOOT,
    RTPROT_STATIC,
    Route,
    add_route_message,
    list_routes,
    remove_route_message,
    route_message,
)
from tests.node import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.netns import Namespace

    Kernel = Callable[[Namespace | str], Any]


def packed(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


RT_TABLE_LOCAL = 255
V4 = (packed("10.1.2.3"), 24)
V6 = (packed("fd00:1::3"), 64)
GATEWAY = packed("10.1.2.1")
GATEWAY6 = packed("fd00:1::1")


@pytest.fixture
def index(host: Namespace, container: Namespace) -> int:
    """The index of "net1", a link in the container whose other end is up."""
    return add_veth(host, "veth1", peer="net1", peer_namespace=container).parent


@pytest.fixture
def ready(container: Namespace, index: int) -> int:
    """The same link with an address of each family, up."""
    bring_up(container, index, [V4, V6], [])
    settle(container)
    return index


def chosen(ns: Namespace) -> list[str]:
    """The routes that somebody chose; those that lead to the namespace's own addresses come and go by themselves."""
    return [repr(each) for each in list_routes(ns) if each.table != RT_TABLE_LOCAL]


def the_route(kernel: Kernel, ns: Namespace, **match: Any) -> Any:
    [route] = kernel(ns).get_routes(**match)
    return route


def test_an_interface_is_brought_up_whole(container: Namespace, index: int, kernel: Kernel) -> None:
    routes = [Route(4, gateway=GATEWAY), Route(4, packed("10.9.0.0"), 16), Route(6, gateway=GATEWAY6)]
    bring_up(container, index, [V4, V6], routes, name="net1")
    witness = kernel(container)
    seen = {(each.get("address"), each["prefixlen"]): each for each in witness.get_addr(index=index)}
    assert seen["10.1.2.3", 24].get("broadcast") == "10.1.2.255"
    assert seen["10.1.2.3", 24].get("local") == "10.1.2.3"
    assert seen["fd00:1::3", 64].get("flags") & 0x42 == 0x02
    assert [each["state"] for each in witness.get_links(index)] == ["up"]
    default = the_route(kernel, container, family=socket.AF_INET, dst_len=0)
    assert (default.get("gateway"), default.get("oif"), default["proto"]) == ("10.1.2.1", index, RTPROT_STATIC)
    on_link = the_route(kernel, container, family=socket.AF_INET, dst_len=16)
    assert (on_link.get("gateway"), on_link["scope"]) == (None, RT_SCOPE_LINK)
    default6 = the_route(kernel, container, family=socket.AF_INET6, dst_len=0, table=254)
    assert (default6.get("gateway"), default6.get("oif")) == ("fd00:1::1", index)


def test_an_ipv6_address_is_usable_at_once(container: Namespace, index: int) -> None:
    bring_up(container, index, [V6], [])
    [address] = [each for each in list_addresses(container, index, 6) if each.packed == V6[0]]
    assert (address.tentative, address.dadfailed, address.permanent) == (False, False, True)


def test_duplicate_detection_can_be_wanted(container: Namespace, index: int) -> None:
    bring_up(container, index, [V6], [], nodad=False)
    [address] = [each for each in list_addresses(container, index, 6) if each.packed == V6[0]]
    assert address.tentative


def test_a_duplicate_is_detected(host: Namespace, container: Namespace, index: int) -> None:
    import time

    bring_up(host, link(host, "veth1").index, [V6], [])
    bring_up(container, index, [V6], [], nodad=False)
    for _ in range(600):
        [address] = [each for each in list_addresses(container, index, 6) if each.packed == V6[0]]
        if address.dadfailed:
            return
        time.sleep(0.05)
    pytest.fail("the kernel did not notice the duplicate")


@pytest.mark.parametrize(
    ("addresses", "routes", "message"),
    [
        ([V4, V4], [], r"^cannot add address 10\.1\.2\.3/24 to net1: File exists"),
        ([V6, V6], [], r"^cannot add address fd00:1::3/64 to net1: File exists"),
        ([V4], [Route(4, gateway=packed("10.7.0.1"))], r"^cannot add route 0\.0\.0\.0/0 via 10\.7\.0\.1 on net1: Netw"),
        (
            [V6],
            [Route(6, packed("fd02::"), 16, V6[0])],
            r"^cannot add route fd02::/16 via fd00:1::3 on net1: .*a local address",
        ),
        ([], [Route(4, V4[0], 24)], r"^cannot add route 10\.1\.2\.3/24 on net1: Invalid argument: Invalid prefix"),
    ],
)
def test_the_failure_names_the_object(
    container: Namespace, index: int, addresses: list[tuple[bytes, int]], routes: list[Route], message: str
) -> None:
    with pytest.raises(NetlinkFailure, match=message):
        bring_up(container, index, addresses, routes, name="net1")


def test_a_link_that_is_gone(container: Namespace) -> None:
    with pytest.raises(NetlinkFailure, match=r"^cannot add address 10\.1\.2\.3/24 to link 999: No such device"):
        bring_up(container, 999, [V4], [])
    with pytest.raises(NetlinkFailure, match=r"^cannot bring link 999 up: No such device"):
        bring_up(container, 999, [], [])
    assert list_addresses(container, 999) == []
    assert list_routes(container, index=999) == []


def test_what_is_extra_comes_last(container: Namespace, index: int) -> None:
    extra = [(add_route_message(index, 4, packed("10.8.0.0"), 16, GATEWAY), "cannot add the extra route")]
    bring_up(container, index, [V4], [], extra=extra)
    assert [str(each) for each in list_routes(container, table=254, family=4)] == [
        "10.1.2.0/24",
        "10.8.0.0/16 via 10.1.2.1",
    ]


def test_addresses_are_listed_by_link_and_family(container: Namespace, ready: int) -> None:
    loopback = link(container, "lo").index
    container.netlink.request(add_address_message(loopback, packed("127.0.0.1"), 8, scope=254), "add")
    assert [str(each) for each in list_addresses(container, ready, 4)] == ["10.1.2.3/24"]
    assert "fd00:1::3/64" in [str(each) for each in list_addresses(container, ready, 6)]
    assert [(str(each), each.scope, each.index) for each in list_addresses(container, loopback)] == [
        ("127.0.0.1/8", 254, loopback)
    ]
    assert {each.index for each in list_addresses(container)} == {loopback, ready}


@pytest.mark.parametrize("address", [V4, V6])
def test_an_address_is_removed(container: Namespace, ready: int, address: tuple[bytes, int]) -> None:
    container.netlink.request(remove_address_message(ready, *address), "cannot remove it")
    assert address[0] not in [each.packed for each in list_addresses(container, ready)]
    with pytest.raises(NetlinkFailure, match="cannot remove it: Cannot assign requested address") as failure:
        container.netlink.request(remove_address_message(ready, *address), "cannot remove it")
    assert failure.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize(
    "route",
    [
        Route(4, packed("10.8.0.0"), 16, GATEWAY, priority=50, mtu=1300, advmss=1200, protocol=RTPROT_BOOT),
        Route(4, packed("10.8.0.0"), 16, packed("192.0.2.1"), onlink=True, table=100),
        Route(4, packed("10.8.0.0"), 16, scope=RT_SCOPE_LINK, source=V4[0], table=70_000),
        Route(4, packed("10.8.0.0"), 16, GATEWAY6),
        Route(6, packed("fd08::"), 16, GATEWAY6, priority=50, mtu=1300, advmss=1200),
        Route(6, packed("fd08::"), 16, packed("fd07::1"), onlink=True, table=100),
        Route(6, packed("fd08::"), 16, table=70_000, source=V6[0]),
    ],
)
def test_every_field_of_a_route_arrives(container: Namespace, ready: int, kernel: Kernel, route: Route) -> None:
    container.netlink.request(route_message(route, ready), f"cannot add {route}")
    family = socket.AF_INET if route.family == 4 else socket.AF_INET6
    seen = the_route(kernel, container, family=family, dst_len=16, table=route.table)
    assert seen.get("oif") == ready
    assert seen["proto"] == route.protocol
    if len(route.gateway) == len(route.dst):
        assert seen.get("gateway") == (str(route).partition(" via ")[2] or None)
    assert bool(seen["flags"] & 4) == route.onlink
    metrics = dict(seen.get("metrics")["attrs"]) if seen.get("metrics") else {}
    assert (metrics.get("RTAX_MTU", 0), metrics.get("RTAX_ADVMSS", 0)) == (route.mtu, route.advmss)
    listed = list_routes(container, family=route.family, table=route.table, index=ready)
    [ours] = [each for each in listed if each.dst == route.dst]
    fields = ("dst", "prefix", "gateway", "source", "table", "protocol", "type", "mtu", "advmss", "onlink")
    assert [getattr(ours, field) for field in fields] == [getattr(route, field) for field in fields]
    assert ours.priority == (route.priority or (1024 if route.family == 6 else 0))
    assert ours.index == ready


def test_routes_are_listed_by_table_family_and_link(host: Namespace, container: Namespace, ready: int) -> None:
    other = add_veth(host, "veth2", peer="net2", peer_namespace=container).parent
    bring_up(container, other, [(packed("10.2.0.3"), 24)], [Route(4, table=100, gateway=packed("10.2.0.1"))])
    assert [str(each) for each in list_routes(container, table=100)] == ["0.0.0.0/0 via 10.2.0.1"]
    assert [str(each) for each in list_routes(container, table=254, family=4, index=ready)] == ["10.1.2.0/24"]
    assert {each.index for each in list_routes(container, index=other)} == {other}
    assert {each.family for each in list_routes(container)} == {4, 6}
    assert {each.family for each in list_routes(container, family=6)} == {6}
    assert 255 in {each.table for each in list_routes(container)}
    assert list_routes(container, table=12345) == []


def test_every_route_is_listed(container: Namespace, ready: int, kernel: Kernel) -> None:
    more = [Route(4, bytes([10, 8, each, 0]), 24, GATEWAY) for each in range(256)]
    container.netlink.batch([(route_message(each, ready), f"cannot add {each}") for each in more])
    listed = [each for each in list_routes(container, family=4) if each.table != RT_TABLE_LOCAL]
    assert len(listed) == len(list(kernel(container).get_routes(family=socket.AF_INET, table=254)))


def test_a_route_with_several_ways(host: Namespace, container: Namespace, ready: int, kernel: Kernel) -> None:
    other = add_veth(host, "veth2", peer="net2", peer_namespace=container).parent
    bring_up(container, other, [(packed("10.2.0.3"), 24)], [])
    ways = [{"gateway": "10.1.2.1", "oif": ready}, {"gateway": "10.2.0.1", "oif": other}]
    kernel(container).route("add", family=socket.AF_INET, dst="default", multipath=ways)
    [found] = [each for each in list_routes(container, family=4, index=other) if each.default]
    assert found.multipath == ((ready, GATEWAY), (other, packed("10.2.0.1")))
    assert (found.index, found.gateway) == (0, b"")


def test_an_equal_destination_by_another_way(host: Namespace, container: Namespace, ready: int) -> None:
    other = add_veth(host, "veth2", peer="net2", peer_namespace=container).parent
    bring_up(container, other, [(packed("10.2.0.3"), 24)], [])
    first, second = Route(4, gateway=GATEWAY), Route(4, gateway=packed("10.2.0.1"))
    container.netlink.request(route_message(first, ready, exclusive=True), "cannot add the first")
    with pytest.raises(NetlinkFailure, match="cannot add the second: File exists") as failure:
        container.netlink.request(route_message(second, other, exclusive=True), "cannot add the second")
    assert failure.value.errno == errno.EEXIST
    container.netlink.request(route_message(second, other, replace=True), "cannot replace it")
    assert [each.index for each in list_routes(container, family=4) if each.default] == [other]
    container.netlink.request(route_message(first, ready), "cannot add it beside")
    assert [each.index for each in list_routes(container, family=4) if each.default] == [ready, other]


@pytest.mark.parametrize(
    ("family", "dst", "prefix", "gateway"),
    [
        (4, b"", 0, GATEWAY),
        (4, packed("10.8.0.0"), 16, b""),
        (6, b"", 0, GATEWAY6),
        (6, packed("fd08::"), 16, GATEWAY6),
    ],
)
@pytest.mark.parametrize("table", [0, 1234])
def test_a_route_is_removed(
    container: Namespace, ready: int, family: int, dst: bytes, prefix: int, gateway: bytes, table: int
) -> None:
    add = add_route_message(ready, family, dst, prefix, gateway, table=table, priority=7)
    remove = remove_route_message(ready, family, dst, prefix, gateway, table=table, priority=7)
    before = chosen(container)
    container.netlink.request(add, "cannot add it")
    assert len(chosen(container)) == len(before) + 1
    container.netlink.request(remove, "cannot remove it")
    assert chosen(container) == before
    with pytest.raises(NetlinkFailure, match="cannot remove it: No such process") as failure:
        container.netlink.request(remove, "cannot remove it")
    assert failure.value.errno == errno.ESRCH


def test_a_route_needs_its_link_up(container: Namespace, index: int) -> None:
    change_link(container, index, up=False)
    with pytest.raises(NetlinkFailure, match="cannot add it: Network is down"):
        container.netlink.request(add_route_message(index, 4, packed("10.8.0.0"), 16), "cannot add it")
