"""A pool of this node's files without a free address: who has them, told in an error or by STATUS."""

from __future__ import annotations

import time

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import CniError, PoolExhausted
from cni_multus.state.leases.disk import Disk
from cni_multus.state.leases.hint import Hints
from cni_multus.state.leases.listing import Listing
from cni_multus.state.leases.past import STEP, is_abandoned
from cni_multus.state.leases.record import Damaged, Record
from cni_multus.state.readiness import why_not_writable
from ipam.whereabouts.taking import domains_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.state.leases.store import Store
    from ipam.whereabouts.config import WhereaboutsConfig
    from ipam.whereabouts.pool import Pool

_LOOKED_AT = 1024
"""So many addresses are looked at to say who has them: the next pod is waiting."""
_NAMED = 3


def exhausted(store: Store, config: WhereaboutsConfig, pool: Pool, domain: str) -> PoolExhausted:
    """What is told of a pool without a free address."""
    count = f"all {pool.size} of its addresses are held" if pool.size else "it has none to give"
    message = f"network {config.network}: no address of {pool} is free: {count}"
    return PoolExhausted(
        f"{message}{_by_whom(store, pool, domain)}",
        "`multus ipam show` lists who has what, `multus ipam leaks` what nobody can be using",
    )


def why_not_available(store: Store, config: WhereaboutsConfig) -> str:
    """Why an ADD would get no addresses now, "" where it would."""
    root = store.layout.root
    if why := why_not_writable(root):
        return why
    try:
        Disk.below(root).require_own(root)
        for domain, pool in zip(domains_of(config), config.pools, strict=True):
            if not _has_free(store, domain, pool):
                return exhausted(store, config, pool, domain).message
    except CniError as error:
        return error.message
    return ""


def _has_free(store: Store, domain: str, pool: Pool) -> bool:
    """Whether an address is free, or would be made free for an ADD."""
    found = _find_free(store, domain, pool)
    if found is None:  # without a bitmap it is quicker to list them
        listing = Listing(store)
        taken = sum(listing.count(domain, first, last, pool.family) for first, last in pool.spans)
        found = taken < pool.size
    if found:
        return True
    now = store.clock.now()
    return any(record is None or is_abandoned(record, now) for record in _holders(store, pool, domain, STEP))


def _find_free(store: Store, domain: str, pool: Pool) -> bool | None:
    """Whether an address is free, by the bitmap; None where that knows too little."""
    hints = Hints(store.layout.hints(domain))
    looked = 0
    for first, last in pool.spans:
        number = hints.find_free(pool.family, first, last)
        while number is not None:
            if store.holder_of(domain, Ip(pool.family, number)) is None:
                return True
            looked += 1
            if looked == STEP:
                return None
            number = hints.find_free(pool.family, number + 1, last)
    return False


def _holders(store: Store, pool: Pool, domain: str, limit: int) -> Iterator[Record | None]:
    """The leases of the first addresses of a pool, None for each that is free; damaged ones are left out."""
    for first, last in pool.spans:
        for number in range(first, min(last, first + limit - 1) + 1):
            key = store.holder_of(domain, Ip(pool.family, number))
            try:
                record = None if key is None else store.lease(key)
            except Damaged:
                continue
            if key is None or record is not None:
                yield record
        limit -= last - first + 1


def _by_whom(store: Store, pool: Pool, domain: str) -> str:
    """The pods that have most, how many addresses cool down, and the oldest lease, of as many as can be looked at."""
    records = [record for record in _holders(store, pool, domain, _LOOKED_AT) if record is not None]
    if not records:
        return ""
    most = "" if pool.size <= _LOOKED_AT else f" of the first {_LOOKED_AT}"
    counts: dict[str, int] = {}
    for record in records:
        holder = record.lease.holder
        who = holder.pod or holder.claim or f"container {holder.attachment.container_id[:13]}"
        counts[who] = counts.get(who, 0) + 1
    named = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_NAMED]
    others = len(counts) - len(named)
    told = ", ".join(f"{count} by {who}" for who, count in named) + (f" and others by {others} more" if others else "")
    cooling = [record for record in records if record.is_released]
    if cooling:
        soonest = min(record.lease.until for record in cooling)
        told += f"; {len(cooling)} were given back and are kept for whom they were, one until {_time(soonest)}"
    oldest = min(records, key=lambda record: record.lease.since)
    return f",{most} {told}; the oldest since {_time(oldest.lease.since)}, by {oldest.lease.holder}"


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
