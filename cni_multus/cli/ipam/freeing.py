"""An address of the cluster given back by hand: the entry first, then its reservation, each only if it is as seen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cli.ipam.cluster import belongs
from cni_multus.cni.errors import CniError, TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.kube.errors import Conflict
from ipam.whereabouts.cluster.pools import drop
from ipam.whereabouts.cluster.reservations import delete_reservation

if TYPE_CHECKING:
    from cni_multus.cli.ipam.held import Held
    from cni_multus.cli.ipam.snapshot import Snapshot
    from ipam.whereabouts.cluster.journal import Journal
    from ipam.whereabouts.cluster.reservations import Reservation


def free(data_dir: str, journal: Journal, snapshot: Snapshot | None, held: Held) -> bool:
    """Give `held` back, by the journal where it is this node's, else in the API; False where it is not as seen."""
    if _is_journalled(journal, held):
        from ipam.whereabouts.cluster.engine import ClusterEngine

        return ClusterEngine(data_dir, os.environ).release(Attachment(*held.attachment))
    if snapshot is None:
        raise TryAgainLater(f"cannot release {held.ip}: it is not of this node's journal, and no API server is asked")
    if not held.pool:
        return any(_delete(snapshot, one) for one in snapshot.reserved.get(held.ip, []) if is_of(one, held))
    view = snapshot.pools.get(held.pool)
    entry = view.entries.get(held.ip.number - view.base.first) if view else None
    if view is None or entry is None or (entry.id, entry.ifname) != (held.container_id, held.ifname):
        return False
    if not drop(snapshot.api.client, snapshot.api.namespace, view.name, held.ip.number - view.base.first, entry):
        return False
    for reservation in snapshot.reserved.get(held.ip, []):
        if belongs(reservation, held):
            _delete(snapshot, reservation)
    return True


def is_of(reservation: Reservation, held: Held) -> bool:
    """Whether it is the reservation that `held` was made from."""
    return held.record.endswith(f"/{reservation.name}")


def _is_journalled(journal: Journal, held: Held) -> bool:
    if not all(held.attachment):
        return False
    try:
        record = journal.find(Attachment(*held.attachment))
    except CniError:
        return False
    return record is not None and record.is_held_by(held.container_id)


def _delete(snapshot: Snapshot, reservation: Reservation) -> bool:
    """Delete it if it is still the one that was seen."""
    api = snapshot.api
    try:
        return delete_reservation(api.client, api.namespace, reservation.name, reservation.uid)
    except Conflict:
        return False
