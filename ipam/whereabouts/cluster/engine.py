"""Addresses kept by the Kubernetes API: each verb under the locks of this node's journal and one deadline.

There is no leader. Who takes an address makes its reservation, which there can be one of, and then writes its entry
into the pool, where there is none: the API server decides, address by address. Nodes of Whereabouts may share pools.
"""

from __future__ import annotations

from cni_multus.cni.errors import CniError, TryAgainLater
from cni_multus.state.leases.lease import RELEASED
from ipam.whereabouts.cluster.journal import Journal
from ipam.whereabouts.cluster.openwork import SETTLE, OpenWork
from ipam.whereabouts.cluster.session import ADD_SECONDS, CHECK_SECONDS, DEL_SECONDS, GC_SECONDS, Session
from ipam.whereabouts.engine import Engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cni_multus.cni.addressing import Cidr
    from cni_multus.cni.request import Attachment
    from cni_multus.state.leases.lease import Holder
    from ipam.whereabouts.cluster.journal import Locked
    from ipam.whereabouts.cluster.releasing import Releasing
    from ipam.whereabouts.config import WhereaboutsConfig

ASIDE = 4
"""Pieces of open work that a request does besides its own."""
ASIDE_SECONDS = 2.0


class ClusterEngine(Engine):
    """The engine of one node; `data_dir` has its journal, `environment` says where the API is inside of a pod.

    `settle`: seconds after which an answer that was missed means that nothing comes of it any more.
    """

    def __init__(self, data_dir: str, environment: Mapping[str, str] | None = None, settle: float = SETTLE) -> None:
        self._data_dir = data_dir
        self._journal = Journal(data_dir)
        self._environment = environment or {}
        self._settle = settle
        self.calls = 0
        """Requests that were sent to API servers so far."""

    def acquire(self, config: WhereaboutsConfig, holder: Holder) -> list[Cidr]:
        from ipam.whereabouts.cluster.acquiring import Acquisition

        key, attachment = holder.key, holder.attachment
        before = self._journal.key_of(attachment)
        if before not in {"", key}:
            self.release(attachment)  # the runtime tells another pod for the container than the first time
        attempt = f"cannot take addresses of network {attachment.network} for {holder}"
        with Session(ADD_SECONDS, self._environment) as session:
            with self._journal.locked(key, attempt, session.deadline.left()) as locked:
                self._journal.point(attachment, key)
                try:
                    work = Acquisition(
                        session, config, holder, locked, self._note_todo(key), self._effort(session, key)
                    )
                    given = work.run()
                except CniError:
                    if locked.record is None:
                        self._journal.forget_pointer(attachment)
                    raise
                finally:
                    self.calls += session.calls
                self._journal.note_done(key)
        self._work_aside(without=key)
        return given

    def release(self, attachment: Attachment) -> bool:
        with Session(DEL_SECONDS, self._environment) as session:
            releasing = self._releasing(session)
            found = releasing.release(attachment)
            self.calls += session.calls
        if found and not releasing.is_away:
            self._work_aside()
        return found

    def release_unknown(self, config: WhereaboutsConfig, attachment: Attachment) -> None:
        """Give back what the pools of `config` have for a container that nothing is on record of."""
        with Session(DEL_SECONDS, self._environment) as session:
            releasing = self._releasing(session)
            releasing.look_for(config, attachment)
            self.calls += session.calls
        if not releasing.is_away:
            self._work_aside()

    def verify(self, config: WhereaboutsConfig, holder: Holder, addresses: list[Cidr]) -> list[str]:
        from ipam.whereabouts.cluster.verifying import verify, verify_unknown

        with Session(CHECK_SECONDS, self._environment) as session:
            attempt = f"cannot check the addresses of {holder}"
            with self._journal.locked(holder.key, attempt, session.deadline.left()) as locked:
                if locked.record is None and not locked.damage:
                    wrong = verify_unknown(session, config, holder, addresses)
                else:
                    wrong = verify(session, holder, locked, addresses)
            self.calls += session.calls
        return wrong

    def collect(self, network: str, is_valid: Callable[[Attachment], bool]) -> None:
        failures = []
        with Session(GC_SECONDS, self._environment) as session:
            releasing = self._releasing(session)
            for key in list(self._journal.keys()):
                try:
                    with self._journal.locked(key, "", 0.0) as locked:
                        _collect(releasing, locked, network, is_valid)
                except TryAgainLater:
                    continue  # an ADD or a DEL is at it
                except CniError as error:
                    failures.append(error)
            self._journal.sweep_pointers()
            if not releasing.is_away:
                OpenWork(self._data_dir, session, self._settle).work_off()
            self.calls += session.calls
        if failures:
            raise failures[0]

    def why_not_available(self, config: WhereaboutsConfig) -> str:
        from ipam.whereabouts.cluster.availability import why_not_available

        with Session(CHECK_SECONDS, self._environment) as session:
            why = why_not_available(session, config, self._journal)
            self.calls += session.calls
        if not why:
            self._work_aside()
        return why

    def work_off(self, limit: int = 0) -> list[str]:
        """Do the open work of the journal; what could not be done, a sentence each."""
        with Session(GC_SECONDS, self._environment) as session:
            work = OpenWork(self._data_dir, session, self._settle)
            work.work_off(limit)
            return work.failures

    def _releasing(self, session: Session) -> Releasing:
        from ipam.whereabouts.cluster.releasing import Releasing

        work = OpenWork(self._data_dir, session, self._settle)
        return Releasing(self._journal, work, session.deadline.left())

    def _work_aside(self, *, without: str = "") -> None:
        """A few pieces of open work; that they fail does not concern the request."""
        if not self._journal.todo():
            return
        with Session(ASIDE_SECONDS, self._environment) as session:
            try:
                OpenWork(self._data_dir, session, self._settle).work_off(ASIDE, without=without)
            except CniError:
                return

    def _effort(self, session: Session, key: str) -> Callable[[], bool]:
        def effort() -> bool:
            work = OpenWork(self._data_dir, session, self._settle)
            work.work_off(without=key)
            return work.done > 0

        return effort

    def _note_todo(self, key: str) -> Callable[[], None]:
        return lambda: self._journal.note_todo(key)


def _collect(releasing: Releasing, locked: Locked, network: str, is_valid: Callable[[Attachment], bool]) -> None:
    record = locked.record
    if record is None or record.state == RELEASED:
        return
    attachment = record.holder.attachment
    if attachment.network == network and not is_valid(attachment):
        releasing.give_back(locked, record)
