"""The cluster's pools: what the API server has, and what this node's journal says it took from there.

Where the API server does not answer the journal alone is shown, and the failure is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.ipam.held import RELEASED, Held, Summary
from cni_multus.cli.ipam.nodestore import covered, usable
from cni_multus.cni.errors import CniError
from ipam.whereabouts.cluster.journal import Journal
from ipam.whereabouts.cluster.naming import is_podless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.cli.ipam.ranges import KnownRanges
    from cni_multus.cli.ipam.snapshot import Snapshot
    from cni_multus.cni.addressing import Cidr, Ip
    from ipam.whereabouts.cluster.entry import Entry
    from ipam.whereabouts.cluster.reservations import Reservation

ENGINE = "kubernetes"


class Cluster:
    """The pools that `snapshot` (None: no API server is asked) and the journal in `data_dir` know."""

    engine = ENGINE

    def __init__(
        self, data_dir: str, ranges: KnownRanges, snapshot: Snapshot | None, complain: Callable[[CniError], None]
    ) -> None:
        self.data_dir = data_dir
        self.journal = Journal(data_dir)
        self._ranges = ranges
        self._snapshot = snapshot
        self._complain = complain

    def pools(self) -> Iterator[Summary]:
        sizes = self._ranges.sizes_of_pools()
        shown = set()
        if snapshot := self.readable():
            for name, view in sorted(snapshot.pools.items()):
                size = sizes.get(name) or covered([usable(view.base)])
                shown.add(name)
                yield Summary(ENGINE, name, [view.range], size, len(view.entries), f"ippools/{name}")
        for name, taken in sorted(self._taken_by_pool().items()):
            if name not in shown:
                yield Summary(ENGINE, name, [taken[0][0]], sizes.get(name), len(taken), self.journal.directory)

    def held(self, within: Cidr | None = None) -> Iterator[Held]:
        return (held for held in self._all() if within is None or within.contains(held.ip))

    def _all(self) -> Iterator[Held]:
        journalled = {(held.pool, held.ip): held for taken in self._taken_by_pool().values() for _, held in taken}
        snapshot = self.readable()
        if snapshot is None:
            yield from journalled.values()
            return
        for name, view in snapshot.pools.items():
            for offset, entry in view.entries.items():
                if (ip := view.ip(offset)) is None:
                    continue  # beyond the range: fsck tells of it
                held = from_entry(name, ip, entry)
                add_reservation(held, snapshot.reserved.get(ip, []))
                add_journal(held, journalled.pop((name, ip), None))
                yield held
        for held in journalled.values():
            if held.state != RELEASED:
                held.wrong = "this node's journal has it, and the API server's pool does not"
            yield held

    def find(self, ip: Ip) -> Iterator[Held]:
        found = [held for held in self.held() if held.ip == ip]
        yield from found
        snapshot = self.readable()
        for reservation in snapshot.reserved.get(ip, []) if snapshot else ():
            if not any(belongs(reservation, held) for held in found):
                yield from_reservation(reservation, ip)

    def release(self, held: Held) -> bool:
        from cni_multus.cli.ipam.freeing import free

        return free(self.data_dir, self.journal, self.readable(), held)

    def look_again(self) -> None:
        """Forget what the API server said."""
        if self._snapshot is not None:
            from cni_multus.cli.ipam.snapshot import Snapshot

            self._snapshot = Snapshot(self._snapshot.api)

    def readable(self) -> Snapshot | None:
        """The snapshot if the API server answers; if not, that is told once."""
        snapshot = self._snapshot
        try:
            if snapshot is not None:
                assert snapshot.reserved is not None
        except CniError as error:
            self._complain(error)
            snapshot = self._snapshot = None
        return snapshot

    def _taken_by_pool(self) -> dict[str, list[tuple[str, Held]]]:
        """What the journal says was taken: the range and the address, by the pool's name."""
        found: dict[str, list[tuple[str, Held]]] = {}
        for record in self.journal.records():
            for take in () if record.look else record.takes:
                held = Held(take.address.ip, ENGINE, take.pool, self.journal.path(record.holder.key), here=True)
                held.fill(record.lease)
                held.prefix = take.address.prefix
                found.setdefault(take.pool, []).append((str(take.base), held))
        for path in self.journal.unreadable():
            self._complain(CniError(f"{path} cannot be read: `multus ipam fsck` says more"))
        return found


def from_entry(pool: str, ip: Ip, entry: Entry) -> Held:
    """What an entry of a pool says."""
    held = Held(ip, ENGINE, pool, f"ippools/{pool}", container_id=entry.id, ifname=entry.ifname, pod=entry.podref)
    if is_podless(entry.podref):
        held.pod = ""
    return held


def from_reservation(reservation: Reservation, ip: Ip) -> Held:
    """What a reservation says that no pool's entry belongs to."""
    held = Held(ip, ENGINE, "", f"overlappingrangeipreservations/{reservation.name}")
    held.pod = "" if is_podless(reservation.podref) else reservation.podref
    held.ifname, held.container_id = reservation.ifname, reservation.container
    held.uid, held.node, held.network = reservation.pod_uid, reservation.node, reservation.network
    held.wrong = "a reservation that is not of a pool's entry"
    return held


def belongs(reservation: Reservation, held: Held) -> bool:
    """Whether a reservation is of the one whom a pool's entry names; peers leave out interface and container."""
    if reservation.ifname not in ("", held.ifname):
        return False
    if is_podless(reservation.podref):
        return not held.pod and reservation.container in ("", held.container_id)
    return reservation.podref == held.pod


def add_reservation(held: Held, reservations: list[Reservation]) -> None:
    """What the reservation of the same owner adds to a pool's entry."""
    for one in reservations:
        if not belongs(one, held):
            continue
        held.uid, held.node, held.network = one.pod_uid, one.node, one.network
        if one.holder is not None and one.holder.holder.attachment.container_id == held.container_id:
            own = held.container_id, held.ifname, held.state
            held.fill(one.holder)
            held.container_id, held.ifname, held.state = own


def add_journal(held: Held, journalled: Held | None) -> None:
    """What this node's journal adds: it knows the network, the namespace, the boot and the time."""
    if journalled is None or journalled.container_id != held.container_id:
        return
    record = held.record
    for name in ("network", "pod", "uid", "claim", "node", "boot", "netns", "prefix", "since", "state", "until"):
        setattr(held, name, getattr(journalled, name) or getattr(held, name))
    held.record, held.here = f"{record}, {journalled.record}", True
