"""One address of every pool for one holder, all of them or none: what an ADD is, under the lock of the holder's record.

The journal says what may be taken before the API is asked for it, so that whoever comes after a crash knows where to
look: the runtime's DEL, GC, or the next ADD for the holder.
"""

from __future__ import annotations

from cni_multus.cni.errors import CniError, InvalidNetworkConfig, TryAgainLater, note_leftovers
from cni_multus.kube.errors import Unavailable, Unprocessable
from cni_multus.state.leases.lease import HELD, PENDING, RELEASED
from ipam.whereabouts.cluster.entry import Entry
from ipam.whereabouts.cluster.finding import Finding
from ipam.whereabouts.cluster.giving import give_back, unreserve
from ipam.whereabouts.cluster.keeping import kept
from ipam.whereabouts.cluster.naming import podref
from ipam.whereabouts.cluster.record import Record
from ipam.whereabouts.cluster.seen import note_free
from ipam.whereabouts.cluster.session import namespace_of, place, places
from ipam.whereabouts.cluster.taking import Taking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.addressing import Cidr, Ip
    from cni_multus.kube.client import Client
    from cni_multus.state.leases.lease import Holder
    from ipam.whereabouts.cluster.claims import Claim
    from ipam.whereabouts.cluster.journal import Locked
    from ipam.whereabouts.cluster.pools import Place
    from ipam.whereabouts.cluster.record import Take
    from ipam.whereabouts.cluster.session import Session
    from ipam.whereabouts.config import WhereaboutsConfig


class Acquisition:
    """The work of one ADD. `last_effort` may make addresses free when there are none."""

    def __init__(
        self,
        session: Session,
        config: WhereaboutsConfig,
        holder: Holder,
        locked: Locked,
        note_todo: Callable[[], None],
        last_effort: Callable[[], bool],
    ) -> None:
        assert config.cluster
        self._session = session
        self._config = config
        self._holder = holder
        self._locked = locked
        self._note_todo = note_todo
        self._last_effort = last_effort
        self._client: Client = session.client(config.cluster.kubeconfig)
        self._places = places(self._client, config)
        self._claim = self._find_claim()
        self._old = locked.record
        self._record = self._new_record()
        self._kept: list[Take | None] = kept(self._old, self._places)
        self._taking = Taking(self._client, config.data_dir, self._record, self._note_doubt)
        self._taking.relocate = self._relocate
        self._done: list[Take] = []
        self._fresh: list[Take] = []
        """What the holder did not have before, as far as anybody knew."""

    def run(self) -> list[Cidr]:
        """The addresses, in the order of the pools."""
        try:
            self._begin()
            for at, where in enumerate(self._places):
                self._done.append(self._one(at, where))
            self._give_back_surplus()
            if self._claim:
                self._claim.record(self._client, [take.address for take in self._done])
            self._record.takes = list(self._done)
            self._record.state = HELD
            self._locked.write(self._record, durable=False)
        except CniError as error:
            self._take_back(error)
            raise
        return [take.address for take in self._done]

    def _new_record(self) -> Record:
        assert self._config.cluster
        entry = Entry(self._holder.attachment.container_id, podref(self._holder), self._holder.attachment.ifname)
        if self._claim:
            entry = Entry(self._claim.uid, self._claim.ref, self._holder.attachment.ifname)
        kubeconfig = self._config.cluster.kubeconfig
        record = Record(self._holder, entry, kubeconfig=kubeconfig, namespace=namespace_of(self._client, self._config))
        record.network_name, record.exclusive = self._config.network_name, self._config.exclusive
        record.cool_down = self._config.cool_down
        if self._old:
            record.since = self._old.since
            record.previous = tuple(each for each in dict.fromkeys(self._old.ids) if each != record.id)[:4]
            record.doubt = self._old.settles_at(0.0)
        return record

    def _begin(self) -> None:
        """Say in the journal what the holder had before: it is this container's from now on, or given back."""
        self._record.takes = list(self._old.takes) if self._old and not self._old.look else []
        if self._record.takes:
            self._locked.write(self._record)

    def _one(self, at: int, where: Place) -> Take:
        wanted = self._config.wanted[at]
        before = self._kept[at]
        if before and wanted and wanted.firmly and wanted.ip != before.address.ip:
            before = self._kept[at] = None
        if before and self._confirm(where, before, self._expected()):
            return before
        wait = self._session.deadline.left()
        finding = Finding(self._client, self._config, where, self._record.entry, self._taking, wait)
        finding.wanted = wanted
        finding.last_effort = self._last_effort
        firm = wanted.ip if wanted and wanted.firmly else None
        return self._adopted(where, finding, firm) or self._found(where, finding)

    def _adopted(self, where: Place, finding: Finding, firm: Ip | None) -> Take | None:
        """What the pod has by the API and not by the journal: its claim's, a peer's, or of a journal that is lost."""
        if self._claim and (ip := self._claim.address_in(where.pool)) and ip not in self._used():
            claimed = finding.take_of(ip)
            if self._confirm(where, claimed, self._record.entry):
                return claimed
            raise self._stolen(where, claimed)
        passed = self._used()
        found = finding.held_already(passed, at_any_price=bool(self._claim or self._locked.damage))
        while found:
            take, entry = found
            if (firm is None or take.address.ip == firm) and self._confirm(where, take, entry):
                return take
            passed.add(take.address.ip)
            found = finding.found_in(self._taking.views.get(where.name), passed)
        return None

    def _stolen(self, where: Place, claimed: Take) -> TryAgainLater:
        assert self._claim
        view = self._taking.views.get(where.name)
        entry = view.entries.get(claimed.offset) if view else None
        return TryAgainLater(
            f"{claimed.address.ip}, which IPAMClaim {self._claim.ref} has by its status, is somebody else's in {where}",
            f"{entry or 'another holder'} has it: who uses it has to be found out, a claim's address is not replaced",
        )

    def _found(self, where: Place, finding: Finding) -> Take:
        while True:
            take = finding.next(self._used())
            self._fresh.append(take)
            self._candidate(take)
            try:
                if self._taking.obtain(where, take, finding.hold_off):
                    return take
            except Unprocessable as error:
                if error.test_failed:
                    raise
                raise InvalidNetworkConfig(f"the API server does not take {where}: {error.said}") from error
            self._record.takes.remove(take)
            self._fresh.remove(take)
            finding.lost(take)

    def _confirm(self, where: Place, take: Take, expected: Entry) -> bool:
        if take not in self._record.takes:
            self._candidate(take)
        return self._taking.confirm(where, take, expected)

    def _expected(self) -> Entry:
        """What the pools say of the holder's addresses, by the journal."""
        return self._old.entry if self._old else self._record.entry

    def _candidate(self, take: Take) -> None:
        """Say in the journal what the API is asked for next."""
        self._record.takes.append(take)
        self._locked.write(self._record)

    def _used(self) -> set[Ip]:
        """What other pools of this ADD have: two of them may be parts of one range."""
        return {take.address.ip for take in (*self._done, *(take for take in self._kept if take))}

    def _give_back_surplus(self) -> None:
        """What the holder had, and is not of these pools, or is not its own any more."""
        for take in [each for each in self._record.takes if each not in self._done]:
            give_back(self._client, self._config.data_dir, self._record, take)

    def _take_back(self, error: CniError) -> None:
        """Leave what was there before; what cannot be given back now is left to do."""
        failures: list[str] = []
        touched = [take for take in self._fresh if take in self._taking.touched]
        left = touched if isinstance(error, Unavailable) else self._try_to_give_back(touched, failures)
        for take in self._fresh:
            if take not in left:
                server = self._client.access.server
                note_free(self._config.data_dir, server, self._record.namespace, take.pool, take.address.ip)
        try:
            self._leave(left)
        except CniError as failure:
            failures.append(failure.message)
        note_leftovers(error, failures)

    def _try_to_give_back(self, takes: list[Take], failures: list[str]) -> list[Take]:
        """Those that are still to be given back."""
        left = []
        for take in takes:
            try:
                if take in self._taking.entered:
                    give_back(self._client, self._config.data_dir, self._record, take)
                else:
                    unreserve(self._client, self._record, take)
            except CniError as failure:
                failures.append(failure.message)
                left.append(take)
                continue
            if self._record.doubt:
                left.append(take)  # what was asked for may be done yet
        return left

    def _leave(self, left: list[Take]) -> None:
        before = [take for take in self._record.takes if take not in self._fresh]
        self._record.takes = [*before, *left]
        if not self._record.takes:
            self._locked.forget()
            return
        self._record.state = PENDING if before else RELEASED
        self._record.cool_down = 0.0
        if self._record.state == RELEASED:
            self._note_todo()
        self._locked.write(self._record)

    def _note_doubt(self) -> None:
        self._record.note_doubt()
        self._locked.write(self._record, durable=False)

    def _relocate(self, where: Place) -> None:
        """The pool of a node's slice is gone: somebody may have freed the slice."""
        pool = next(pool for pool, each in zip(self._config.pools, self._places, strict=True) if each is where)
        if not pool.slice_size:
            return
        now = place(self._client, self._config, pool, fresh=True)
        if now.name != where.name:
            raise TryAgainLater(
                f"this node's slice of {pool.cidr} is {now.base} now, {where.base} was freed; try again"
            )

    def _find_claim(self) -> Claim | None:
        if not self._holder.claim:
            return None
        from ipam.whereabouts.cluster.claims import find_claim

        return find_claim(self._client, self._config, self._holder)
