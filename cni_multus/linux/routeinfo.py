"""What the kernel says about one route, decoded from RTM_NEWROUTE; and the same value for one that is to be.

Numbers are those of the kernel's <linux/rtnetlink.h>.
"""

from __future__ import annotations

import struct

from cni_multus.linux.addresses import AF_INET, AF_INET6, written
from cni_multus.linux.codec import number, parse_attributes

RT_TABLE_MAIN = 254
RTPROT_BOOT = 3
RTPROT_STATIC = 4
RTN_UNICAST = 1
RT_SCOPE_UNIVERSE = 0
RT_SCOPE_LINK = 253
RT_SCOPE_NOWHERE = 255
RTNH_F_ONLINK = 0x4
RTM_F_CLONED = 0x200

RTMSG = struct.Struct("=BBBBBBBBI")  # family, dst length, src length, tos, table, protocol, scope, type, flags
RTNEXTHOP = struct.Struct("=HBBi")  # length, flags, hops, index
RTA_DST = 1
RTA_OIF = 4
RTA_GATEWAY = 5
RTA_PRIORITY = 6
RTA_PREFSRC = 7
RTA_METRICS = 8
RTA_MULTIPATH = 9
RTA_TABLE = 15
RTA_VIA = 18
RTAX_MTU = 2
RTAX_ADVMSS = 8


class Route:
    """One route; `family` is 4 or 6, `dst` b"" for the default, `scope` None for what fits, `index` the link's."""

    __slots__ = (
        "advmss",
        "dst",
        "family",
        "gateway",
        "index",
        "mtu",
        "multipath",
        "onlink",
        "prefix",
        "priority",
        "protocol",
        "scope",
        "source",
        "table",
        "type",
    )

    def __init__(
        self,
        family: int,
        dst: bytes = b"",
        prefix: int = 0,
        gateway: bytes = b"",
        *,
        index: int = 0,
        source: bytes = b"",
        table: int = RT_TABLE_MAIN,
        priority: int = 0,
        scope: int | None = None,
        protocol: int = RTPROT_STATIC,
        kind: int = RTN_UNICAST,
        mtu: int = 0,
        advmss: int = 0,
        onlink: bool = False,
        multipath: tuple[tuple[int, bytes], ...] = (),
    ) -> None:
        self.family = family
        self.dst = dst
        self.prefix = prefix
        self.gateway = gateway
        self.index = index
        self.source = source
        self.table = table or RT_TABLE_MAIN
        self.priority = priority
        self.scope = scope
        self.protocol = protocol
        self.type = kind
        self.mtu = mtu
        self.advmss = advmss
        self.onlink = onlink
        self.multipath = multipath

    @property
    def default(self) -> bool:
        """Whether it leads everywhere."""
        return self.prefix == 0

    def leaves_by(self, index: int) -> bool:
        """Whether the link with that index is its way, or one of its ways."""
        return index == self.index or any(index == hop for hop, _ in self.multipath)

    def __str__(self) -> str:
        anywhere = "0.0.0.0" if self.family == 4 else "::"
        text = f"{written(self.dst) if self.dst else anywhere}/{self.prefix}"
        return f"{text} via {written(self.gateway)}" if self.gateway else text

    def __repr__(self) -> str:
        return f"Route({self} by link {self.index}, table {self.table})"


def decode_route(body: bytes) -> Route:
    """The route in the body of an RTM_NEWROUTE; ValueError when it is not one of IPv4 or IPv6."""
    if len(body) < RTMSG.size:
        raise ValueError(f"route message of {len(body)} bytes")
    family, prefix, _, _, table, protocol, scope, kind, flags = RTMSG.unpack_from(body)
    if family not in (AF_INET, AF_INET6):
        raise ValueError(f"route of family {family}")
    found = parse_attributes(body[RTMSG.size :])
    metrics = parse_attributes(found.get(RTA_METRICS, b""))
    return Route(
        4 if family == AF_INET else 6,
        _packed(found.get(RTA_DST, b"")),
        prefix,
        _gateway(found),
        index=number(found.get(RTA_OIF, b"")),
        source=_packed(found.get(RTA_PREFSRC, b"")),
        table=number(found[RTA_TABLE]) if RTA_TABLE in found else table,
        priority=number(found.get(RTA_PRIORITY, b"")),
        scope=scope,
        protocol=protocol,
        kind=kind,
        mtu=number(metrics.get(RTAX_MTU, b"")),
        advmss=number(metrics.get(RTAX_ADVMSS, b"")),
        onlink=bool(flags & RTNH_F_ONLINK),
        multipath=_hops(found.get(RTA_MULTIPATH, b"")),
    )


def _gateway(found: dict[int, bytes]) -> bytes:
    return _packed(found.get(RTA_GATEWAY, b"") or found.get(RTA_VIA, b"")[2:])


def _packed(address: bytes) -> bytes:
    if len(address) not in (0, 4, 16):
        raise ValueError(f"address of {len(address)} bytes in a route")
    return address


def _hops(data: bytes) -> tuple[tuple[int, bytes], ...]:
    hops = []
    offset = 0
    while offset + 8 <= len(data):
        length, _, _, index = RTNEXTHOP.unpack_from(data, offset)
        if length < 8 or offset + length > len(data):
            raise ValueError(f"nexthop of {length} bytes at {offset} of {len(data)}")
        hops.append((index, _gateway(parse_attributes(data[offset + 8 : offset + length]))))
        offset += (length + 3) & ~3
    return tuple(hops)
