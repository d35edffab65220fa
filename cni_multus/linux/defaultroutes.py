"""The default routes of a main table, kept in the kernel's own words: they can be removed, and put back as they were.

What a route has beyond its gateway (metrics, weights, preference, encapsulation, nexthop objects) is not understood
here. Numbers are those of the kernel's <linux/rtnetlink.h>.
"""

from __future__ import annotations

import errno

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import AF_INET, AF_INET6, kernel_family, written
from cni_multus.linux.codec import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    attribute,
    dump_request,
    message,
    parse_attributes,
    signed,
    u32,
)
from cni_multus.linux.routeinfo import (
    RT_TABLE_MAIN,
    RTA_GATEWAY,
    RTA_MULTIPATH,
    RTA_OIF,
    RTA_TABLE,
    RTA_VIA,
    RTMSG,
    RTN_UNICAST,
    RTNEXTHOP,
    RTNH_F_ONLINK,
    decode_route,
)
from cni_multus.linux.routes import RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE, remove_route_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

    Hop = tuple[int, bytes]
    """The index of a link, and the gateway behind it, b"" for none."""

ORDINARY_METRIC = {4: 0, 6: 1024}
"""What the kernel makes of none, by family."""

_TOS = 3
_USER_HZ = 100
_EXPIRES = slice(8, 12)
_RTPROT_KERNEL = 2
_WORST_METRIC = 0xFFFFFFFF

_RTA_IIF = 3
_RTA_CACHEINFO = 12
_RTA_EXPIRES = 23
_RTA_UID = 25
_RTA_ENCAP_TYPE = 21
_RTA_ENCAP = 22
_RTA_NH_ID = 30
_NEVER_TAKEN_BACK = {_RTA_IIF, _RTA_CACHEINFO, _RTA_UID}
_TOLD_BY_THE_NEXTHOP = {RTA_OIF, RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH, _RTA_ENCAP, _RTA_ENCAP_TYPE}


class DefaultRoute:
    """One of them; `hops` are its ways, all of them in vain where it does not `lead` (a blackhole)."""

    __slots__ = ("_attributes", "_header", "family", "hops", "leads", "priority")

    def __init__(self, body: bytes) -> None:
        """Read the body of an RTM_NEWROUTE; ValueError where it is none."""
        route = decode_route(body)
        self.family = route.family
        self.priority = route.priority
        self.hops = route.multipath or ((route.index, route.gateway),)
        self._header = RTMSG.unpack_from(body)
        self._attributes = parse_attributes(body[RTMSG.size :])
        self.leads = route.type == RTN_UNICAST

    def is_to(self, hop: Hop) -> bool:
        """Whether it is the ordinary route by this way alone, with the metric that the kernel gives by itself."""
        ordinary = self.priority == ORDINARY_METRIC[self.family] and not self._header[_TOS]
        return self.leads and ordinary and self.hops == (hop,) and RTA_MULTIPATH not in self._attributes

    def removals(self, kept: Hop) -> list[bytes]:
        """The messages that remove exactly this route, but not the way `kept` where it is one of several."""
        if self.family == 4 or len(self.hops) == 1 or _RTA_NH_ID in self._attributes:
            return [message(RTM_DELROUTE, 0, self._body())]
        return [  # what the kernel shows as one are routes with one way each
            remove_route_message(index, 6, b"", 0, gateway, priority=self.priority)
            for index, gateway in self.hops
            if (index, gateway) != kept
        ]

    def restoral(self) -> bytes:
        """The message that puts it back, behind others of its metric."""
        # IPv6: several ways come one after another, and one that is there already would undo all of them.
        whole = self.family == 6 and len(self.hops) > 1 and _RTA_NH_ID not in self._attributes
        return message(RTM_NEWROUTE, NLM_F_CREATE | (NLM_F_REPLACE if whole else NLM_F_APPEND), self._body())

    def _body(self) -> bytes:
        unwanted = _NEVER_TAKEN_BACK | (_TOLD_BY_THE_NEXTHOP if _RTA_NH_ID in self._attributes else set())
        told = {kind: value for kind, value in self._attributes.items() if kind not in unwanted}
        if RTA_MULTIPATH in told:
            told[RTA_MULTIPATH] = _without_state(told[RTA_MULTIPATH])
        expires = signed(self._attributes.get(_RTA_CACHEINFO, b"")[_EXPIRES])
        if self.family == 6 and expires > 0:
            told[_RTA_EXPIRES] = u32(max(1, expires // _USER_HZ))
        body = RTMSG.pack(*self._header[:8], self._header[8] & RTNH_F_ONLINK)
        return body + b"".join([attribute(kind, value) for kind, value in told.items()])

    def __str__(self) -> str:
        return " ".join([f"via {written(gateway)}" if gateway else f"by link {index}" for index, gateway in self.hops])


def default_routes(ns: Namespace, family: int = 0) -> list[DefaultRoute]:
    """Those of family 4, 6 or both, in the kernel's order; what leads everywhere from some sources only is none."""
    body = RTMSG.pack(kernel_family(family), 0, 0, 0, 0, 0, 0, 0, 0) + attribute(RTA_TABLE, u32(RT_TABLE_MAIN))
    try:
        listed = ns.netlink.dump(dump_request(RTM_GETROUTE, body), f"cannot list routes of {ns}")
    except NetlinkFailure as failure:
        if failure.errno == errno.ENOENT:
            return []
        raise
    bodies = [answer for kind, answer in listed if kind == RTM_NEWROUTE and _is_default(answer)]
    # Kernels before 4.20 ignore the filters.
    return [each for each in map(DefaultRoute, bodies) if family in (0, each.family)]


def _is_default(body: bytes) -> bool:
    if len(body) < RTMSG.size or body[0] not in (AF_INET, AF_INET6) or body[1] or body[2]:
        return False
    route = decode_route(body)
    # The kernel's own word that there is no way, with the last metric of all, is nobody's route.
    of_the_kernel = route.protocol == _RTPROT_KERNEL and route.priority == _WORST_METRIC
    return route.table == RT_TABLE_MAIN and not of_the_kernel


def _without_state(hops: bytes) -> bytes:
    """RTA_MULTIPATH without what the kernel says of its ways but does not take back: dead, link down, offloaded."""
    cleaned = b""
    offset = 0
    while offset + RTNEXTHOP.size <= len(hops):
        length, flags, weight, index = RTNEXTHOP.unpack_from(hops, offset)
        rest = hops[offset + RTNEXTHOP.size : offset + length]
        cleaned += RTNEXTHOP.pack(length, flags & RTNH_F_ONLINK, weight, index) + rest + b"\0" * (-length % 4)
        offset += (length + 3) & ~3
    return cleaned
