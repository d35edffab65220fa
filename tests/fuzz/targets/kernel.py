"""What the kernel answers, as bytes, and what programs of iptables print."""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING, Any, cast

from cni_multus.cni.errors import NetlinkFailure, TryAgainLater
from cni_multus.iptables import Rule, quoted, split
from cni_multus.linux import (
    addresses,
    bridgevlans,
    conntrack,
    defaultroutes,
    linktable,
    nftables,
    nftlists,
    routes,
    rules,
    traffic,
)
from cni_multus.linux.codec import attribute, nested, split_messages, string, u16, u32
from cni_multus.linux.netlink import Socket
from cni_multus.linux.nftables import INET, Table
from tests.fuzz.target import target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cni_multus.linux.netns import Namespace

TABLE = Table(INET, "t")
DONE, HEADER = 3, struct.Struct("=IHHII")

READERS: list[tuple[int, Callable[[Namespace], object]]] = [
    (16, linktable.list_links),
    (16, lambda ns: linktable.find_link(ns, "eth0")),
    (20, addresses.list_addresses),
    (24, routes.list_routes),
    (24, defaultroutes.default_routes),
    (24, lambda ns: [[*each.removals((1, b"")), each.restoral()] for each in defaultroutes.default_routes(ns)]),
    (32, lambda ns: [str(rule) for rule in rules.list_rules(ns)]),
    (16, bridgevlans.list_vlans),
    (36, lambda ns: traffic.find_qdisc(ns, 1, 0)),
    (44, lambda ns: traffic.list_filters(ns, 1, 0)),
    (256, lambda ns: [flow.remove_message() for flow in conntrack.flows_to(ns, 4, 6, 0)]),
    (TABLE.kind(nftables.NEWCHAIN), lambda ns: nftlists.list_chains(ns, TABLE)),
    (TABLE.kind(nftables.NEWRULE), lambda ns: nftlists.list_rules(ns, TABLE, "c")),
    (TABLE.kind(nftables.NEWSETELEM), lambda ns: nftlists.list_elements(ns, TABLE, "s")),
    (TABLE.kind(nftables.NEWSETELEM), lambda ns: nftlists.find_element(ns, TABLE, "s", b"k")),
]
"""The type of the answer, and who reads it."""


class Answering:
    """In the place of the kernel: it answers each request with the same bodies, or with raw datagrams."""

    def __init__(self, kind: int, data: bytes, raw: bool) -> None:
        self._kind, self._data, self._raw = kind, data, raw
        self._waiting: list[bytes] = []

    def send(self, datagram: bytes) -> None:
        sequence = int.from_bytes(datagram[8:12], "little")
        if self._raw:
            self._waiting = [self._data[:8] + sequence.to_bytes(4, "little") + self._data[12:]]
            return
        bodies = self._data.split(b"\xfe\xfd")
        whole = b"".join(self._message(self._kind, 2, sequence, body) for body in bodies)
        acknowledged = self._message(2, 0x100, sequence, b"\0" * 20)
        is_dump = int.from_bytes(datagram[6:8], "little") & 0x300 == 0x300
        self._waiting = [whole + (self._message(DONE, 2, sequence, b"\0" * 4) if is_dump else acknowledged)]

    def recvmsg(self, size: int, *more: int) -> tuple[bytes, list[Any], int, tuple[int, int]]:
        if not self._waiting:
            raise OSError(errno.EAGAIN, "nothing comes")
        return self._waiting.pop(0), [], 0, (0, 0)

    @staticmethod
    def _message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
        return HEADER.pack(16 + len(body), kind, flags, sequence, 0) + body + b"\0" * (-len(body) % 4)


class Answered:
    """A namespace with such a kernel."""

    path = "/run/netns/x"

    def __init__(self, kernel: Answering) -> None:
        self.netlink = self.netfilter = Socket()
        self.netlink.close()
        self.netlink._socket = cast("Any", kernel)


def answers() -> Iterable[bytes]:
    info = nested(18, attribute(1, string("bridge")), nested(2, attribute(7, b"\1"), attribute(39, u16(1))))
    link = struct.pack("=BxHiII", 0, 1, 2, 0x1043, 0) + attribute(3, string("eth0")) + attribute(1, b"\2\0\0\0\0\1")
    link += attribute(4, u32(1500)) + attribute(20, string("multus:net:c1:eth0")) + info + attribute(37, u32(0))
    address = struct.pack("=BBBBI", 2, 24, 0x80, 0, 2) + attribute(1, b"\n\0\0\5") + attribute(2, b"\n\0\0\5")
    hops = struct.pack("=HBBi", 16, 0, 0, 2) + attribute(5, b"\n\0\0\1")
    route = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0) + attribute(15, u32(254)) + attribute(4, u32(2))
    route += attribute(5, b"\n\0\0\1") + attribute(8, attribute(2, u32(1400))) + attribute(12, b"\0" * 32)
    rule = struct.pack("=BBBBBxxBI", 2, 0, 32, 0, 100, 1, 0) + attribute(2, b"\n\0\0\5") + attribute(6, u32(7))
    vlans = struct.pack("=BxHiII", 7, 1, 2, 0, 0) + nested(
        26, attribute(2, u16(8) + u16(5)), attribute(2, u16(16) + u16(9))
    )
    qdisc = struct.pack("=BxxxiIII", 0, 2, 1, 0, 0) + attribute(1, string("tbf")) + nested(2, attribute(1, b"\1" * 36))
    act = nested(1, attribute(1, string("mirred")), nested(2, attribute(2, b"\1" * 28)))
    filter_ = struct.pack("=BxxxiIII", 0, 2, 1, 0, 0) + attribute(1, string("u32")) + nested(2, nested(7, act))
    flow = b"\2\0\0\0" + nested(
        1,
        nested(1, attribute(1, b"\n\0\0\1"), attribute(2, b"\n\0\0\2")),
        nested(2, attribute(1, b"\6"), attribute(3, b"\0P")),
    )
    named = b"\1\0\0\0" + attribute(1, string("t"))
    chain = named + attribute(3, string("c")) + attribute(12, b"\0\4abc\0")
    nft_rule = named + attribute(2, string("c")) + attribute(3, b"\0" * 7 + b"\1") + attribute(7, b"\0\4abc\0")
    element = nested(
        1, nested(1, attribute(1, b"k")), nested(2, nested(2, attribute(2, string("c")))), attribute(6, b"\0\2x\0")
    )
    elements = named + attribute(2, string("s")) + nested(3, element)
    multipath = route + attribute(9, hops + hops)
    bodies = [link, link, address, multipath, route, multipath, rule, vlans, qdisc, filter_, flow]
    for at, body in enumerate([*bodies, chain, nft_rule, elements, elements]):
        yield bytes((at,)) + body
    failed = HEADER.pack(56, 2, 0x100, 1, 0) + struct.pack("=i", -17) + b"\0" * 16 + attribute(1, string("exists"))
    yield b"\xff" + failed + HEADER.pack(20, DONE, 2, 1, 0) + b"\0" * 4
    yield b"\xfe" + failed


@target(100, 11, seeds=answers)
def netlink(data: bytes) -> None:
    """ValueError is what the decoders have for what no kernel sends; nothing else, and no endless loop."""
    at = data[0] if data else 0
    kind, read = READERS[at % len(READERS)]
    ns = cast("Namespace", Answered(Answering(kind, data[1:], raw=at >= 0xE0)))
    try:
        read(ns)
        list(split_messages(data))
    except (ValueError, NetlinkFailure, TryAgainLater) as error:
        assert str(error)


def listings() -> Iterable[bytes]:
    yield (
        b"# Generated by iptables-save\n*nat\n:PREROUTING ACCEPT [0:0]\n:CNI-1 - [0:0]\n"
        b'-A POSTROUTING -s 10.1.2.5/32 -m comment --comment "multus:net:c1:eth0" -j CNI-1\n'
        b'-A CNI-1 ! -d 224.0.0.0/4 -m comment --comment "a \\"b\\" \\\\ c" -j MASQUERADE\n-A X\n-A\nCOMMIT\n'
    )


@target(seeds=listings)
def iptables(data: bytes) -> None:
    """As `read_table` takes a listing apart; what we quote is what we read."""
    lines = data.decode(errors="surrogateescape").splitlines()
    for line in lines:
        if line.startswith("-A "):
            _, chain, *text = line.split(" ", 2)
            rule = Rule(chain, "".join(text))
            assert all(isinstance(rule.option(name), str) for name in ("-j", "-s", "--comment", "-A"))
        word = line.strip()
        if word:
            assert split(quoted(word)) == [word]
            assert split(f"-m {quoted(word)} -j x") == ["-m", word, "-j", "x"]
