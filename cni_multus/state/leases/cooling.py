"""Leases that were given back and are kept for their holders for a while, in the order in which that ends.

    <dataDir>/released/<boot>/<minute>/<key>      a link to the lease; the minute, since the boot, in which it is over

The place in the queue is made before the lease says so, and removed last: what stands here and is no released lease is
left over, and a released lease always stands here.
"""

from __future__ import annotations

import os

from cni_multus.cni.request import Attachment
from cni_multus.state import files
from cni_multus.state.leases.layout import is_key
from cni_multus.state.leases.lease import HELD, RELEASED, Holder, Lease
from cni_multus.state.leases.record import Damaged, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.state.leases.change import Change
    from cni_multus.state.leases.layout import Layout

_MINUTE = 60.0


def keep(change: Change, record: Record) -> None:
    """Keep a lease without its container: a claim's until somebody removes it, another until it has cooled down."""
    lease, now = record.lease, change.now
    former = lease.holder.attachment
    is_claims = bool(lease.holder.claim)
    holder = Holder(
        Attachment(former.network, "" if is_claims else former.container_id, former.ifname),
        pod=lease.holder.pod,
        uid=lease.holder.uid,
        claim=lease.holder.claim,
        node=lease.holder.node,
        boot=now.boot,
    )
    state, until = (HELD, 0.0) if is_claims else (RELEASED, now.wall + record.cool_down)
    since = lease.since if is_claims else now.wall
    kept = Record(
        record.key,
        Lease(holder, lease.addresses, since, state, until),
        record.domains,
        cool_down=record.cool_down,
        uptime=now.uptime,
    )
    change.free(record.leaving, record.key)
    if not is_claims:
        requeue(change, kept)
        change.names.step()
    change.write(kept)


def queue_place(layout: Layout, record: Record) -> str:
    """Where a released lease stands in the queue."""
    minute = int((record.uptime + record.cool_down) / _MINUTE)
    return f"{layout.released}/{record.lease.holder.boot}/{minute:08x}/{record.key}"


def requeue(change: Change, record: Record) -> None:
    """Let a released lease wait in the queue."""
    change.names.link(queue_place(change.layout, record), change.layout.target(record.key))


def sweep(change: Change, limit: int, *, to_the_second: bool = False) -> int:
    """Free leases whose cool-down is over, looking at no more than `limit`; how many there were."""
    freed = 0
    for boot in files.names(change.layout.released):
        for directory in _due(change, boot, to_the_second):
            names = list(files.names(directory))
            for name in names[:limit]:
                freed += _settle(change, f"{directory}/{name}", name)
            limit -= len(names)
            if limit <= 0:
                return freed
            _remove_empty(directory)
        _remove_empty(f"{change.layout.released}/{boot}")
    return freed


def _due(change: Change, boot: str, to_the_second: bool) -> list[str]:
    """The minutes of a boot that are over, or begun; of another boot all, since its clock has stopped."""
    directory = f"{change.layout.released}/{boot}"
    end = change.now.uptime if to_the_second else change.now.uptime - _MINUTE
    last = f"{int(end / _MINUTE):08x}" if end >= 0 else ""
    return [f"{directory}/{name}" for name in sorted(files.names(directory)) if boot != change.now.boot or name <= last]


def _settle(change: Change, place: str, key: str) -> int:
    """Free the lease that stands in this place if it is over; the place goes unless the lease has to wait in it."""
    if not is_key(key):
        return 0
    try:
        record = change.store.lease(key)
    except Damaged:
        return 0  # fsck's business
    is_over = record is not None and record.is_over(change.now)
    if record is not None and is_over:
        change.drop(record)
    elif record is not None and record.is_released and queue_place(change.layout, record) == place:
        return 0
    files.remove(place)
    return int(is_over)


def _remove_empty(directory: str) -> None:
    try:
        os.rmdir(directory)
    except OSError:
        return  # somebody waits in there
