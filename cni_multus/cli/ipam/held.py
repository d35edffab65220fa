"""An address that somebody has, as any of the places says that keep such records; none of them is known here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cni.addressing import Cidr, Ip
    from cni_multus.state.leases.lease import Lease

IN_FLIGHT = 120.0
"""Seconds that an ADD may take: what is younger and not complete may be somebody's work."""

UNKNOWN_OWNER = "unknown"

HELD, PENDING, RELEASED, LEAVING = "held", "pending", "released", "leaving"


@dataclass(slots=True)
class Held:
    """One address of one attachment; what a place does not record is empty."""

    ip: Ip
    engine: str
    pool: str
    """What the place calls what the address is of: a domain, an IPPool, a network's directory."""
    record: str
    """The file, or the object, that says so."""
    network: str = ""
    container_id: str = ""
    ifname: str = ""
    pod: str = ""
    uid: str = ""
    claim: str = ""
    node: str = ""
    boot: str = ""
    netns: str = ""
    prefix: int | None = None
    since: float = 0.0
    state: str = HELD
    until: float = 0.0
    here: bool = False
    """Whether this node's own files say so: its container is, or was, on this node."""
    wrong: str = ""
    """Why the record cannot be believed."""

    @property
    def owner(self) -> str:
        """The attachment as `release --owner` takes it; UNKNOWN_OWNER of a record that names nobody."""
        return f"{self.container_id}@{self.ifname}" if self.container_id else UNKNOWN_OWNER

    @property
    def who(self) -> str:
        """Who it is, for people: the claim or the pod, else the container."""
        return self.claim or self.pod or self.container_id

    def fill(self, lease: Lease) -> None:
        """Take over what a lease says of whom its addresses are for."""
        holder = lease.holder
        self.network = holder.attachment.network
        self.container_id, self.ifname = holder.attachment.container_id, holder.attachment.ifname
        self.pod, self.uid, self.claim = holder.pod, holder.uid, holder.claim
        self.node, self.boot, self.netns = holder.node, holder.boot, holder.netns
        self.since, self.state, self.until = lease.since, lease.state, lease.until
        self.prefix = next((address.prefix for address in lease.addresses if address.ip == self.ip), None)

    @property
    def attachment(self) -> tuple[str, str, str]:
        """The network, the container and the interface."""
        return self.network, self.container_id, self.ifname

    def to_json(self) -> dict[str, object]:
        """What is known, one member each; times as UTC."""
        document: dict[str, object] = {
            "address": str(self.ip) if self.prefix is None else f"{self.ip}/{self.prefix}",
            "engine": self.engine,
            "pool": self.pool,
            "state": self.state,
            "pod": self.pod,
            "claim": self.claim,
            "containerID": self.container_id,
            "ifname": self.ifname,
            "network": self.network,
            "uid": self.uid,
            "node": self.node,
            "netns": self.netns,
            "boot": self.boot,
            "since": utc(self.since),
            "until": utc(self.until),
            "record": self.record,
            "wrong": self.wrong,
        }
        return {key: value for key, value in document.items() if value}


@dataclass(slots=True)
class Summary:
    """A pool and how full it is; `size` is None where the records do not tell."""

    engine: str
    pool: str
    ranges: list[str] = field(default_factory=list)
    size: int | None = None
    used: int = 0
    record: str = ""
    network: str = ""

    def to_json(self) -> dict[str, object]:
        """All of it; what a range of unknown size makes unknown is left out."""
        document: dict[str, object] = {"engine": self.engine, "pool": self.pool, "ranges": self.ranges}
        if self.size is not None:
            percent = round(100 * self.used / self.size, 1) if self.size else 100.0
            document |= {"size": self.size, "free": max(0, self.size - self.used), "percent": percent}
        return {**document, "used": self.used, "record": self.record}


class Place(Protocol):
    """Where records of addresses are; reading takes no lock and changes nothing."""

    engine: str

    def pools(self) -> Iterator[Summary]:
        """Every pool, counted without reading each record."""

    def held(self, within: Cidr | None = None) -> Iterator[Held]:
        """Every address that somebody has, or those of a range, in no order."""

    def find(self, ip: Ip) -> Iterator[Held]:
        """Who has this one; several where pools overlap, or where something is wrong."""

    def release(self, held: Held) -> bool:
        """Give it back if it is still as it was seen; False where it is not."""


def utc(seconds: float) -> str:
    """A time as text, "" for none."""
    if not 0 < seconds < 1 << 37:
        return ""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def age(text: object) -> str:
    """How long ago the time was that `utc` printed: `4d7h`."""
    from calendar import timegm

    seconds = int(time.time()) - timegm(time.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ"))
    return f"in {_span(-seconds)}" if seconds < 0 else _span(seconds)


def _span(seconds: int) -> str:
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{seconds % 60}s" if minutes else f"{seconds}s"
