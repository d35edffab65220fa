"""What can be wrong between this node's journal and the cluster's pools."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.cli.ipam.cluster import ENGINE
from cni_multus.cli.ipam.evidence import GONE, LIVES
from cni_multus.cli.ipam.finding import Finding
from cni_multus.cli.ipam.held import Held
from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import CniError
from cni_multus.kube.errors import AlreadyExists
from cni_multus.state.leases.lease import HELD, PENDING, RELEASED
from ipam.whereabouts.cluster.openwork import SETTLE
from ipam.whereabouts.cluster.pools import Place, did, drop, take
from ipam.whereabouts.cluster.record import boot_time
from ipam.whereabouts.cluster.reservations import create_reservation, delete_reservation
from ipam.whereabouts.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.cli.ipam.cluster import Cluster
    from cni_multus.cli.ipam.evidence import Evidence, Verdict
    from cni_multus.cli.ipam.snapshot import Snapshot
    from ipam.whereabouts.cluster.record import Record, Take


def faults_of_journal(place: Cluster, evidence: Evidence, grace: float) -> Iterator[Finding]:
    """Every one, holder by holder."""
    for path in place.journal.unreadable():
        yield Finding(
            ENGINE,
            "damaged record",
            path,
            "no line of it is whole",
            "DEL and GC do not know which addresses to give back",
            "`multus ipam reconcile` frees them when the pod is gone; then remove the file",
        )
    snapshot = place.readable()
    for record in place.journal.records():
        verdict = evidence.judge(_held(place, record))
        yield from _unfinished(place, record, verdict, grace)
        if snapshot is not None and record.state == HELD and record.namespace == snapshot.api.namespace:
            for taken in record.takes:
                yield from _against_pool(place, snapshot, record, taken, verdict)


def _unfinished(place: Cluster, record: Record, verdict: Verdict, grace: float) -> Iterator[Finding]:
    what = place.journal.path(record.holder.key)
    is_gone = verdict.state == GONE
    if record.state == PENDING and time.time() - record.since > grace:
        yield Finding(
            ENGINE,
            "interrupted ADD",
            what,
            f"an ADD for {record.holder} was killed",
            "what it took stays taken until its DEL, a GC, or its next ADD",
            "it is given back: its owner is gone" if is_gone else "its next ADD, its DEL or a GC mends it",
            partial(_release, place, record) if is_gone else None,
        )
    waits_until = max(record.cools_until(), record.settles_at(SETTLE))
    if record.state == RELEASED and waits_until <= boot_time():
        yield Finding(
            ENGINE,
            "unfinished release",
            what,
            f"{record.holder} was given back, and the API server was not told yet",
            "the addresses stay taken",
            "it is told",
            partial(_work_off, place, record.holder.key),
        )


def _against_pool(
    place: Cluster, snapshot: Snapshot, record: Record, taken: Take, verdict: Verdict
) -> Iterator[Finding]:
    view = snapshot.pools.get(taken.pool)
    entry = view.entries.get(taken.offset) if view else None
    what = f"ippools/{taken.pool} {taken.address.ip}"
    if entry is None:
        mend: Callable[[], bool] | None = None
        cure = "find out whether its owner lives"
        if verdict.state == LIVES:
            mend, cure = partial(_take_again, place, snapshot, record, taken), "it is written there again"
        elif verdict.state == GONE:
            mend, cure = partial(_release, place, record), "it is given back: its owner is gone"
        message = f"this node's journal gives {taken.address.ip} to {record.holder}, and the pool to nobody"
        yield Finding(ENGINE, "not in the pool", what, message, "another node may give the address away", cure, mend)
    elif not entry.is_of(record.entry):
        message = f"this node's journal gives {taken.address.ip} to {record.holder}, and the pool to {entry}"
        cure = "make the pod of this node anew; its DEL leaves what is another's"
        yield Finding(ENGINE, "somebody else's", what, message, "two may have one address", cure)
    elif taken.reservation and not snapshot.reserved.get(taken.address.ip):
        mend = partial(_reserve_again, place, snapshot, record, taken)
        message = f"{record.holder} has {taken.address.ip}, and its reservation {taken.reservation} is not there"
        breaks = "another range may give the address away"
        yield Finding(ENGINE, "reservation lost", what, message, breaks, "it is made again", mend)


def _take_again(place: Cluster, snapshot: Snapshot, record: Record, taken: Take) -> bool:
    """The reservation first, which is what tells nodes apart, then the entry; neither where a DEL came meanwhile."""
    api = snapshot.api
    is_reserved = not taken.reservation or snapshot.reserved.get(taken.address.ip)
    if not is_reserved and not _reserve_again(place, snapshot, record, taken):
        return False
    pool = Pool(taken.base, taken.base.first, taken.base.last)
    place_of_it = Place(api.namespace, taken.pool, taken.base, pool)
    if not did(lambda: take(api.client, place_of_it, taken.offset, record.entry)):
        return False
    if _is_held(place, record):
        return True
    drop(api.client, api.namespace, taken.pool, taken.offset, record.entry)
    return False


def _reserve_again(place: Cluster, snapshot: Snapshot, record: Record, taken: Take) -> bool:
    api = snapshot.api
    try:
        uid = create_reservation(api.client, api.namespace, taken.reservation, record.entry, record.lease)
    except AlreadyExists:
        return False
    if _is_held(place, record):
        return True
    delete_reservation(api.client, api.namespace, taken.reservation, uid)
    return False


def _is_held(place: Cluster, seen: Record) -> bool:
    """Whether the holder still has what it was seen with."""
    try:
        record = place.journal.record(seen.holder.key)
    except CniError:
        return False
    return record is not None and (record.state, record.id) == (HELD, seen.id)


def _release(place: Cluster, record: Record) -> bool:
    from ipam.whereabouts.cluster.engine import ClusterEngine

    return ClusterEngine(place.data_dir, os.environ).release(record.holder.attachment)


def _work_off(place: Cluster, key: str) -> bool:
    from ipam.whereabouts.cluster.engine import ClusterEngine

    ClusterEngine(place.data_dir, os.environ).work_off()
    return place.journal.record(key) is None


def _held(place: Cluster, record: Record) -> Held:
    """The record as something to be judged."""
    address = record.takes[0].address.ip if record.takes else Ip(4, 0)
    held = Held(address, ENGINE, "", place.journal.path(record.holder.key), here=True)
    held.fill(record.lease)
    return held
