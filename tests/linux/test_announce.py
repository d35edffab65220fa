"""Announcements, as they arrive at the other end of the wire; and neighbours who are forgotten."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.linux import announce, neighbours
from cni_multus.linux.interfaces import bring_up
from cni_multus.linux.links import Link, add_bridge, add_veth, link, remove_link
from cni_multus.linux.sysctl import write_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.linux.netns import Namespace

MAC = "02:00:5e:10:00:01"
HARDWARE = bytes.fromhex(MAC.replace(":", ""))
V4 = bytes([10, 1, 2, 3])
V6 = socket.inet_pton(socket.AF_INET6, "fd00:1::3")
ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")


@pytest.fixture
def pair(host: Namespace, container: Namespace) -> tuple[str, Link]:
    """The host's end of a wire, and "net1" in the container, up and with addresses."""
    made = add_veth(host, "veth1", peer="net1", peer_namespace=container, peer_mac=MAC)
    write_many(container, announce.notify_sysctls("net1"))
    bring_up(container, made.parent, [(V4, 24), (V6, 64)], [])
    return made.name, link(container, "net1")


@pytest.fixture
def wire(host: Namespace, pair: tuple[str, Link]) -> Iterator[socket.socket]:
    """A socket that hears what "net1" in the container sends from now on."""
    with host.inside():
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    with heard:
        heard.bind((pair[0], 3))
        heard.settimeout(5)
        yield heard


def frames_of(wire: socket.socket, wanted: Callable[[bytes], bool], count: int) -> list[bytes]:
    """The first `count` frames that are wanted; the kernel sends others of its own."""
    found: list[bytes] = []
    until = time.monotonic() + 30
    while len(found) < count and time.monotonic() < until:
        frame = wire.recv(2048)
        if wanted(frame):
            found.append(frame)
    return found


def test_ipv4_is_announced_by_a_gratuitous_arp(
    container: Namespace, pair: tuple[str, Link], wire: socket.socket
) -> None:
    assert announce.announce(container, pair[1]) == ""
    [request] = frames_of(wire, lambda frame: frame[12:14] == b"\x08\x06", 1)
    assert request[:14] == b"\xff" * 6 + HARDWARE + b"\x08\x06"
    assert struct.unpack("!HHBBH", request[14:22]) == (1, 0x0800, 6, 4, 1)
    assert (request[22:28], request[28:32], request[38:42]) == (HARDWARE, V4, V4)


def test_ipv6_is_announced_to_all_nodes(container: Namespace, pair: tuple[str, Link], wire: socket.socket) -> None:
    assert announce.announce(container, pair[1]) == ""
    [frame] = frames_of(
        wire, lambda frame: frame[12:14] == b"\x86\xdd" and frame[54:55] == b"\x88" and frame[62:78] == V6, 1
    )
    assert frame[:12] == bytes.fromhex("333300000001") + HARDWARE
    assert frame[38:54] == ALL_NODES
    assert frame[58] & 0x20, "an advertisement that does not override what is known is ignored"
    assert frame[78:] == b"\x02\x01" + HARDWARE


def test_listeners_learn_where_the_addresses_are(
    host: Namespace, container: Namespace, pair: tuple[str, Link], kernel: Callable[..., Any]
) -> None:
    witness = kernel(host)
    [index] = witness.link_lookup(ifname="veth1")
    witness.addr("add", index=index, address="10.1.2.1", prefixlen=24)
    for address in ("10.1.2.3", "fd00:1::3"):
        witness.neigh("replace", dst=address, lladdr="02:00:00:00:00:99", ifindex=index, state="stale")
    assert announce.announce(container, pair[1]) == ""
    until = time.monotonic() + 30
    known: dict[str, str] = {}
    while time.monotonic() < until and set(known.values()) != {MAC}:
        seen = list(witness.get_neighbours(ifindex=index))
        known = {each.get("dst"): each.get("lladdr") for each in seen if each.get("dst") in ("10.1.2.3", "fd00:1::3")}
    assert known == {"10.1.2.3": MAC, "fd00:1::3": MAC}


def test_what_cannot_be_announced_is_told_not_raised(container: Namespace, pair: tuple[str, Link]) -> None:
    remove_link(container, "net1")
    assert announce.announce(container, pair[1]) == "cannot announce the addresses of net1: No such device"


def test_neighbours_are_forgotten(host: Namespace, kernel: Callable[..., Any]) -> None:
    index = add_bridge(host, "br0").index
    witness = kernel(host)
    for address in ("10.1.2.3", "fd00:1::3", "10.1.2.4"):
        witness.neigh("add", dst=address, lladdr=MAC, ifindex=index, state="permanent")
    neighbours.flush(host, index, [V4, V6, bytes([10, 1, 2, 5])])
    assert [each.get("dst") for each in witness.get_neighbours(ifindex=index) if each.get("lladdr") == MAC] == [
        "10.1.2.4"
    ]
