"""What the kernel has in a namespace, as bytes: equal bytes need no second look, and cost no process.

Left out are counters, timers and what follows from a carrier. The form of everything is the kernel's own
(<linux/rtnetlink.h>, <linux/netfilter/nf_tables.h>).
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

from tests.conftest import entered

if TYPE_CHECKING:
    from collections.abc import Iterator

NETFILTER = 12
DUMP = 0x301
DONE, ERROR = 3, 2

LINK, ADDRESS, ROUTE, RULE, QDISC, FILTER, NETCONF = 18, 22, 26, 34, 38, 46, 82
NFTABLES = 10 << 8
TABLES, CHAINS, RULES, SETS, ELEMENTS, OBJECTS = 1, 4, 7, 10, 13, 19

HEADERS = {LINK: 16, ADDRESS: 8, ROUTE: 12, RULE: 12, QDISC: 20, FILTER: 20, NETCONF: 4}
PASSING = {
    LINK: {7, 16, 23, 33, 35, 47, 48},  # statistics, operstate, carrier, its changes
    ADDRESS: {6, 8},  # times; flags, which tell of the search for duplicates
    ROUTE: {12},  # times
    QDISC: {3, 4, 7},
    FILTER: {3, 4, 7},
}
LINKINFO, AF_SPEC = 18, 26
BRIDGE_TIMERS, PORT_TIMERS = {17, 18, 19, 20}, {21, 22, 23}
INET6, INET6_PASSING = 10, {1, 3, 5, 6}
RUNNING = 0x40 | 0x10000 | 0x20000


class Glance:
    """The sockets of a namespace, kept open."""

    def __init__(self, netns: str) -> None:
        self.netns = netns
        with entered(netns):
            self.route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            self.netfilter = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)

    def close(self) -> None:
        """Give both sockets back."""
        self.route.close()
        self.netfilter.close()

    def look(self) -> list[bytes]:
        """Everything there is, in the kernel's order, what is hashed sorted."""
        found = [_link(body) for body in self._list(LINK, bytes(16))]
        found += [_plain(ADDRESS, body) for body in self._list(ADDRESS, bytes(8))]
        for family in (socket.AF_INET, socket.AF_INET6):
            found += sorted(_plain(ROUTE, body) for body in self._list(ROUTE, bytes([family]) + bytes(11)))
            found += [bytes(body) for body in self._list(RULE, bytes([family]) + bytes(11))]
            found += sorted(bytes(body) for body in self._list(NETCONF, bytes([family]) + bytes(3)))
        for body in self._list(QDISC, bytes(20)):
            found.append(_plain(QDISC, body))
            if b"ingress\0" in body or b"clsact\0" in body:
                found += [_plain(FILTER, each) for each in self._list(FILTER, body[:8] + _ingress() + bytes(4))]
        return found + list(self._nftables())

    def _nftables(self) -> Iterator[bytes]:
        general = bytes(4)
        for kind in (TABLES, CHAINS, RULES, OBJECTS):
            for body in self._list(NFTABLES | kind, general, self.netfilter):
                yield body[:2] + body[4:]
        for body in self._list(NFTABLES | SETS, general, self.netfilter):
            yield body[:2] + body[4:]
            attributes = dict(_attributes(body[4:]))
            named = b"".join(_attribute(kind, attributes[kind]) for kind in (1, 2))
            elements: list[bytes] = []
            for each in self._list(NFTABLES | ELEMENTS, body[:1] + bytes(3) + named, self.netfilter):
                listed = dict(_attributes(each[4:])).get(3, b"")
                elements += [element for _, element in _attributes(listed)]
            yield from sorted(elements)

    def _list(self, kind: int, body: bytes, through: socket.socket | None = None) -> list[bytes]:
        way = through or self.route
        way.send(struct.pack("=IHHII", 16 + len(body), kind, DUMP, 1, 0) + body)
        found: list[bytes] = []
        while True:
            data = way.recv(1 << 18)
            at = 0
            while at < len(data):
                length, answer = struct.unpack_from("=IH", data, at)
                if answer == DONE:
                    return found
                if answer == ERROR:
                    code = -struct.unpack_from("=i", data, at + 16)[0]
                    raise OSError(code, os.strerror(code), self.netns)
                found.append(data[at + 16 : at + length])
                at += (length + 3) & ~3


def _ingress() -> bytes:
    return struct.pack("=II", 0, 0xFFFF0000)


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += (length + 3) & ~3


def _without(data: bytes, passing: set[int]) -> bytes:
    return b"".join(_attribute(kind, payload) for kind, payload in _attributes(data) if kind not in passing)


def _plain(kind: int, body: bytes) -> bytes:
    header = HEADERS[kind]
    head = body[:2] + body[3:header] if kind == ADDRESS else body[:header]
    return head + _without(body[header:], PASSING.get(kind, set()))


def _link(body: bytes) -> bytes:
    (flags,) = struct.unpack_from("=I", body, 8)
    found = body[:8] + struct.pack("=I", flags & ~RUNNING)
    for kind, payload in _attributes(body[16:]):
        if kind == LINKINFO:
            timers = {2: BRIDGE_TIMERS, 5: PORT_TIMERS}
            parts = _attributes(payload)
            found += b"".join(
                _attribute(each, _without(of, timers[each]) if each in timers else of) for each, of in parts
            )
        elif kind == AF_SPEC:
            parts = _attributes(payload)
            found += b"".join(
                _attribute(each, _without(of, INET6_PASSING) if each == INET6 else of) for each, of in parts
            )
        elif kind not in PASSING[LINK]:
            found += _attribute(kind, payload)
    return found
