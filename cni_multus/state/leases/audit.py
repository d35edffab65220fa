"""What is wrong in a store: found without the lock, confirmed under it, and mended where that can harm nobody.

Nothing that a kill leaves is wrong: an attachment still leads to it, and its DEL, or GC, or the next ADD of its pod
cleans it up. Here is found what a power cut on a file system that promises little, a failing disk or a hand did.
"""

from __future__ import annotations

import os

from cni_multus.state.leases import repairs
from cni_multus.state.leases.change import Change
from cni_multus.state.leases.cooling import queue_place
from cni_multus.state.leases.links import UNKNOWN
from cni_multus.state.leases.listing import Listing
from cni_multus.state.leases.record import Damaged, Record
from cni_multus.state.leases.remains import addresses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.state.leases.repairs import Look
    from cni_multus.state.leases.store import Store


class Finding:
    """Something wrong: its `kind`, the file, and a sentence; `mendable` where a program can decide what to do."""

    __slots__ = ("_look", "_store", "kind", "mendable", "message", "path")

    def __init__(self, store: Store, kind: str, path: str, message: str, look: Look) -> None:
        self.kind = kind
        self.path = path
        self.message = message
        self.mendable = False
        self._store = store
        self._look = look

    def confirm(self) -> bool:
        """Look again, under the lock: an ADD or a DEL may just have been at work."""
        with Change(self._store, f"cannot look at {self.path}", giving_back=True) as change:
            try:
                found = self._look(change)
            except Damaged:  # told by itself
                return False
        self.mendable = callable(found)
        return found is not False

    def mend(self) -> bool:
        """Mend it; False where it is not so any more, or cannot be decided."""
        with Change(self._store, f"cannot mend {self.path}", giving_back=True) as change:
            repair = self._look(change)
            if isinstance(repair, bool):
                return False
            repair()
            return True


def findings(store: Store, domain: str = "") -> Iterator[Finding]:
    """Everything that is wrong, or what is wrong with the addresses of a domain."""
    audit = _Audit(store, domain)
    passes = (audit.leases, audit.addresses, *(() if domain else (audit.attachments, audit.temporaries)), audit.hints)
    for suspects in passes:
        for suspect in suspects():
            if suspect.confirm():
                yield suspect


class _Audit:
    """One look at everything; each pass yields what seems wrong."""

    def __init__(self, store: Store, domain: str) -> None:
        self._store = store
        self._domain = domain
        self._listing = Listing(store)

    def leases(self) -> Iterator[Finding]:
        """Leases that are damaged, that do not have their addresses, or that no attachment leads to."""
        for key in self._listing.every_key():
            try:
                record = self._store.lease(key)
            except Damaged as damaged:
                yield self._damaged(key, damaged.message)
                continue
            if record is None or (self._domain and self._domain not in record.domains):
                continue
            yield from self._without_address(record)
            if record.is_released:
                yield from self._lost_release(record)
            elif not record.lease.holder.claim:
                yield from self._without_attachment(record)

    def _damaged(self, key: str, message: str) -> Finding:
        path = self._store.layout.lease(key)
        return Finding(self._store, "damaged lease", path, message, repairs.of_damaged(key))

    def _without_address(self, record: Record) -> Iterator[Finding]:
        for slot in record.slots:
            holder = self._store.holder_of(*slot)
            if holder == record.key:
                continue
            who = "nobody" if holder is None else self._store.describe(holder)
            message = f"{slot[1]} is leased to {record.lease.holder}, and {who} has it"
            look = repairs.of_missing_address(record.key, slot)
            yield Finding(self._store, "lease without address", self._store.layout.lease(record.key), message, look)

    def _lost_release(self, record: Record) -> Iterator[Finding]:
        if not os.path.lexists(queue_place(self._store.layout, record)):
            message = f"the addresses of {record.lease.holder} are kept for it, and nothing ends that"
            path = self._store.layout.lease(record.key)
            yield Finding(self._store, "lost release", path, message, repairs.of_lost_release(record.key))

    def _without_attachment(self, record: Record) -> Iterator[Finding]:
        key, attachment = record.key, record.lease.holder.attachment
        if not attachment.container_id or self._store.key_of(attachment) != key:
            message = f"nothing leads to the lease of {record.lease.holder}: its DEL does not find it"
            path = self._store.layout.lease(key)
            yield Finding(self._store, "lease without attachment", path, message, repairs.of_unattached(record))

    def addresses(self) -> Iterator[Finding]:
        """Addresses whose lease is not there, or does not have them."""
        for slot, key in addresses(self._store, self._domain):
            path = self._store.layout.address(slot)
            try:
                record = None if key == UNKNOWN else self._store.lease(key)
            except Damaged:
                continue
            if key == UNKNOWN:
                message = f"{slot[1]} is taken by something that is no lease of ours"
                yield Finding(self._store, "address not of its lease", path, message, repairs.of_foreign(slot))
            elif record is None:
                message = f"{slot[1]} is taken for the lease {key}, which is missing"
                yield Finding(self._store, "address without lease", path, message, repairs.of_missing_lease(slot, key))
            elif slot not in record.slots and slot not in record.leaving:
                message = f"{slot[1]} is taken for {record.lease.holder}, whose lease does not have it"
                yield Finding(self._store, "address not of its lease", path, message, repairs.of_unlisted(slot, key))

    def attachments(self) -> Iterator[Finding]:
        """Attachments that lead to nothing, or to the lease of a later container."""
        for attachment, key in self._listing.attachments():
            path = self._store.layout.attachment(attachment)
            try:
                record = self._store.lease(key)
            except Damaged:
                continue
            what = f"the attachment of container {attachment.container_id[:13]}, {attachment.ifname}"
            look = repairs.of_attachment(attachment, key)
            if record is None:
                message = f"{what} leads to the lease {key}, which is missing"
                yield Finding(self._store, "attachment without lease", path, message, look)
            elif record.lease.holder.attachment.container_id != attachment.container_id:
                message = f"{what} leads to the lease of {record.lease.holder}"
                yield Finding(self._store, "attachment of another container", path, message, look)

    def temporaries(self) -> Iterator[Finding]:
        """Files that somebody who was killed was about to rename."""
        for path in (self._store.layout.new_lease, self._store.layout.new_pointer):
            if os.path.lexists(path):
                message = "a program was killed while it wrote this; the next one that writes replaces it"
                yield Finding(self._store, "temporary file", path, message, repairs.of_temporary(path))

    def hints(self) -> Iterator[Finding]:
        """Bitmaps that call an address taken which is free; the contrary costs only time."""
        for name in [self._domain] if self._domain else [domain.name for domain in self._listing.domains()]:
            path = self._store.layout.hints(name)
            message = f"the bitmap of {name} calls addresses taken that are free"
            yield Finding(self._store, "wrong hint", path, message, repairs.of_hints(name))
