"""What decides over a link's packets: its queueing disciplines, all of a namespace's in one listing.

Numbers are those of the kernel's <linux/pkt_sched.h> and <linux/rtnetlink.h>.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.linux.codec import dump_request
from cni_multus.linux.traffic import INGRESS, ROOT, RTM_GETQDISC, RTM_NEWQDISC, decode_qdisc

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

_TCMSG = struct.Struct("=BxxxiIII")  # family, index, handle, parent, info
_USUAL = ("noqueue", "mq", "pfifo_fast", "fq_codel", "fq", "pfifo")


@dataclass(frozen=True, slots=True)
class Queueing:
    """One of link `index`; `rate` (bytes per second) and `burst` (bytes) are a token bucket's, else 0."""

    index: int
    kind: str
    handle: int
    parent: int
    rate: int = 0
    limit: int = 0

    @property
    def usual(self) -> bool:
        """Whether a kernel gives such a one by itself."""
        return self.kind in _USUAL

    def __str__(self) -> str:
        where = {ROOT: "root", INGRESS: "ingress"}.get(
            self.parent, f"parent {self.parent >> 16:x}:{self.parent & 0xFFFF:x}"
        )
        rate = f" rate {self.rate * 8}bit limit {self.limit}b" if self.rate else ""
        return f"{self.kind} {self.handle >> 16:x}: {where}{rate}"


def list_queueing(ns: Namespace) -> list[Queueing]:
    """Every one of the namespace's links."""
    request = dump_request(RTM_GETQDISC, _TCMSG.pack(0, 0, 0, 0, 0))
    found = []
    for kind, body in ns.netlink.dump(request, f"cannot list the queueing disciplines of {ns}"):
        if kind == RTM_NEWQDISC:
            qdisc = decode_qdisc(body)
            _, index, handle, parent, _ = _TCMSG.unpack_from(body)
            found.append(Queueing(index, qdisc.kind, handle, parent, qdisc.rate, qdisc.limit))
    return found
