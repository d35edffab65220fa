"""Datagrams that a test sends from one namespace to another, and what the receiver takes for their source."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import TYPE_CHECKING

from tests.conftest import entered
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace

PATIENCE = 30
"""Seconds after which a datagram is taken for lost; one that passes is there at once."""

OUTSIDE = {4: "192.0.2.2", 6: "2001:db8:ff::2"}
NODE = {4: "192.0.2.1", 6: "2001:db8:ff::1"}
"""The outside's addresses, and the node's there."""

GROUPS = {4: "239.1.2.3", 6: "ff05::1:2:3"}
"""Groups that nobody routes."""


def make_outside(netns: MakeNamespace, node: str) -> str:
    """A namespace that is reached by a link of the node, `out0`, and that sends everything back by it."""
    outside = netns()
    Shown(node).run(
        f"ip link add out0 type veth peer name eth0 netns {outside};"
        f"echo 0 > /proc/sys/net/ipv6/conf/out0/accept_dad; ip link set out0 up;"
        f"ip addr add {NODE[4]}/24 dev out0; ip addr add {NODE[6]}/64 dev out0 nodad"
    )
    Shown(outside).run(
        f"echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad; ip link set eth0 up;"
        f"ip addr add {OUTSIDE[4]}/24 dev eth0; ip addr add {OUTSIDE[6]}/64 dev eth0 nodad;"
        f"ip route add default via {NODE[4]}; ip -6 route add default via {NODE[6]}"
    )
    return outside


def source_seen(sender: str, receiver: str, target: str, source: str = "", ifname: str = "") -> str:
    """The address that a datagram from `sender` to `target` comes from when `receiver` gets it.

    A group is joined, and sent to, by the link `ifname` of either.
    """
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with _socket(receiver, family) as listening, _socket(sender, family) as sending:
        listening.settimeout(PATIENCE)
        if ipaddress.ip_address(target).is_multicast:
            listening.bind(("", 0))
            _join(listening, receiver, target, "eth0")
            _leave_by(sending, sender, ifname)
        else:
            listening.bind((target, 0))
        if source:
            sending.bind((source, 0))
        sending.sendto(b"whence?", (target, listening.getsockname()[1]))
        return str(listening.recvfrom(100)[1][0])


def _socket(netns: str, family: int) -> socket.socket:
    with entered(netns):
        return socket.socket(family, socket.SOCK_DGRAM)


def _index(netns: str, ifname: str) -> int:
    with entered(netns):
        return socket.if_nametoindex(ifname)


def _join(listening: socket.socket, netns: str, group: str, ifname: str) -> None:
    packed = ipaddress.ip_address(group).packed
    index = _index(netns, ifname)
    if listening.family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, packed + struct.pack("=I", index))
    else:
        listening.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, packed + struct.pack("=4xI", index))


def _leave_by(sending: socket.socket, netns: str, ifname: str) -> None:
    index = _index(netns, ifname)
    if sending.family == socket.AF_INET6:
        sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, struct.pack("=I", index))
    else:
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4x4xI", index))
