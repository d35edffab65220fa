"""Leases whose holders cannot be there any more: of an earlier boot, or at the end of their cool-down.

No network namespace outlives the boot, but a pod does, and wants its addresses back: for some minutes after a boot
nothing is taken from it, and later only where there is no other address. A claim's lease is never taken away.
"""

from __future__ import annotations

from cni_multus.state import files
from cni_multus.state.leases.record import Damaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.state.leases.change import Change
    from cni_multus.state.leases.clock import Moment
    from cni_multus.state.leases.layout import Slot
    from cni_multus.state.leases.record import Record

GRACE = 300.0
"""Seconds after the boot until the leases of earlier boots may go to others."""
STEP = 4096
"""How many addresses one request looks at; the next goes on where it ended."""


def is_abandoned(record: Record, now: Moment) -> bool:
    """Whether others may have its addresses; a lease that names no boot was never this node's to judge."""
    holder = record.lease.holder
    if record.is_released:
        return record.is_over(now)
    if holder.claim or not holder.boot or holder.boot == now.boot or now.uptime < GRACE:
        return False
    return not (holder.netns and files.exists(holder.netns))


def reclaim(change: Change, slot: Slot) -> bool:
    """Free an address if its lease is abandoned, and all else that the lease has."""
    key = change.holder_of(slot)
    try:
        record = None if key is None else change.store.lease(key)
    except Damaged:
        return False
    if record is None or slot not in record.slots or not is_abandoned(record, change.now):
        return False
    change.drop_with_attachment(record)
    return True


def reclaim_some(change: Change, domain: str, name: str, spans: Iterable[tuple[int, int]], family: int) -> bool:
    """Look for abandoned leases in `spans`, once in a boot, STEP addresses at a time; whether one was freed.

    `name` is of the file that remembers how far it got.
    """
    from cni_multus.cni.addressing import Ip

    if change.now.uptime < GRACE:
        return False
    path = change.layout.last(domain, f"{name}.boot")
    boot, _, place = (files.read(path) or b"").decode("ascii", "replace").partition(" ")
    start = int(place) if boot == change.now.boot and place.isdecimal() else 0
    looked, freed, number = 0, False, start
    for first, last in spans:
        number = max(first, start)
        while number <= last and looked < STEP and not freed:
            freed = reclaim(change, (domain, Ip(family, number)))
            number += 1
            looked += 1
    if looked:
        change.remember(path, b"%s %d" % (change.now.boot.encode(), number))
    return freed
