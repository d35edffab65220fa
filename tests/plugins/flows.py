"""Connections that nobody made, in the kernel's table: many of them, as a busy node has them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cni_multus.linux.addresses import kernel_family
from cni_multus.linux.codec import NLM_F_CREATE, NLM_F_EXCL, attribute, attributes, message, nested
from cni_multus.linux.conntrack import NEW

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.linux.netns import Namespace

End = tuple[bytes, int]

_CONFIRMED = 0x0E
_SECONDS = 600


def make_flows(ns: Namespace, protocol: int, flows: Iterable[tuple[End, End, End]]) -> None:
    """For each (who asks, whom, who answers), as address and port; the namespace must have rules that track."""
    ns.netfilter.batch([(_message(protocol, *flow), "cannot make a connection") for flow in flows])


def strangers(count: int, port: int = 443) -> list[tuple[End, End, End]]:
    """Connections of as many clients with one server somewhere."""
    server = bytes((198, 51, 100, 1)), port
    clients = [(struct.pack("!I", 0x0B000000 + number), 1024 + number % 60000) for number in range(count)]
    return [(client, server, server) for client in clients]


def _message(protocol: int, asks: End, whom: End, answers: End) -> bytes:
    family = 4 if len(asks[0]) == 4 else 6
    body = struct.pack("!BBH", kernel_family(family), 0, 0)
    body += _tuple(1, protocol, asks, whom) + _tuple(2, protocol, whom, asks)
    body += attributes((3, struct.pack("!I", _CONFIRMED)), (7, struct.pack("!I", _SECONDS)))
    if protocol == 6:  # established
        body += nested(4, nested(1, attribute(1, bytes((3,)))))
    if answers != whom:
        kind = 1 if family == 4 else 4
        ports = nested(3, attributes((1, struct.pack("!H", answers[1])), (2, struct.pack("!H", answers[1]))))
        body += nested(13, attributes((kind, answers[0]), (kind + 1, answers[0])), ports)
    return message(NEW, NLM_F_CREATE | NLM_F_EXCL, body)


def _tuple(kind: int, protocol: int, source: End, destination: End) -> bytes:
    first = 1 if len(source[0]) == 4 else 3
    addresses = nested(1, attributes((first, source[0]), (first + 1, destination[0])))
    ports = ((2, struct.pack("!H", source[1])), (3, struct.pack("!H", destination[1])))
    return nested(kind, addresses, nested(2, attributes((1, bytes((protocol,))), *ports)))
