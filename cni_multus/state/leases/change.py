"""Changes of the store, under its lock, each step in an order that a kill at any instruction leaves usable."""

from __future__ import annotations

import os

from cni_multus.cni.errors import CniError, IoFailure, TryAgainLater
from cni_multus.state import files
from cni_multus.state.leases.hint import Hints
from cni_multus.state.leases.links import read_link
from cni_multus.state.leases.meta import find_out, is_ordered
from cni_multus.state.leases.names import Names
from cni_multus.state.leases.record import Damaged, Record
from cni_multus.state.lock import Lock
from cni_multus.undo import Undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from cni_multus.cni.request import Attachment
    from cni_multus.state.leases.layout import Slot
    from cni_multus.state.leases.store import Store


class Change:
    """`with Change(store, attempt) as change:` the store, locked; what was changed is durable when the block is left.

    Raises TryAgainLater where the lock cannot be had; its message begins with `attempt`. The last sync is made after
    the lock is given away: whoever comes next waits for none, and one sync serves many. Made for a release
    (`giving_back`), it works on where nothing can be written any more.
    """

    __slots__ = ("_giving_back", "_hints", "_lock", "layout", "names", "now", "store")

    def __init__(self, store: Store, attempt: str, *, giving_back: bool = False) -> None:
        self.store = store
        self.layout = store.layout
        self.now = store.clock.now()
        self.names = Names(ordered=False)
        self._giving_back = giving_back
        self._lock = Lock(self.layout.lock, attempt)
        self._hints: dict[str, Hints] = {}

    def __enter__(self) -> Change:
        ordered = is_ordered(self.layout, self.now)
        if ordered is None and not self._giving_back:
            ordered = find_out(self.layout, self.now)
        self.names = Names(ordered=ordered is True)
        self._lock.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for hints in self._hints.values():
                hints.flush()
        finally:
            self._lock.__exit__(kind, error, trace)
        self.names.sync()

    def hints(self, domain: str) -> Hints:
        """The bitmap of a domain."""
        found = self._hints.get(domain)
        if found is None:
            found = self._hints[domain] = Hints(self.layout.hints(domain))
        return found

    def holder_of(self, slot: Slot) -> str | None:
        """The key of who has an address, None where it is free."""
        return read_link(self.layout.address(slot))

    def lease_or_remains(self, key: str) -> Record | None:
        """The lease of a holder; of a damaged one what the links tell, which takes a look at all of them."""
        try:
            return self.store.lease(key)
        except Damaged:
            from cni_multus.state.leases.remains import remains

            return remains(self.store, key)

    def take(self, record: Record, before: Record | None) -> None:
        """Give a holder what `record` says, none of which another has; `before` is the lease that it replaces.

        All of it or nothing: what was done is taken back where a step fails.
        """
        attachment = record.lease.holder.attachment
        with Undo() as undo:
            self._point_anew(attachment, record.key, undo)
            if before is None:
                undo.callback(self.names.remove, self.layout.lease(record.key))
                self.write(record)
            elif before.print() != record.print():
                self.write(record)
                undo.callback(self.write, before)
            self.names.step()
            for slot in record.slots:
                if self.link(slot, record.key):
                    undo.callback(self.names.remove, self.layout.address(slot))
            undo.keep()
        self.free(record.leaving, record.key)
        if before is not None:
            self._forget_former(before, attachment)

    def give_back(self, attachment: Attachment) -> bool:
        """Give back what an attachment has; False where nothing is known of it."""
        key = self.store.key_of(attachment)
        if key is None:
            return False
        record = self.lease_or_remains(key)
        if record is not None and record.is_of(attachment) and not record.is_released:
            self._end(record)
            self.names.step()
        self.unpoint(attachment)
        return True

    def drop(self, record: Record) -> None:
        """Free the addresses of a lease and remove it."""
        self.free([*record.slots, *record.leaving], record.key)
        self.names.step()
        self.names.remove(self.layout.lease(record.key))

    def drop_with_attachment(self, record: Record) -> None:
        """The same, and the attachment that leads to it: its holder does not come back."""
        attachment = record.lease.holder.attachment
        self.drop(record)
        if attachment.container_id and self.store.key_of(attachment) == record.key:
            self.unpoint(attachment)

    def write(self, record: Record) -> None:
        """Write a lease, in the place of what is there."""
        self.names.write(self.layout.lease(record.key), record.print(), self.layout.new_lease)

    def point(self, attachment: Attachment, key: str) -> None:
        """Let an attachment lead to a lease, wherever it led to before."""
        path, target = self.layout.attachment(attachment), self.layout.target(key)
        if not self.names.link(path, target):
            self.names.replace_link(path, target, self.layout.new_pointer)

    def unpoint(self, attachment: Attachment) -> None:
        """Let an attachment lead nowhere."""
        self.names.remove(self.layout.attachment(attachment))

    def link(self, slot: Slot, key: str) -> bool:
        """Take an address for a lease that has it on file; False where it was taken for it already."""
        path = self.layout.address(slot)
        if self.names.link(path, self.layout.target(key)):
            return True
        if read_link(path) == key:
            return False
        raise TryAgainLater(f"cannot take {slot[1]}: another program has just put {path} there, without the lock")

    def free(self, slots: Iterable[Slot], key: str) -> None:
        """Free those addresses that are the holder's, all that can be; raises the first failure afterwards."""
        ours = [slot for slot in slots if self.holder_of(slot) == key]
        for domain, ip in ours:
            self.hints(domain).clear(ip)
        for domain in {domain for domain, _ in ours}:
            self.hints(domain).flush()
        failures: list[CniError] = []
        for slot in ours:
            try:
                self.names.remove(self.layout.address(slot))
            except IoFailure as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def remember(self, path: str, data: bytes) -> None:
        """Write what may be lost at any time; what cannot be written is done without."""
        try:
            if not files.is_directory(os.path.dirname(path)):
                files.make_directory(os.path.dirname(path))
            files.overwrite(path, data)
        except IoFailure:
            return

    def _end(self, record: Record) -> None:
        """End a lease: now, after its cool-down, or not at all where it is a claim's."""
        if record.lease.holder.claim or record.cool_down > 0:
            from cni_multus.state.leases.cooling import keep

            try:
                return keep(self, record)
            except IoFailure:
                if record.lease.holder.claim:
                    raise
        return self.drop(record)  # where nothing can be written any more, too

    def _point_anew(self, attachment: Attachment, key: str, undo: Undo) -> None:
        """Let an attachment lead to a lease; what it had under another key, as another pod, is given back."""
        former = self.store.key_of(attachment)
        if former == key:
            return
        if former is None:
            undo.callback(self.unpoint, attachment)
        elif (record := self.lease_or_remains(former)) is not None and record.is_of(attachment):
            self.drop(record)
        self.point(attachment, key)

    def _forget_former(self, before: Record, attachment: Attachment) -> None:
        """Let the container that had the lease before this one lead nowhere."""
        former = before.lease.holder.attachment
        if former.container_id and not before.is_of(attachment) and self.store.key_of(former) == before.key:
            self.unpoint(former)
