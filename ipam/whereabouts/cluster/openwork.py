"""What the journal still has to tell the API: releases while it was away, and what is to be looked at again."""

from __future__ import annotations

from cni_multus.cni.errors import CniError, TryAgainLater
from cni_multus.kube.errors import Unavailable
from cni_multus.state.leases.lease import RELEASED
from ipam.whereabouts.cluster.giving import give_back, look_and_give_back
from ipam.whereabouts.cluster.journal import Journal
from ipam.whereabouts.cluster.record import boot_time
from ipam.whereabouts.cluster.session import NAMESPACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.whereabouts.cluster.journal import Locked
    from ipam.whereabouts.cluster.record import Record
    from ipam.whereabouts.cluster.session import Session

SETTLE = 75.0
"""Seconds after which nothing that was asked for is done any more: the API server gives up a request after 60."""


class OpenWork:
    """The work of a node, done by whoever has a moment."""

    def __init__(self, data_dir: str, session: Session, settle: float = SETTLE) -> None:
        self._data_dir = data_dir
        self._journal = Journal(data_dir)
        self._session = session
        self._settle = settle
        self._away: set[str] = set()
        """The kubeconfigs whose server does not answer."""
        self.failures: list[str] = []
        self.done = 0

    def work_off(self, limit: int = 0, *, without: str = "") -> None:
        """Do so many pieces of it, all if 0; those of the holder `without` are left, and what somebody else does."""
        for key in self._journal.todo():
            if key == without:
                continue
            if (limit and self.done >= limit) or self._session.deadline.passed():
                return
            try:
                with self._journal.locked(key, "", 0.0) as locked:
                    self._one(locked)
            except TryAgainLater:
                continue
            except CniError as error:
                self.failures.append(error.message)

    def finish(self, locked: Locked, record: Record) -> bool:
        """Tell the API that a released record's addresses are free, and forget it; False where it stays for a while."""
        if record.cools_until() > boot_time():
            return False
        client = self._session.client(record.kubeconfig)
        record.namespace = record.namespace or client.access.namespace or NAMESPACE
        if record.look:
            look_and_give_back(client, record)
        elif not record.holder.claim:
            for take in record.takes:
                give_back(client, self._data_dir, record, take)
        self.done += 1
        if record.settles_at(self._settle) > boot_time():
            return False
        locked.forget()
        return True

    def _one(self, locked: Locked) -> None:
        record = locked.record
        if record is None or record.state != RELEASED:
            if not locked.damage:
                self._journal.note_done(locked.key)
            return
        if record.kubeconfig in self._away or record.settles_at(self._settle) > boot_time():
            return
        try:
            self.finish(locked, record)
        except Unavailable as error:
            self._away.add(record.kubeconfig)
            self.failures.append(error.message)
        except CniError as error:
            self.failures.append(f"{record.holder}: {error.message}")
