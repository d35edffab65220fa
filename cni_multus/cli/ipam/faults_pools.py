"""What can be wrong between the pools and the reservations of the cluster, whoever wrote them."""

from __future__ import annotations

import time
from calendar import timegm
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.cli.ipam.cluster import ENGINE, from_entry, from_reservation
from cni_multus.cli.ipam.evidence import GONE, LIVES
from cni_multus.cli.ipam.finding import Finding
from cni_multus.cli.ipam.mending import Mender
from ipam.whereabouts.cluster.naming import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.cli.ipam.cluster import Cluster
    from cni_multus.cli.ipam.evidence import Evidence
    from cni_multus.cli.ipam.held import Held
    from cni_multus.cli.ipam.snapshot import Snapshot
    from cni_multus.cni.addressing import Ip
    from ipam.whereabouts.cluster.entry import Entry
    from ipam.whereabouts.cluster.pools import PoolView
    from ipam.whereabouts.cluster.reservations import Reservation

_TWICE = "two may have one address"


def faults_of_pools(place: Cluster, evidence: Evidence, grace: float) -> Iterator[Finding]:
    """Every one, pool by pool, then the reservations."""
    snapshot = place.readable()
    if snapshot is None:
        return
    examined = _Pools(snapshot, evidence, grace)
    for name, why in snapshot.unreadable.items():
        yield _finding(
            "range", f"ippools/{name}", why, "nodes compute other addresses from it, or none", "correct it by hand"
        )
    for view in snapshot.pools.values():
        yield from examined.names(view)
        for offset, entry in view.entries.items():
            yield from examined.entry(view, offset, entry)
    for reservation in snapshot.reservations:
        yield from examined.reservation(reservation)
    yield from examined.doubles()


class _Pools:
    """One look at all of them."""

    def __init__(self, snapshot: Snapshot, evidence: Evidence, grace: float) -> None:
        self._snapshot = snapshot
        self._evidence = evidence
        self._grace = grace
        self._mender = Mender(snapshot)
        self._protected = {name for name, view in snapshot.pools.items() if self._has_reservations(view)}

    def names(self, view: PoolView) -> Iterator[Finding]:
        """Its own name, and the keys in it."""
        what = f"ippools/{view.name}"
        if view.name not in self._snapshot.network_names:
            message = f"its range is {view.range}, and it is not called after it"
            yield _finding("pool name", what, message, f"nodes keep that range elsewhere: {_TWICE}", "by hand")
        for key in view.unreadable:
            yield _finding(
                "key",
                f"{what} {key}",
                f"the key {key!r} of an allocation is no number",
                "nothing: nobody can read it",
                "it is removed",
                partial(self._mender.remove_key, view.name, key),
            )

    def entry(self, view: PoolView, offset: int, entry: Entry) -> Iterator[Finding]:
        """One allocation: its key, its members, and its reservation."""
        what, ip = f"ippools/{view.name} {offset}", view.ip(offset)
        owner = from_entry(view.name, ip or view.base.ip, entry)
        is_gone = self._evidence.judge(owner).state == GONE
        drop = self._if_gone(owner, partial(self._mender.drop, view.name, offset, entry)) if is_gone else None
        cure = "it is removed: its pod is gone" if is_gone else "make the pod anew, or release the address by hand"
        if ip is None:
            yield _finding("key", what, f"it lies beyond {view.range}", "nobody has that address", cure, drop)
            return
        if offset >= LIMIT:
            breaks = f"peers cannot read a key so large, and drop it: {_TWICE}"
            yield _finding("key", what, f"{ip}: the key is 2^63 or more", breaks, cure, drop)
        if not entry.id or not entry.podref:
            yield _finding("names nobody", what, f"{ip}: no container or no pod", "DEL never finds it", cure, drop)
        elif not entry.ifname:
            yield self._without_interface(view, offset, entry, drop)
        yield from self._against_reservation(view, ip, entry, is_gone)

    def reservation(self, one: Reservation) -> Iterator[Finding]:
        """A reservation without an entry, or with a name that is no address."""
        what = f"overlappingrangeipreservations/{one.name}"
        split = self._snapshot.split(one)
        if split is None:
            yield _finding("reservation name", what, "its name is no address", "nothing", "delete it by hand")
            return
        network_name, ip = split
        if self._entries(ip, network_name) or _age(one.created) < self._grace:
            return
        owner = from_reservation(one, ip)
        verdict = self._evidence.judge(owner)
        mend: Callable[[], bool] | None = None
        cure = "find out who has the address"
        if verdict.state == GONE:
            mend, cure = self._if_gone(owner, partial(self._mender.delete, one)), "it is deleted: its pod is gone"
        elif verdict.state == LIVES and one.container and (view := self._pool_of(ip, network_name)):
            mend, cure = partial(self._mender.take, view, ip, one), "the pool gets its entry"
        breaks = "DEL of a peer does not find it, and networks without overlap protection give the address away"
        yield _finding("reservation without entry", what, f"{one} has {ip}, and no pool says so", breaks, cure, mend)

    def doubles(self) -> Iterator[Finding]:
        """Addresses that entries of several pools, or of one network_name, give to different holders."""
        seen: dict[tuple[str, Ip], list[tuple[str, Entry]]] = {}
        for name, view in self._snapshot.pools.items():
            for offset, entry in view.entries.items():
                if (ip := view.ip(offset)) is not None and name in self._protected:
                    seen.setdefault((self._snapshot.network_names.get(name, name), ip), []).append((name, entry))
        for (_, ip), holders in seen.items():
            if len({(entry.podref, entry.ifname) for _, entry in holders}) < 2:
                continue
            message = f"{ip} is given to " + " and to ".join(f"{entry} in {name}" for name, entry in holders)
            gone = [(name, entry) for name, entry in holders if self._is_gone(name, ip, entry)]
            mend = partial(self._drop_gone, ip, gone) if 0 < len(gone) < len(holders) else None
            cure = "what the pods that are gone had is removed" if mend else "make one of the pods anew"
            yield _finding("two holders", str(ip), message, _TWICE, cure, mend)

    def _against_reservation(self, view: PoolView, ip: Ip, entry: Entry, is_gone: bool) -> Iterator[Finding]:
        found = self._snapshot.reservations_of(view.name, ip)
        what = f"ippools/{view.name} {ip}"
        if any(_is_same(one, entry) for one in found):
            return
        if not found:
            if view.name in self._protected and not is_gone:
                reserve = partial(self._mender.reserve, view, ip, entry) if entry.ifname else None
                message = f"{entry} has {ip}, and there is no reservation"
                breaks = f"another range may give the address away: {_TWICE}"
                yield _finding("entry without reservation", what, message, breaks, "it gets one", reserve)
            return
        other = found[0]
        owner, theirs = from_entry(view.name, ip, entry), from_reservation(other, ip)
        other_is_gone = self._evidence.judge(theirs).state == GONE
        mend: Callable[[], bool] | None = None
        cure = "find out which of the two has the address, and make the other pod anew"
        if other_is_gone and not is_gone:
            mend = self._if_gone(theirs, partial(self._mender.replace, view, ip, entry, other))
            cure = "the reservation is made anew: its pod is gone"
        elif is_gone and not other_is_gone:
            mend = self._if_gone(owner, partial(self._mender.drop, view.name, ip.number - view.base.first, entry))
            cure = "the entry is removed: its pod is gone"
        message = f"the pool gives {ip} to {entry}, and the reservation to {other}"
        breaks = f"{_TWICE}; a peer's ADD for the first one never ends"
        yield _finding("reservation of another", what, message, breaks, cure, mend)

    def _without_interface(self, view: PoolView, offset: int, entry: Entry, drop: Callable[[], bool] | None) -> Finding:
        ip = view.base.first + offset
        named = [
            one
            for one in self._snapshot.reserved.get(view.ip(offset) or view.base.ip, [])
            if one.podref == entry.podref and one.ifname
        ]
        mend, cure = drop, "it is removed: its pod is gone" if drop else "make the pod anew"
        if not drop and len(named) == 1:
            mend = partial(self._mender.name_interface, view, offset, entry, named[0].ifname)
            cure = f"it gets the interface of its reservation, {named[0].ifname}"
        message = f"{view.ip(offset) or ip}: no interface"
        return _finding("no interface", f"ippools/{view.name} {offset}", message, "DEL never finds it", cure, mend)

    def _entries(self, ip: Ip, network_name: str) -> bool:
        return any(ip.number - view.base.first in view.entries for view in self._pools_of(ip, network_name))

    def _pool_of(self, ip: Ip, network_name: str) -> PoolView | None:
        fitting = self._pools_of(ip, network_name)
        return fitting[0] if len(fitting) == 1 else None

    def _pools_of(self, ip: Ip, network_name: str) -> list[PoolView]:
        return [
            view
            for name, view in self._snapshot.pools.items()
            if self._snapshot.network_names.get(name) == network_name and view.base.contains(ip)
        ]

    def _has_reservations(self, view: PoolView) -> bool:
        """Whether it is of a network with overlap protection, as far as anything shows."""
        ips = (view.ip(offset) for offset in view.entries)
        return any(self._snapshot.reservations_of(view.name, ip) for ip in ips if ip is not None)

    def _if_gone(self, owner: Held, mend: Callable[[], bool]) -> Callable[[], bool]:
        """`mend`, unless the owner has come to life by then."""
        return lambda: self._evidence.judge(owner).state == GONE and mend()

    def _drop_gone(self, ip: Ip, holders: list[tuple[str, Entry]]) -> bool:
        still = [(name, entry) for name, entry in holders if self._is_gone(name, ip, entry)]
        return self._mender.drop_all(ip, still) and len(still) == len(holders)

    def _is_gone(self, pool: str, ip: Ip, entry: Entry) -> bool:
        return self._evidence.judge(from_entry(pool, ip, entry)).state == GONE


def _is_same(reservation: Reservation, entry: Entry) -> bool:
    either = (reservation.ifname, entry.ifname)
    return reservation.podref == entry.podref and ("" in either or either[0] == either[1])


def _age(created: str) -> float:
    try:
        return time.time() - timegm(time.strptime(created, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return float("inf")  # nobody wrote it just now


def _finding(
    kind: str, what: str, message: str, breaks: str, cure: str, mend: Callable[[], bool] | None = None
) -> Finding:
    return Finding(ENGINE, kind, what, message, breaks, cure, mend)
