"""Routes: list them, and the messages that add and remove them; the public face of `routeinfo`, too.

Numbers are those of the kernel's <linux/rtnetlink.h>.
"""

from __future__ import annotations

import errno

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import AF_INET, AF_INET6, kernel_family
from cni_multus.linux.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    attribute,
    dump_request,
    message,
    nested,
    number,
    u16,
    u32,
)
from cni_multus.linux.routeinfo import (
    RT_SCOPE_LINK,
    RT_SCOPE_NOWHERE,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_GATEWAY,
    RTA_METRICS,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_PRIORITY,
    RTA_TABLE,
    RTA_VIA,
    RTAX_ADVMSS,
    RTAX_MTU,
    RTM_F_CLONED,
    RTMSG,
    RTN_UNICAST,
    RTNH_F_ONLINK,
    RTPROT_BOOT,
    RTPROT_STATIC,
    Route,
    decode_route,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

__all__ = [
    "RTPROT_BOOT",
    "RTPROT_STATIC",
    "RT_SCOPE_LINK",
    "RT_SCOPE_UNIVERSE",
    "RT_TABLE_MAIN",
    "Route",
    "add_route_message",
    "decode_route",
    "list_routes",
    "remove_route_message",
    "route_message",
]

RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTM_GETROUTE = 26


def list_routes(ns: Namespace, *, family: int = 0, table: int = 0, index: int = 0) -> list[Route]:
    """Routes of family 4, 6 or both, in one table or all, by one link or any; none where there is no such table."""
    body = RTMSG.pack(kernel_family(family), 0, 0, 0, 0, 0, 0, 0, 0)
    for attribute_type, value in ((RTA_TABLE, table), (RTA_OIF, index)):
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
        body += attribute(RTA_PREFSRC, source)
    metrics = attribute(RTAX_MTU, u32(mtu)) if mtu else b""
    metrics += attribute(RTAX_ADVMSS, u32(advmss)) if advmss else b""
    if metrics:
        body += nested(RTA_METRICS, metrics)
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
    body = RTMSG.pack(kernel_family(family), prefix, 0, 0, table if table < 256 else 0, *rest)
    body += attribute(RTA_TABLE, u32(table))
    if prefix:
        body += attribute(RTA_DST, dst)
    if gateway and len(gateway) == (4 if family == 4 else 16):
        body += attribute(RTA_GATEWAY, gateway)
    elif gateway:
        body += attribute(RTA_VIA, u16(AF_INET if len(gateway) == 4 else AF_INET6) + gateway)
    for attribute_type, value in ((RTA_OIF, index), (RTA_PRIORITY, priority)):
        if value:
            body += attribute(attribute_type, u32(value))
    return body


def _is_route(body: bytes) -> bool:
    # Clones are the kernel's cache of path MTUs and redirects; other families (MPLS, multicast) answer dumps of all.
    return len(body) < RTMSG.size or (body[0] in (AF_INET, AF_INET6) and not number(body[8:12]) & RTM_F_CLONED)
