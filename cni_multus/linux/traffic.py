"""Traffic control messages: token buckets, the hook on what comes in, and the filter that sends it elsewhere.

It knows the wire only; `shaping` says what is done with it. Numbers are those of the kernel's <linux/pkt_sched.h>,
<linux/pkt_cls.h>, <linux/tc_act/tc_mirred.h> and <linux/rtnetlink.h>.
"""

from __future__ import annotations

import errno
import struct
import sys

from cni_multus.cni.errors import NetlinkFailure
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
    string,
    text,
    u32,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

RTM_NEWQDISC = 36
RTM_DELQDISC = 37
RTM_GETQDISC = 38
RTM_NEWTFILTER = 44
RTM_DELTFILTER = 45
RTM_GETTFILTER = 46

ROOT = 0xFFFFFFFF
INGRESS = 0xFFFFFFF1
INCOMING = 0xFFFFFFF2
"""Where filters on what comes in hang, below clsact and below the older ingress alike."""
OUTGOING = 0xFFFFFFF3

_INGRESS_HANDLE = 0xFFFF0000
_NLM_F_ECHO = 0x8
_TCMSG = struct.Struct("=BxxxiIII")  # family, index, handle, parent, info
_TCA_KIND = 1
_TCA_OPTIONS = 2
_TCA_TBF_PARMS = 1
_TCA_TBF_RATE64 = 4
_TCA_TBF_BURST = 6
_RATESPEC = struct.Struct("=BBHhHI")  # cell log, link layer, overhead, cell align, mpu, rate
_TBF_QOPT = struct.Struct("=12s12sIII")  # rate, peak rate, limit, buffer, mtu
_ETHERNET = 1
_U32_MAX = 0xFFFFFFFF
_ALL_PROTOCOLS = 0x0300  # ETH_P_ALL, in the network's order

_TCA_U32_SEL = 5
_TCA_U32_ACT = 7
_U32_SELECTOR = struct.Struct("=BBBxHHhhI")  # flags, shift, keys, mask of offset, offset, two more, mask of hash
_U32_KEY = struct.Struct("=IIii")  # mask, value, offset, mask of offset
_TERMINAL = 1
_TCA_ACT_KIND = 1
_TCA_ACT_OPTIONS = 2
_TCA_MIRRED_PARMS = 2
_MIRRED = struct.Struct("=IIiiiiI")  # index, capabilities, action, two counters, what to do, link
_STOLEN = 4
_REDIRECT_OUT = 1


class Limit:
    """A rate in bytes per second, and how many bytes may pass at once before it holds."""

    __slots__ = ("burst", "rate")

    def __init__(self, rate: int, burst: int) -> None:
        self.rate = rate
        self.burst = burst

    @property
    def backlog(self) -> int:
        """How many bytes may wait, the burst included: 25 ms at the rate, as in the reference."""
        return min(self.rate // 40 + self.burst, _U32_MAX)

    @property
    def ticks(self) -> int:
        """The time that a burst takes at the rate, in units of 64 ns, by way of whole microseconds."""
        return self.burst * 1_000_000 // self.rate * 125 // 8


class Qdisc:
    """What decides over a link's packets; `rate`, `limit` and `buffer` are a token bucket's."""

    __slots__ = ("buffer", "handle", "kind", "limit", "rate")

    def __init__(self, kind: str, handle: int, rate: int = 0, limit: int = 0, buffer: int = 0) -> None:
        self.kind = kind
        self.handle = handle
        self.rate = rate
        self.limit = limit
        self.buffer = buffer


class Filter:
    """One filter; `target` is the index of the link that it sends packets to, 0 where it does something else."""

    __slots__ = ("kind", "priority", "target")

    def __init__(self, kind: str, priority: int, target: int) -> None:
        self.kind = kind
        self.priority = priority
        self.target = target


def token_bucket_message(index: int, handle: int, limit: Limit) -> bytes:
    """The message that makes a link's root qdisc a token bucket, or changes the one that is there."""
    ticks = limit.ticks
    parameters = _TBF_QOPT.pack(
        _RATESPEC.pack(0, _ETHERNET, 0, 0, 0, min(limit.rate, _U32_MAX)),
        bytes(_RATESPEC.size),
        limit.backlog,
        min(ticks, _U32_MAX),
        0,
    )
    options = attribute(_TCA_TBF_PARMS, parameters)
    if limit.rate > _U32_MAX:
        options += attribute(_TCA_TBF_RATE64, limit.rate.to_bytes(8, sys.byteorder))
    if ticks > _U32_MAX or ticks < 1 << 14 or limit.burst < 1 << 16:
        # The time does not fit, or its rounding could make the burst smaller than a packet.
        options += attribute(_TCA_TBF_BURST, u32(limit.burst))
    return _new_qdisc(index, handle, ROOT, "tbf", options, NLM_F_REPLACE)


def invalid_token_bucket_message(index: int) -> bytes:
    """One without a rate, which every kernel refuses: ENOENT says that it does not know what it is about."""
    return _new_qdisc(index, 0, ROOT, "tbf", b"", NLM_F_EXCL)


def clsact_message(index: int) -> bytes:
    """The message that lets filters look at what comes in by a link, and what goes out."""
    return _new_qdisc(index, _INGRESS_HANDLE, INGRESS, "clsact", b"", NLM_F_EXCL)


def remove_qdisc_message(index: int, parent: int) -> bytes:
    """The message that removes a link's qdisc at ROOT or INGRESS, with its filters."""
    return message(RTM_DELQDISC, 0, _TCMSG.pack(0, index, 0, parent, 0))


def redirect_message(index: int, priority: int, target: int) -> bytes:
    """The message that sends everything that comes in by a link out by the link `target` instead."""
    selector = _U32_SELECTOR.pack(_TERMINAL, 0, 1, 0, 0, 0, 0, 0) + _U32_KEY.pack(0, 0, 0, 0)
    action = nested(
        1,
        attribute(_TCA_ACT_KIND, string("mirred")),
        nested(
            _TCA_ACT_OPTIONS,
            attribute(_TCA_MIRRED_PARMS, _MIRRED.pack(0, 0, _STOLEN, 0, 0, _REDIRECT_OUT, target)),
        ),
    )
    body = _TCMSG.pack(0, index, 0, INCOMING, priority << 16 | _ALL_PROTOCOLS) + attribute(_TCA_KIND, string("u32"))
    body += nested(_TCA_OPTIONS, attribute(_TCA_U32_SEL, selector), nested(_TCA_U32_ACT, action))
    return message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, body)


def remove_filters_message(index: int, priority: int) -> bytes:
    """The message that removes the filters of a priority on what comes in by a link."""
    return message(RTM_DELTFILTER, 0, _TCMSG.pack(0, index, 0, INCOMING, priority << 16 | _ALL_PROTOCOLS))


def find_qdisc(ns: Namespace, index: int, parent: int) -> Qdisc | None:
    """A link's qdisc at ROOT or INGRESS; None where there is none, or one that the kernel does not show."""
    request = message(RTM_GETQDISC, _NLM_F_ECHO, _TCMSG.pack(0, index, 0, parent, 0))
    try:
        answer = ns.netlink.request(request, f"cannot look up the qdisc of link {index}")
    except NetlinkFailure as failure:
        if failure.errno == errno.ENOENT:
            return None
        raise
    return decode_qdisc(answer) if answer else None


def list_filters(ns: Namespace, index: int, parent: int) -> list[Filter]:
    """A link's filters at INCOMING or OUTGOING, in their order; those of u32 also list their tables."""
    request = dump_request(RTM_GETTFILTER, _TCMSG.pack(0, index, 0, parent, 0))
    listed = ns.netlink.dump(request, f"cannot list the filters of link {index}")
    return [decode_filter(body) for kind, body in listed if kind == RTM_NEWTFILTER]


def decode_qdisc(body: bytes) -> Qdisc:
    """The qdisc in the body of an RTM_NEWQDISC; ValueError when it is not one."""
    _, _, handle, _, _, found = _decode(body)
    kind = text(found.get(_TCA_KIND, b""))
    options = parse_attributes(found.get(_TCA_OPTIONS, b"")) if kind == "tbf" else {}
    parameters = options.get(_TCA_TBF_PARMS, b"")
    if len(parameters) < _TBF_QOPT.size:
        return Qdisc(kind, handle)
    spec, _, limit, buffer, _ = _TBF_QOPT.unpack_from(parameters)
    rate = number(options[_TCA_TBF_RATE64]) if _TCA_TBF_RATE64 in options else _RATESPEC.unpack(spec)[5]
    return Qdisc(kind, handle, rate, limit, buffer)


def decode_filter(body: bytes) -> Filter:
    """The filter in the body of an RTM_NEWTFILTER; ValueError when it is not one."""
    _, _, _, _, info, found = _decode(body)
    kind = text(found.get(_TCA_KIND, b""))
    return Filter(kind, info >> 16, _target(found.get(_TCA_OPTIONS, b"")) if kind == "u32" else 0)


def _decode(body: bytes) -> tuple[int, int, int, int, int, dict[int, bytes]]:
    if len(body) < _TCMSG.size:
        raise ValueError(f"traffic control message of {len(body)} bytes")
    family, index, handle, parent, info = _TCMSG.unpack_from(body)
    return family, index, handle, parent, info, parse_attributes(body[_TCMSG.size :])


def _target(options: bytes) -> int:
    actions = parse_attributes(parse_attributes(options).get(_TCA_U32_ACT, b""))
    for action in actions.values():
        found = parse_attributes(action)
        parameters = parse_attributes(found.get(_TCA_ACT_OPTIONS, b"")).get(_TCA_MIRRED_PARMS, b"")
        if text(found.get(_TCA_ACT_KIND, b"")) == "mirred" and len(parameters) >= _MIRRED.size:
            *_, what, target = _MIRRED.unpack_from(parameters)
            return int(target) if what == _REDIRECT_OUT else 0
    return 0


def _new_qdisc(index: int, handle: int, parent: int, kind: str, options: bytes, how: int) -> bytes:
    body = _TCMSG.pack(0, index, handle, parent, 0) + attribute(_TCA_KIND, string(kind))
    return message(RTM_NEWQDISC, NLM_F_CREATE | how, body + (nested(_TCA_OPTIONS, options) if options else b""))
