"""Leases in files as tests make them, and an exact audit of everything that is in a store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.audit import findings
from cni_multus.state.leases.clock import Clock, Moment
from cni_multus.state.leases.hint import Hints
from cni_multus.state.leases.lease import Holder, Lease
from cni_multus.state.leases.listing import Listing
from cni_multus.state.leases.record import Record
from cni_multus.state.leases.store import Store
from ipam.whereabouts.config import Wanted, WhereaboutsConfig
from ipam.whereabouts.onnode import NodeEngine
from ipam.whereabouts.pool import Pool
from ipam.whereabouts.taking import domains_of

if TYPE_CHECKING:
    from collections.abc import Iterable

NETWORK = "blue"
BOOT = "0123456789abcdef"


class SetClock(Clock):
    """Clocks that show what they are set to."""

    __slots__ = ("boot", "uptime", "wall")

    def __init__(self) -> None:
        self.wall = 1_700_000_000.0
        self.uptime = 5000.0
        self.boot = BOOT

    def now(self) -> Moment:
        return Moment(self.wall, self.uptime, self.boot)

    def pass_by(self, seconds: float) -> None:
        """Time goes on, on all clocks."""
        self.wall += seconds
        self.uptime += seconds

    def reboot(self, uptime: float = 400.0) -> None:
        """Another boot, so long ago."""
        self.boot = f"{int(self.boot, 16) + 1:016x}"
        self.uptime = uptime


def pool(text: str, *, gateway: str = "", path: str = "ipam.range") -> Pool:
    """`10.0.0.0/24`, or with the first and the last address to give: `10.0.0.0/24|10.0.0.5-10.0.0.9`."""
    network, _, bounds = text.partition("|")
    cidr = Cidr.parse(network)
    inner = 0 if cidr.last - cidr.first <= 1 else 1
    first, last = cidr.first + inner, cidr.last - inner
    if bounds:
        first, last = (Ip.parse(bound).number for bound in bounds.split("-"))
    made = Pool(cidr, first, last, Ip.parse(gateway) if gateway else None, path)
    if made.gateway is not None:
        made.take_out(made.gateway.number, made.gateway.number)
    return made


def config(*pools: str | Pool, data_dir: Path, wanted: Iterable[Wanted | None] = (), **keys: Any) -> WhereaboutsConfig:
    """A configuration of the network NETWORK."""
    made = [one if isinstance(one, Pool) else pool(one) for one in pools]
    return WhereaboutsConfig(keys.pop("network", NETWORK), made, wanted=list(wanted), data_dir=str(data_dir), **keys)


def holder(pod: str, container: str = "", ifname: str = "net1", network: str = NETWORK, **keys: Any) -> Holder:
    """A pod in `default`; its container is called `<pod>-1` unless told."""
    attachment = Attachment(network, container or f"{pod}-1", ifname)
    return Holder(attachment, pod=f"default/{pod}", uid=f"uid-{pod}", netns=f"/nonexistent/{pod}", **keys)


def fill(directory: Path, asked: WhereaboutsConfig, count: int) -> None:
    """Write so many leases of the first pool, from its first address on, with their hints and without any sync."""
    store, one = Store(str(directory)), asked.pools[0]
    (domain, *_) = domains_of(asked)
    for at in range(count):
        who = holder(f"filler{at}")
        cidr = Cidr(Ip(one.family, one.first + at), one.cidr.prefix)
        lease = store.layout.lease(who.key)
        attachment, address = store.layout.attachment(who.attachment), store.layout.address((domain, cidr.ip))
        for path in (lease, attachment, address):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(lease).write_bytes(Record(who.key, Lease(who, [cidr], 1.0), [domain]).print())
        for path in (attachment, address):
            os.symlink(store.layout.target(who.key), path)
    if count:
        os.makedirs(store.layout.hints(domain))
        hints = Hints(store.layout.hints(domain))
        hints.rebuild(Ip(one.family, one.first + at) for at in range(count))
        hints.flush()


def texts(addresses: Iterable[Cidr]) -> list[str]:
    return [str(address) for address in addresses]


def leftovers(store: Store) -> list[str]:
    """What fsck finds, but for a file that was never renamed, which the next write replaces."""
    return [f"{found.kind}: {found.message}" for found in findings(store) if found.kind != "temporary file"]


def require_exactly(engine: NodeEngine, held: dict[Attachment, list[Cidr]]) -> None:
    """The store holds these addresses for these attachments, and nothing else of any kind."""
    store = engine.store
    listing = Listing(store)
    believed = {_name(attachment): sorted(map(str, given)) for attachment, given in held.items()}
    kept = {_name(record.lease.holder.attachment): record for record in listing.leases()}
    found = {name: sorted(map(str, record.lease.addresses)) for name, record in kept.items()}
    assert found == believed, (found, believed)
    assert {_name(attachment): key for attachment, key in listing.attachments()} == {
        name: record.key for name, record in kept.items()
    }
    taken = [(domain.name, ip, key) for domain in listing.domains() for ip, key in listing.addresses(domain.name)]
    assert sorted(map(str, taken)) == sorted(
        str((domain, ip, record.key)) for record in kept.values() for domain, ip in record.slots
    )
    assert leftovers(store) == []


def files(directory: Path) -> int:
    """How many files and links there are."""
    return sum(len(names) for _, _, names in os.walk(directory))


def _name(attachment: Attachment) -> tuple[str, str, str]:
    return attachment.network, attachment.container_id, attachment.ifname
