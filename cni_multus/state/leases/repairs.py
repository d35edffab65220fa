"""How what is wrong in a store is looked at again, under the lock, and what is done about it.

Each function gives a look: it answers False where it is not so (any more), True where only a person can decide, else
the repair. What is repaired is an address that nobody has, or a way back to one that somebody may have.
"""

from __future__ import annotations

import os

from cni_multus.state.blocks import Blocks
from cni_multus.state.leases.cooling import queue_place, requeue
from cni_multus.state.leases.links import UNKNOWN
from cni_multus.state.leases.rebuilding import taken
from cni_multus.state.leases.record import Damaged, Record
from cni_multus.state.leases.remains import remains

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.request import Attachment
    from cni_multus.state.leases.change import Change
    from cni_multus.state.leases.layout import Slot

    Repair = Callable[[], object]
    Look = Callable[[Change], Repair | bool]


def of_damaged(key: str) -> Look:
    """A lease that cannot be read: written again from the links, if an attachment still leads to it."""

    def look(change: Change) -> Repair | bool:
        try:
            change.store.lease(key)
        except Damaged:
            return _rewrite(change, key) or True
        return False

    return look


def of_missing_address(key: str, slot: Slot) -> Look:
    """An address that a lease says and does not have: taken for it, unless another has it by rights."""

    def look(change: Change) -> Repair | bool:
        record, holder = change.store.lease(key), change.holder_of(slot)
        if record is None or slot not in record.slots or holder == key:
            return False
        if holder is None:
            return lambda: change.link(slot, key)
        theirs = None if holder == UNKNOWN else change.lease_or_remains(holder)
        return (lambda: _give_up(change, record, slot)) if theirs is not None and slot in theirs.slots else True

    return look


def of_lost_release(key: str) -> Look:
    """A released lease that is not in the queue: it waits again."""

    def look(change: Change) -> Repair | bool:
        record = change.store.lease(key)
        if record is None or not record.is_released or os.path.lexists(queue_place(change.layout, record)):
            return False
        return lambda: requeue(change, record)

    return look


def of_unattached(seen: Record) -> Look:
    """A lease that no attachment leads to: the way back is made again, unless the attachment has another by now."""
    key, attachment = seen.key, seen.lease.holder.attachment

    def look(change: Change) -> Repair | bool:
        record = change.store.lease(key)
        if record is None or record.print() != seen.print():
            return False
        if not attachment.container_id:
            return True
        leads_to = change.store.key_of(attachment)
        if leads_to == key:
            return False
        return (lambda: change.drop(record)) if leads_to else (lambda: change.point(attachment, key))

    return look


def of_missing_lease(slot: Slot, key: str) -> Look:
    """An address whose lease is gone: free, unless an attachment still leads there, whose lease is written again."""

    def look(change: Change) -> Repair | bool:
        if change.holder_of(slot) != key or change.store.lease(key) is not None:
            return False
        return _rewrite(change, key) or (lambda: change.free([slot], key))

    return look


def of_unlisted(slot: Slot, key: str) -> Look:
    """An address whose lease does not have it: free."""

    def look(change: Change) -> Repair | bool:
        record = change.store.lease(key)
        if change.holder_of(slot) != key or record is None or slot in (*record.slots, *record.leaving):
            return False
        return lambda: change.free([slot], key)

    return look


def of_foreign(slot: Slot) -> Look:
    """Something that is no link of ours in an address's place: whoever put it there knows why."""
    return lambda change: change.holder_of(slot) == UNKNOWN


def of_attachment(attachment: Attachment, key: str) -> Look:
    """An attachment that leads to no lease, or to a later container's: it goes."""

    def look(change: Change) -> Repair | bool:
        record = change.store.lease(key)
        if change.store.key_of(attachment) != key:
            return False
        if record is None and remains(change.store, key).slots:
            return _rewrite(change, key) or True
        if record is not None and record.is_of(attachment):
            return False
        return lambda: change.unpoint(attachment)

    return look


def of_temporary(path: str) -> Look:
    """A file that was never renamed: nobody is at it, since we have the lock."""
    return lambda change: (lambda: change.names.remove(path)) if os.path.lexists(path) else False


def of_hints(domain: str) -> Look:
    """A bitmap that hides free addresses: made again."""

    def look(change: Change) -> Repair | bool:
        wrong = any(change.holder_of((domain, ip)) is None for ip in Blocks(change.layout.hints(domain)).marked())
        return (lambda: change.hints(domain).rebuild(taken(change, domain))) if wrong else False

    return look


def _rewrite(change: Change, key: str) -> Repair | None:
    """How to write a lease again from what the links tell; None where no attachment leads to it."""
    found = remains(change.store, key)
    if not found.lease.holder.attachment.container_id:
        return None
    found.lease.since = change.now.wall
    return lambda: change.write(found)


def _give_up(change: Change, record: Record, slot: Slot) -> None:
    """Take an address that another has out of a lease; the lease ends with the last."""
    left = [(domain, cidr) for domain, cidr in record.placed if (domain, cidr.ip) != slot]
    if not left:
        return change.drop_with_attachment(record)
    record.domains = tuple(domain for domain, _ in left)
    record.lease.addresses = tuple(cidr for _, cidr in left)
    return change.write(record)
