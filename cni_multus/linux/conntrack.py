"""The connections that the kernel keeps track of: found by where they lead, and forgotten.

What is decided for a connection's first packet holds for all of them, so that a rule that comes or goes changes
nothing for connections that are there; those of UDP live as long as somebody sends, TCP's to a dead address for days.
Numbers are those of the kernel's <linux/netfilter/nfnetlink_conntrack.h> and <linux/netfilter/nf_conntrack_common.h>,
and those of CTA_FILTER the ones of its net/netfilter/nf_internals.h.
"""

from __future__ import annotations

import errno
import struct

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import family_of, kernel_family
from cni_multus.linux.codec import attribute, attributes, dump_request, message, nested, parse_attributes, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

NEW, GET, DELETE = 0x100, 0x101, 0x102

_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _ID, _ZONE, _FILTER = 1, 2, 3, 12, 18, 25
_IP_SRC, _PROTO_NUM, _DST_PORT = 0x01, 0x08, 0x20
_DST_NAT = 0x20

_UNABLE = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOENT, errno.EPROTONOSUPPORT)
"""What a kernel says that tracks nothing, does not tell of it (nf_conntrack_netlink), or does not know CTA_FILTER."""

_BATCH = 256
"""Connections that are forgotten at a time: what fits into one exchange, since a failure ends a longer batch."""


class Flow:
    """A connection: where its first packet was sent to, and who answers; somebody else where it is `redirected`."""

    __slots__ = ("_identity", "_zone", "answers", "destination", "port", "protocol", "redirected")

    def __init__(self, found: dict[int, bytes]) -> None:
        sent = parse_attributes(found.get(_TUPLE_ORIG, b""))
        addresses, protocol = parse_attributes(sent.get(1, b"")), parse_attributes(sent.get(2, b""))
        self.protocol = int.from_bytes(protocol.get(1, b""), "big")
        self.destination = addresses.get(2) or addresses.get(4, b"")
        self.port = int.from_bytes(protocol.get(3, b""), "big")
        back = parse_attributes(parse_attributes(found.get(_TUPLE_REPLY, b"")).get(1, b""))
        self.answers = back.get(1) or back.get(3, b"")
        self.redirected = bool(int.from_bytes(found.get(_STATUS, b""), "big") & _DST_NAT)
        self._identity = found.get(_TUPLE_ORIG, b""), found.get(_ID, b"")
        self._zone = found.get(_ZONE, b"")

    def remove_message(self) -> bytes:
        """The message that forgets it."""
        sent, identity = self._identity
        body = _header(family_of(self.destination)) + nested(_TUPLE_ORIG, sent)
        for kind, payload in ((_ID, identity), (_ZONE, self._zone)):
            body += attribute(kind, payload) if payload else b""
        return message(DELETE, 0, body)


def flows_to(ns: Namespace, family: int, protocol: int, port: int) -> list[Flow]:
    """Connections of family 4 or 6 whose first packet went to that port; with port 0 to any port."""
    sent = attribute(1, bytes((protocol,))) + (attribute(3, struct.pack("!H", port)) if port else b"")
    narrowed = nested(_TUPLE_ORIG, nested(2, sent)) + _filter(_PROTO_NUM | (_DST_PORT if port else 0), 0)
    found = _list(ns, family, narrowed)
    return [flow for flow in found if flow.protocol == protocol and port in (0, flow.port)]


def forget(ns: Namespace, flows: list[Flow]) -> None:
    """Forget connections; those that are gone by then are no failure."""
    for at in range(0, len(flows), _BATCH):
        try:
            ns.netfilter.batch(
                [(flow.remove_message(), "cannot forget a connection") for flow in flows[at : at + _BATCH]]
            )
        except NetlinkFailure as failure:
            if failure.errno != errno.ENOENT:
                raise


def forget_led(ns: Namespace, ways: list[tuple[int, int, bytes]]) -> bool:
    """Forget what was sent to a port of a protocol and is answered by an address of IPv4, for each of `ways`.

    False where the kernel cannot (before 6.10): it is to be done one by one then.
    """
    try:
        ns.netfilter.batch([(_forget_led_message(*way), "cannot forget the connections of a port") for way in ways])
    except NetlinkFailure as failure:
        if failure.errno in _UNABLE:
            return False
        raise
    return True


def _forget_led_message(protocol: int, port: int, packed: bytes) -> bytes:
    sent = attributes((1, bytes((protocol,))), (3, struct.pack("!H", port)))
    # Addresses of IPv6 cannot be asked for: kernels from 5.8 to at least 6.18 take those that are different.
    answered = nested(_TUPLE_REPLY, nested(1, attribute(1, packed)))
    body = _header(4) + nested(_TUPLE_ORIG, nested(2, sent)) + answered
    return message(DELETE, 0, body + _filter(_PROTO_NUM | _DST_PORT, _IP_SRC))


def _filter(sent: int, answered: int) -> bytes:
    """Which fields of the two tuples count."""
    return nested(_FILTER, attribute(1, u32(sent)), attribute(2, u32(answered)))


def _list(ns: Namespace, family: int, narrowed: bytes) -> list[Flow]:
    """What the kernel lists: more than was asked for before 5.8; nothing where it tells of nothing."""
    request = dump_request(GET, _header(family) + narrowed)
    try:
        listed = ns.netfilter.dump(request, f"cannot list the connections of {ns}")
    except NetlinkFailure as failure:
        if failure.errno in _UNABLE:
            return []
        raise
    return [Flow(parse_attributes(body[4:])) for kind, body in listed if kind == NEW]


def _header(family: int) -> bytes:
    return struct.pack("!BBH", kernel_family(family), 0, 0)
