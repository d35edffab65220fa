"""Routes: list them, and the messages that add and remove them.

Numbers are those of the kernel's <linux/rtnetlink.h>.
"""

from __future__ import annotations

import errno
import struct

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import AF_INET, AF_INET6, kernel_family, written
from cni_multus.linux.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    attribute,
    dump_request,
    message,
    nested,
    number,
    parse_attributes,
    u16,
    u32,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTM_GETROUTE = 26

RT_TABLE_MAIN = 254
RTPROT_BOOT = 3
RTPROT_STATIC = 4
RTN_UNICAST = 1
RT_SCOPE_UNIVERSE = 0
RT_SCOPE_LINK = 253
RT_SCOPE_NOWHERE = 255
RTNH_F_ONLINK = 0x4
RTM_F_CLONED = 0x200

_RTMSG = struct.Struct("=BBBBBBBBI")  # family, dst length, src length, tos, table, protocol, scope, type, flags
_RTNEXTHOP = struct.Struct("=HBBi")  # length, flags, hops, index
_RTA_DST = 1
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTA_PRIORITY = 6
_RTA_PREFSRC = 7
_RTA_METRICS = 8
_RTA_MULTIPATH = 9
_RTA_TABLE = 15
_RTA_VIA = 18
_RTAX_MTU = 2
_RTAX_ADVMSS = 8


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
    if len(body) < _RTMSG.size:
        raise ValueError(f"route message of {len(body)} bytes")
    family, prefix, _, _, table, protocol, scope, kind, flags = _RTMSG.unpack_from(body)
    if family not in (AF_INET, AF_INET6):
        raise ValueError(f"route of family {family}")
    found = parse_attributes(body[_RTMSG.size :])
    metrics = parse_attributes(found.get(_RTA_METRICS, b""))
    return Route(
        4 if family == AF_INET else 6,
        _packed(found.get(_RTA_DST, b"")),
        prefix,
        _gateway(found),
        index=number(found.get(_RTA_OIF, b"")),
        source=_packed(found.get(_RTA_PREFSRC, b"")),
        table=number(found[_RTA_TABLE]) if _RTA_TABLE in found else table,
        priority=number(found.get(_RTA_PRIORITY, b"")),
        scope=scope,
        protocol=protocol,
        kind=kind,
        mtu=number(metrics.get(_RTAX_MTU, b"")),
        advmss=number(metrics.get(_RTAX_ADVMSS, b"")),
        onlink=bool(flags & RTNH_F_ONLINK),
        multipath=_hops(found.get(_RTA_MULTIPATH, b"")),
    )


def list_routes(ns: Namespace, *, family: int = 0, table: int = 0, index: int = 0) -> list[Route]:
    """Routes of family 4, 6 or both, in one table or all, by one link or any; none where there is no such table."""
    body = _RTMSG.pack(kernel_family(family), 0, 0, 0, 0, 0, 0, 0, 0)
    for attribute_type, value in ((_RTA_TABLE, table), (_RTA_OIF, index)):
        if value:
            body += attribute(attribute_type, u32(value))
    try:
        listed = ns.netlink.dump(dump_request(RTM_GETROUTE, body), f"cannot list routes of {ns}")
    except NetlinkFailure as failure:
        if failure.errno in (errno.ENOENT, errno.ENODEV):
            return []
        raise
    found = [decode_route(body) for kind, body in listed if kind == RTM_NEWROUTE and _is_route(body)]
    # Kernels before 4.20 ignore the filters.
    return [
        each
        for each in found
        if family in (0, each.family) and table in (0, each.table) and (not index or each.leaves_by(index))
    ]


def add_route_message(
    index: int,
    family: int,
    dst: bytes,
    prefix: int,
    gateway: bytes = b"",
    *,
    source: bytes = b"",
    table: int = 0,
    priority: int = 0,
    scope: int | None = None,
    onlink: bool = False,
    mtu: int = 0,
    advmss: int = 0,
    protocol: int = RTPROT_STATIC,
    kind: int = RTN_UNICAST,
    replace: bool = False,
    exclusive: bool = False,
) -> bytes:
    """The message that adds a route; unless `exclusive`, an equal destination by another way is no hindrance."""
    if scope is None:
        scope = RT_SCOPE_UNIVERSE if gateway or family == 6 or kind != RTN_UNICAST else RT_SCOPE_LINK
    flags = RTNH_F_ONLINK if onlink else 0
    body = _identity(index, family, dst, prefix, gateway, table, priority, (protocol, scope, kind, flags))
    if source:
        body += attribute(_RTA_PREFSRC, source)
    metrics = attribute(_RTAX_MTU, u32(mtu)) if mtu else b""
    metrics += attribute(_RTAX_ADVMSS, u32(advmss)) if advmss else b""
    if metrics:
        body += nested(_RTA_METRICS, metrics)
    how = NLM_F_REPLACE if replace else NLM_F_EXCL if exclusive else 0
    return message(RTM_NEWROUTE, NLM_F_CREATE | how, body)


def route_message(route: Route, index: int, *, replace: bool = False, exclusive: bool = False) -> bytes:
    """The message that adds `route` by the link with that index."""
    return add_route_message(
        index,
        route.family,
        route.dst,
        route.prefix,
        route.gateway,
        source=route.source,
        table=route.table,
        priority=route.priority,
        scope=route.scope,
        onlink=route.onlink,
        mtu=route.mtu,
        advmss=route.advmss,
        protocol=route.protocol,
        kind=route.type,
        replace=replace,
        exclusive=exclusive,
    )


def remove_route_message(
    index: int,
    family: int,
    dst: bytes,
    prefix: int,
    gateway: bytes = b"",
    *,
    table: int = 0,
    priority: int = 0,
) -> bytes:
    """The message that removes the route with that destination; gateway, priority and link narrow it down if given."""
    anything = (0, RT_SCOPE_NOWHERE, 0, 0)
    return message(RTM_DELROUTE, 0, _identity(index, family, dst, prefix, gateway, table, priority, anything))


def _identity(
    index: int,
    family: int,
    dst: bytes,
    prefix: int,
    gateway: bytes,
    table: int,
    priority: int,
    rest: tuple[int, int, int, int],
) -> bytes:
    table = table or RT_TABLE_MAIN
    body = _RTMSG.pack(kernel_family(family), prefix, 0, 0, table if table < 256 else 0, *rest)
    body += attribute(_RTA_TABLE, u32(table))
    if prefix:
        body += attribute(_RTA_DST, dst)
    if gateway and len(gateway) == (4 if family == 4 else 16):
        body += attribute(_RTA_GATEWAY, gateway)
    elif gateway:
        body += attribute(_RTA_VIA, u16(AF_INET if len(gateway) == 4 else AF_INET6) + gateway)
    for attribute_type, value in ((_RTA_OIF, index), (_RTA_PRIORITY, priority)):
        if value:
            body += attribute(attribute_type, u32(value))
    return body


def _is_route(body: bytes) -> bool:
    # Clones are the kernel's cache of path MTUs and redirects; other families (MPLS, multicast) answer dumps of all.
    return len(body) < _RTMSG.size or (body[0] in (AF_INET, AF_INET6) and not number(body[8:12]) & RTM_F_CLONED)


def _gateway(found: dict[int, bytes]) -> bytes:
    return _packed(found.get(_RTA_GATEWAY, b"") or found.get(_RTA_VIA, b"")[2:])


def _packed(address: bytes) -> bytes:
    if len(address) not in (0, 4, 16):
        raise ValueError(f"address of {len(address)} bytes in a route")
    return address


def _hops(data: bytes) -> tuple[tuple[int, bytes], ...]:
    hops = []
    offset = 0
    while offset + 8 <= len(data):
        length, _, _, index = _RTNEXTHOP.unpack_from(data, offset)
        if length < 8 or offset + length > len(data):
            raise ValueError(f"nexthop of {length} bytes at {offset} of {len(data)}")
        hops.append((index, _gateway(parse_attributes(data[offset + 8 : offset + length]))))
        offset += (length + 3) & ~3
    return tuple(hops)
