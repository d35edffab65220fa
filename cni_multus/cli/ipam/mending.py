"""What fsck does to the cluster's objects: each change tests that things are as they were seen, or does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.kube.errors import AlreadyExists, Conflict
from cni_multus.kube.objects import IP_POOLS, RESERVATIONS, pointer
from ipam.whereabouts.cluster import pools
from ipam.whereabouts.cluster.entry import Entry
from ipam.whereabouts.cluster.naming import reservation_name
from ipam.whereabouts.cluster.reservations import delete_reservation
from ipam.whereabouts.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cli.ipam.snapshot import Snapshot
    from cni_multus.cni.addressing import Ip
    from ipam.whereabouts.cluster.pools import PoolView
    from ipam.whereabouts.cluster.reservations import Reservation


class Mender:
    """Every method says whether it did it: False where things are not as they were seen."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._client = snapshot.api.client
        self._namespace = snapshot.api.namespace

    def drop(self, pool: str, offset: int, entry: Entry) -> bool:
        """Take an entry out of its pool, then its reservation away."""
        if not pools.drop(self._client, self._namespace, pool, offset, entry):
            return False
        ip = self._snapshot.pools[pool].ip(offset)
        for one in self._snapshot.reservations_of(pool, ip) if ip else ():
            if (one.podref, one.ifname or entry.ifname) == (entry.podref, entry.ifname):
                self.delete(one)
        return True

    def drop_all(self, ip: Ip, held: Sequence[tuple[str, Entry]]) -> bool:
        """Take several entries of one address out."""
        views = self._snapshot.pools
        done = [self.drop(name, ip.number - views[name].base.first, entry) for name, entry in held]
        return all(done)

    def delete(self, reservation: Reservation) -> bool:
        """Delete a reservation, if it is still this one."""
        try:
            return delete_reservation(self._client, self._namespace, reservation.name, reservation.uid)
        except Conflict:
            return False

    def reserve(self, view: PoolView, ip: Ip, entry: Entry) -> bool:
        """Give an entry the reservation that it lacks, as a peer would write it; none is left for one that has gone."""
        name = reservation_name(self._snapshot.network_names[view.name], ip)
        content = {
            "apiVersion": RESERVATIONS.api_version,
            "kind": RESERVATIONS.kind,
            "metadata": {"name": name},
            "spec": {"podref": entry.podref, "ifname": entry.ifname, "containerid": entry.id},
        }
        try:
            made = self._client.create(RESERVATIONS.path(self._namespace), content, metadata_only=True)
        except AlreadyExists:
            return False
        now = pools.read_pool(self._client, self._namespace, view.name)
        if now is not None and now.entries.get(ip.number - view.base.first) == entry:
            return True
        metadata = made.get("metadata")
        uid = metadata.get("uid") if isinstance(metadata, dict) else ""
        delete_reservation(self._client, self._namespace, name, str(uid))
        return False

    def replace(self, view: PoolView, ip: Ip, entry: Entry, other: Reservation) -> bool:
        """Delete somebody else's reservation of an entry's address, and make the entry's."""
        return self.delete(other) and self.reserve(view, ip, entry)

    def take(self, view: PoolView, ip: Ip, reservation: Reservation) -> bool:
        """Give a reservation the entry that it lacks, unless somebody has that by now."""
        entry = Entry(reservation.container, reservation.podref, reservation.ifname)
        place = pools.Place(self._namespace, view.name, view.base, _whole(view))
        return pools.did(lambda: pools.take(self._client, place, ip.number - view.base.first, entry, view.range))

    def name_interface(self, view: PoolView, offset: int, entry: Entry, ifname: str) -> bool:
        """Write into an entry the interface that its reservation names."""
        place = pools.Place(self._namespace, view.name, view.base, _whole(view))
        named = Entry(entry.id, entry.podref, ifname)
        return pools.did(lambda: pools.retake(self._client, place, offset, entry, named))

    def remove_key(self, pool: str, key: str) -> bool:
        """Remove an allocation whose key nobody can read, if it still says what it says now."""
        path = IP_POOLS.path(self._namespace, pool)
        at = pointer("spec", "allocations", key)
        spec = self._client.get(path).get("spec")
        allocations = spec.get("allocations") if isinstance(spec, dict) else None
        if not isinstance(allocations, dict) or key not in allocations:
            return False
        operations = [{"op": "test", "path": at, "value": allocations[key]}, {"op": "remove", "path": at}]
        return pools.did(lambda: self._client.patch(path, operations, metadata_only=True))


def _whole(view: PoolView) -> Pool:
    return Pool(view.base, view.base.first, view.base.last)
