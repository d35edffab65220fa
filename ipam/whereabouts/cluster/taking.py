"""One address taken: the reservation first, then the entry in the pool. Whatever is lost on the way is looked for.

The reservation is what makes an address one's own over all ranges; peers look for it before they take an address, and
make theirs after it.
"""

from __future__ import annotations

import time

from cni_multus.cni.errors import ApiFailure, TryAgainLater
from cni_multus.kube.errors import AlreadyExists, BadAnswer, NotFound, TooLarge, Unavailable, Unprocessable
from ipam.whereabouts.cluster.entry import Entry
from ipam.whereabouts.cluster.pools import MOST_ENTRIES, create_pool, read_pool, retake, take
from ipam.whereabouts.cluster.reservations import create_reservation, delete_reservation, read_reservation
from ipam.whereabouts.cluster.turns import TO_TAKE, Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.kube.client import Client
    from cni_multus.state.leases.lease import Lease
    from ipam.whereabouts.cluster.pools import Place, PoolView
    from ipam.whereabouts.cluster.record import Record, Take

_ROUNDS = 8
"""How often the pool may change, or be gone, between a look and the change that follows from it."""


class Taking:
    """What one ADD takes; `touched` has each address that the API may know of since."""

    def __init__(self, client: Client, data_dir: str, record: Record, doubt: Callable[[], None]) -> None:
        self._client = client
        self._data_dir = data_dir
        self._record = record
        self._doubt = doubt
        """Called when an answer was missed."""
        self.touched: list[Take] = []
        self.entered: list[Take] = []
        """Of them, what the pools may know of."""
        self.views: dict[str, PoolView | None] = {}
        """Each pool as it was last read."""
        self.texts: dict[str, str] = {}
        """spec.range of each pool, where it is spelt in a way of its own."""
        self.relocate: Callable[[Place], None] | None = None
        """Called before a pool that is gone is made again: raises where the node's slice is another one now."""

    def obtain(self, place: Place, wanted: Take, hold_off: Callable[[float], float]) -> bool:
        """Take an address that seems free; False where it is somebody's.

        `hold_off` says how many seconds it is reserved before it is entered, of how many the reservation took.
        """
        begun = time.monotonic()
        if wanted.reservation and not self._reserve(place, wanted):
            return False
        time.sleep(hold_off(time.monotonic() - begun))
        if self._enter(place, wanted):
            return True
        self._unreserve(place, wanted)
        return False

    def confirm(self, place: Place, held: Take, expected: Entry) -> bool:
        """Take what is the pod's, or may be, for its present container; False where it is somebody else's.

        `expected` is what the pool probably says of it.
        """
        self._touch(held)
        if held.reservation and not self._confirm_reservation(place, held):
            return False
        for _ in range(_ROUNDS):
            try:
                with self._turn(place):
                    self._ask(retake, self._client, place, held.offset, expected, self._record.entry)
                return True
            except NotFound:
                return self._enter(place, held)
            except Unprocessable as error:
                self._require_failed_test(error)
            except _Missed:
                pass
            entry = self.look(place, held)
            if entry == self._record.entry:
                return True
            if entry is None:
                return self._enter(place, held)
            if not entry.is_of(self._record.entry):
                self._unreserve(place, held)
                return False
            expected = entry
        raise _always_changing(place)

    def look(self, place: Place, wanted: Take) -> Entry | None:
        """Who has an address in the pool, as it is now."""
        view = read_pool(self._client, place.namespace, place.name)
        self.note(place, view)
        return view.entries.get(wanted.offset) if view else None

    def note(self, place: Place, view: PoolView | None) -> None:
        """The pool was read; raises where it is of another range than its name says."""
        self.views[place.name] = view
        if view is None:
            return
        if view.base != place.base:
            raise ApiFailure(
                f"{place}: its range is {view.range}, and {place.base} is expected by its name",
                "somebody edited spec.range: put it right, the offsets of all its addresses count from there",
            )
        self.texts[place.name] = view.range

    def _reserve(self, place: Place, wanted: Take) -> bool:
        lease, entry, name = self._lease(wanted), self._record.entry, wanted.reservation
        while True:
            try:
                wanted.uid = self._ask(create_reservation, self._client, place.namespace, name, entry, lease)
            except AlreadyExists:
                pass  # whatever lies between may have asked twice
            except _Missed:
                self._touch(wanted)
            else:
                self._touch(wanted)
                return True
            found = read_reservation(self._client, place.namespace, wanted.reservation)
            if found and wanted not in self.touched:
                if found.container != entry.id or not found.is_of(entry, lease.holder.uid):
                    return False
                self._touch(wanted)
            if found:
                wanted.uid = found.uid if found.is_of(entry, lease.holder.uid) else ""
                return bool(wanted.uid)

    def _confirm_reservation(self, place: Place, held: Take) -> bool:
        found = read_reservation(self._client, place.namespace, held.reservation)
        if found is None:
            return self._reserve(place, held)
        held.uid = found.uid if found.is_of(self._record.entry, self._record.holder.uid) else ""
        return bool(held.uid)

    def _enter(self, place: Place, wanted: Take) -> bool:
        """Write the entry; False where another one stands there."""
        entry = self._record.entry
        for _ in range(_ROUNDS):
            try:
                with self._turn(place):
                    self._ask(take, self._client, place, wanted.offset, entry, self.texts.get(place.name, ""))
            except NotFound:
                if self._create(place, wanted):
                    return True
                continue
            except Unprocessable as error:
                self._require_failed_test(error)
            except _Missed:
                self._touch_pool(wanted)
            except TooLarge as error:
                raise _full(place, error.message) from error
            else:
                self._touch_pool(wanted)
                return True
            stands = self.look(place, wanted)
            if stands:
                return stands == entry
        raise _always_changing(place)

    def _create(self, place: Place, wanted: Take) -> bool:
        if self.relocate:
            self.relocate(place)
        try:
            self._ask(create_pool, self._client, place, {wanted.offset: self._record.entry})
        except AlreadyExists:
            return False
        except _Missed:
            self._touch_pool(wanted)
            return False
        self._touch_pool(wanted)
        return True

    def _unreserve(self, place: Place, wanted: Take) -> None:
        if wanted.uid:
            delete_reservation(self._client, place.namespace, wanted.reservation, wanted.uid)
            wanted.uid = ""

    def _ask(self, change: Callable[..., str | None], *arguments: object) -> str:
        """Ask for a change; raises _Missed where nobody knows whether it was made."""
        try:
            return change(*arguments) or ""
        except (Unavailable, BadAnswer) as error:
            if not error.ambiguous:
                raise
            self._doubt()
            raise _Missed(error.message, error.details) from error

    def _turn(self, place: Place) -> Turn:
        return Turn(self._data_dir, place.name, TO_TAKE)

    def _touch(self, wanted: Take) -> None:
        if wanted not in self.touched:
            self.touched.append(wanted)

    def _touch_pool(self, wanted: Take) -> None:
        self._touch(wanted)
        self.entered.append(wanted)

    def _lease(self, wanted: Take) -> Lease:
        from cni_multus.state.leases.lease import Lease

        return Lease(self._record.holder, [wanted.address], self._record.since)

    def _require_failed_test(self, error: Unprocessable) -> None:
        if not error.test_failed:
            raise error


class _Missed(TryAgainLater):
    """The answer to a change was missed."""


def require_room(place: Place, view: PoolView | None) -> None:
    """Raise where the pool has as many entries as an object can have, with a margin for the last ones."""
    if view and len(view.entries) >= MOST_ENTRIES:
        raise _full(place, f"it has {len(view.entries)} entries")


def _full(place: Place, why: str) -> TryAgainLater:
    return TryAgainLater(
        f"{place} cannot take another address: {why}",
        f"the API server's store limits the size of an object, here to about {MOST_ENTRIES} addresses: "
        "use several ranges, or node_slice_size",
    )


def _always_changing(place: Place) -> TryAgainLater:
    return TryAgainLater(f"{place} was always changed, or removed, between a look and the next step; try again")
