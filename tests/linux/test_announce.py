"""Announcements, as they arrive at the other end of the wire; and neighbours who are forgotten."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.linux import announce, neighbours
from cni_multus.linux.links import add_bridge, add_veth, change_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.linux.netns import Namespace

MAC = "02:00:5e:10:00:01"
HARDWARE = bytes.fromhex(MAC.replace(":", ""))
V4 = bytes([10, 1, 2, 3])
V6 = socket.inet_pton(socket.AF_INET6, "fd00:1::3")
ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")


@pytest.fixture
def wire(host: Namespace, container: Namespace) -> Iterator[socket.socket]:
    """A socket that hears what "net1" in the container sends."""
    made = add_veth(host, "veth1", peer="net1", peer_namespace=container, peer_mac=MAC)
    with host.inside():
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    with heard:
        heard.bind(("veth1", 3))
        heard.settimeout(5)
        change_link(container, made.parent, up=True)
        yield heard


def frames_of(wire: socket.socket, wanted: Callable[[bytes], bool], count: int) -> list[bytes]:
    """The first `count` frames that are wanted; the kernel sends others of its own."""
    found: list[bytes] = []
    until = time.monotonic() + 5
    while len(found) < count and time.monotonic() < until:
        frame = wire.recv(2048)
        if wanted(frame):
            found.append(frame)
    return found


def test_ipv4_is_announced_in_both_ways(container: Namespace, wire: socket.socket) -> None:
    assert announce.announce(container, "net1", MAC, [V4]) == []
    request, reply = frames_of(wire, lambda frame: frame[12:14] == b"\x08\x06", 2)
    for operation, target, frame in ((1, bytes(6), request), (2, HARDWARE, reply)):
        assert frame[:14] == b"\xff" * 6 + HARDWARE + b"\x08\x06"
        assert struct.unpack("!HHBBH", frame[14:22]) == (1, 0x0800, 6, 4, operation)
        assert (frame[22:28], frame[28:32], frame[32:38], frame[38:42]) == (HARDWARE, V4, target, V4)


def test_ipv6_is_announced_to_all_nodes(container: Namespace, wire: socket.socket) -> None:
    assert announce.announce(container, "net1", MAC, [V6]) == []
    [frame] = frames_of(wire, lambda frame: frame[12:14] == b"\x86\xdd" and frame[54:55] == b"\x88", 1)
    assert frame[:12] == bytes.fromhex("333300000001") + HARDWARE
    length, following, hops = struct.unpack("!HBB", frame[18:22])
    assert (frame[14], length, following, hops) == (0x60, 32, 58, 255)
    assert (frame[22:38], frame[38:54]) == (V6, ALL_NODES)
    assert struct.unpack("!BBI", frame[54:56] + frame[58:62]) == (136, 0, 0x20000000)
    assert frame[62:] == V6 + b"\x02\x01" + HARDWARE


def test_listeners_learn_where_the_addresses_are(
    host: Namespace, container: Namespace, wire: socket.socket, kernel: Callable[..., Any]
) -> None:
    """The kernel at the other end checks checksums and lengths before it believes an announcement."""
    witness = kernel(host)
    [index] = witness.link_lookup(ifname="veth1")
    witness.addr("add", index=index, address="10.1.2.1", prefixlen=24)
    for address in ("10.1.2.3", "fd00:1::3"):
        witness.neigh("add", dst=address, lladdr="02:00:00:00:00:99", ifindex=index, state="stale")
    assert announce.announce(container, "net1", MAC, [V4, V6]) == []
    until = time.monotonic() + 5
    known: dict[str, str] = {}
    while time.monotonic() < until and set(known.values()) != {MAC}:
        seen = list(witness.get_neighbours(ifindex=index))
        known = {each.get("dst"): each.get("lladdr") for each in seen if each.get("dst") in ("10.1.2.3", "fd00:1::3")}
    assert known == {"10.1.2.3": MAC, "fd00:1::3": MAC}


def test_what_cannot_be_sent_is_told_not_raised(container: Namespace) -> None:
    add_bridge(container, "down", up=False)
    assert announce.announce(container, "down", MAC, [V4, V6]) == [
        "cannot announce 10.1.2.3 on down: Network is down",
        "cannot announce fd00:1::3 on down: Network is down",
    ]
    assert announce.announce(container, "absent", MAC, [V4]) == ["cannot announce 10.1.2.3 on absent: No such device"]


def test_neighbours_are_forgotten(host: Namespace, kernel: Callable[..., Any]) -> None:
    index = add_bridge(host, "br0").index
    witness = kernel(host)
    for address in ("10.1.2.3", "fd00:1::3", "10.1.2.4"):
        witness.neigh("add", dst=address, lladdr=MAC, ifindex=index, state="permanent")
    neighbours.flush(host, index, [V4, V6, bytes([10, 1, 2, 5])])
    assert [each.get("dst") for each in witness.get_neighbours(ifindex=index) if each.get("lladdr") == MAC] == [
        "10.1.2.4"
    ]
