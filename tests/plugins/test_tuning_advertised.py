"""tuning: IPv6 of routers comes in before a chained plugin can close the door; it is put out again."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import entered
from tests.plugins.tuned import ADDRESS_6, Tuned

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

PREFIX = "fd00:aa::"
ROUTER = "fe80::1"


@pytest.fixture
def tuned(node: Runtime, pod: Pod, inside: Shown) -> Tuned:
    """A pod that has already heard the node's router, and has an address from IPAM as well."""
    tuned = Tuned(node, pod, inside)
    inside.run(f"ip address add {ADDRESS_6} dev eth0 nodad")
    node.shown.run(f"ip address add {ROUTER}/64 dev far nodad")
    hear(tuned)
    return tuned


def hear(tuned: Tuned) -> None:
    """Advertise until the pod has an address of the prefix and a default route."""
    for _ in range(300):
        advertise(tuned.node.host.path)
        if advertised(tuned.inside) and default_routes(tuned.inside):
            return
        time.sleep(0.1)
    raise AssertionError(tuned.inside.routes(6))


def advertise(netns: str) -> None:
    """A router advertisement (RFC 4861, 4.2) with one prefix, on-link and for autoconfiguration, on `far`."""
    header = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 86400, 14400, 0, socket.inet_pton(socket.AF_INET6, PREFIX))
    with entered(netns), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as router:
        index = socket.if_nametoindex("far")
        router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        router.bind((ROUTER, 0, 0, index))
        router.sendto(header + prefix, ("ff02::1", 0, 0, index))


def advertised(inside: Shown) -> set[str]:
    return {address for address in inside.addresses("eth0") if address.startswith(PREFIX)}


def default_routes(inside: Shown) -> list[str]:
    return inside.run("ip -6 route show default").splitlines()


def prefix_routes(inside: Shown) -> list[str]:
    return [route for route in inside.routes(6) if route.startswith(PREFIX)]


def closed(key: str, value: str = "0") -> dict[str, Any]:
    return {f"net.ipv6.conf.IFNAME.{key}": value}


def test_accept_ra_off_forgets_what_was_advertised(tuned: Tuned) -> None:
    """BUG of the reference: what came in before stays."""
    config = tuned.config(sysctl=closed("accept_ra"))
    tuned.node.check(config, tuned.pod, tuned.add(config))
    assert (advertised(tuned.inside), default_routes(tuned.inside), prefix_routes(tuned.inside)) == (set(), [], [])
    assert ADDRESS_6 in tuned.inside.addresses("eth0")
    assert [route for route in tuned.inside.routes(6) if route.startswith("fd00:1::/64")]
    advertise(tuned.node.host.path)
    time.sleep(0.2)
    assert advertised(tuned.inside) == set()


def test_autoconf_off_forgets_addresses_only(tuned: Tuned) -> None:
    tuned.add(tuned.config(sysctl=closed("autoconf")))
    assert advertised(tuned.inside) == set()
    assert default_routes(tuned.inside)
    assert ADDRESS_6 in tuned.inside.addresses("eth0")


@pytest.mark.parametrize("setting", [closed("accept_ra", "2"), closed("autoconf", "1"), closed("accept_redirects")])
def test_what_does_not_close_the_door_forgets_nothing(setting: dict[str, Any], tuned: Tuned) -> None:
    tuned.add(tuned.config(sysctl=setting))
    assert advertised(tuned.inside)
    assert default_routes(tuned.inside)


def test_the_door_is_open_again_after_delete(tuned: Tuned) -> None:
    config = tuned.config(sysctl=closed("accept_ra"))
    tuned.node.delete(config, tuned.pod, tuned.add(config))
    hear(tuned)
