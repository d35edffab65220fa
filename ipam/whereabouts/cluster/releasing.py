"""What DEL and GC do: the journal says what an attachment has, the API is told, now or later."""

from __future__ import annotations

from cni_multus.cni.errors import CniError, TryAgainLater
from cni_multus.state.leases.lease import PENDING, RELEASED, Holder
from ipam.whereabouts.cluster.entry import Entry
from ipam.whereabouts.cluster.record import Record, Take, boot_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Attachment
    from ipam.whereabouts.cluster.journal import Journal, Locked
    from ipam.whereabouts.cluster.openwork import OpenWork
    from ipam.whereabouts.config import WhereaboutsConfig


class Releasing:
    """Releases by the journal of one node; the API, where it is away, is told by `work` of a later request."""

    def __init__(self, journal: Journal, work: OpenWork, wait: float) -> None:
        self._journal = journal
        self._work = work
        self._wait = wait
        self.is_away = False
        """The API could not be told of the last one."""

    def release(self, attachment: Attachment) -> bool:
        """Give back what the attachment has; False where nothing, or nothing legible, is on record."""
        key = self._journal.key_of(attachment)
        if not key:
            return False
        record = self._peek(key)
        if record and not record.is_held_by(attachment.container_id):
            self._journal.forget_pointer(attachment)  # a newer sandbox of the pod has the addresses
            return True
        with self._journal.locked(key, f"cannot release the addresses of {attachment.container_id}", self._wait) as one:
            record = one.record
            if record is None:
                if not one.damage:
                    self._journal.forget_pointer(attachment)
                return False
            if not record.is_held_by(attachment.container_id):
                self._journal.forget_pointer(attachment)
                return True
            self.give_back(one, record)
        return True

    def give_back(self, locked: Locked, record: Record) -> None:
        """Tell the API, or note that it is to be told."""
        if record.holder.claim:
            locked.forget()  # the claim keeps them
            return
        killed = record.state == PENDING
        if record.state == RELEASED and record.cools_until() > boot_time():
            return
        if record.cool_down and record.state != RELEASED:
            self._leave(locked, record)
            return
        try:
            if self.is_away or not self._work.finish(locked, record):
                self._leave(locked, record, killed=killed)
        except CniError:
            self.is_away = True
            self._leave(locked, record, killed=killed)

    def look_for(self, config: WhereaboutsConfig, attachment: Attachment) -> None:
        """Give back what the API has for a container that nothing is on record of."""
        from ipam.whereabouts.cluster.naming import pool_name

        assert config.cluster
        holder = Holder(attachment, node=config.cluster.node)
        entry = Entry(attachment.container_id, "", attachment.ifname)
        cluster = config.cluster
        record = Record(holder, entry, kubeconfig=cluster.kubeconfig, namespace=cluster.namespace)
        record.network_name, record.exclusive, record.look = config.network_name, config.exclusive, True
        record.takes = [Take(pool_name(config.network_name, pool.cidr), pool.cidr, pool.cidr) for pool in config.pools]
        with self._journal.locked(holder.key, "", self._wait) as locked:
            if locked.record is None:
                self.give_back(locked, record)

    def _leave(self, locked: Locked, record: Record, *, killed: bool = False) -> None:
        if killed:
            record.doubt = record.settles_at(0.0)
        self._journal.note_todo(locked.key)
        record.state = RELEASED
        locked.write(record)

    def _peek(self, key: str) -> Record | None:
        try:
            return self._journal.record(key)
        except (CniError, TryAgainLater):
            return None
