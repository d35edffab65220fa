"""Carry out steps, each guarded by what it was decided on: where the record is another one by now, nothing is done."""

from __future__ import annotations

import time

from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Attachment
from cni_multus.kube.errors import AlreadyExists, Conflict, NotFound, Unavailable, Unprocessable
from cni_multus.kube.objects import IP_POOLS, PODS, pointer
from cni_multus.state.leases.lease import Holder, Lease
from ipam.whereabouts.cluster.entry import Entry
from ipam.whereabouts.cluster.ledger import read_seen
from ipam.whereabouts.cluster.naming import reservation_name
from ipam.whereabouts.cluster.observing import uids_of
from ipam.whereabouts.cluster.planning import FREED, RECORDED, RESERVED, UNRESERVED, UNSLICED
from ipam.whereabouts.cluster.pools import Place, take
from ipam.whereabouts.cluster.reservations import create_reservation, delete_reservation
from ipam.whereabouts.cluster.unslicing import free_slice
from ipam.whereabouts.pool import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cni_multus.kube.client import Client
    from ipam.whereabouts.cluster.ledger import Allocation
    from ipam.whereabouts.cluster.planning import Step

AT_ONCE = 250
"""Allocations of one patch: each takes four operations, and the API server takes 10 000."""

LOOKS = 3
"""So many times a pool is read again whose entries have changed."""

CHANGED = "it changed meanwhile"


class Mending:
    """The work on one namespace. `done`, `passed` and `failed` say of each step what became of it."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self.done: list[Step] = []
        self.passed: list[tuple[Step, str]] = []
        """Nothing was done, and why: somebody else was faster."""
        self.failed: list[tuple[Step, str]] = []

    def carry_out(self, steps: Sequence[Step]) -> None:
        """All of them, those that free first; one that fails stops no other."""
        pools: dict[str, list[Step]] = {}
        for step in steps:
            if step.does == FREED and step.pool:
                pools.setdefault(step.pool.name, []).append(step)
        for name, of_pool in pools.items():
            for at in range(0, len(of_pool), AT_ONCE):
                self._free(name, of_pool[at : at + AT_ONCE])
        for does, work in (
            (UNRESERVED, self._unreserve),
            (RESERVED, self._reserve),
            (RECORDED, self._record),
            (UNSLICED, self._unslice),
        ):
            for step in steps:
                if step.does == does:
                    self._try(step, work)

    def _try(self, step: Step, work: Callable[[Step], bool]) -> None:
        try:
            if work(step):
                self.done.append(step)
            else:
                self.passed.append((step, CHANGED))
        except CniError as error:
            self.failed.append((step, error.message))

    def _free(self, name: str, steps: Sequence[Step]) -> None:
        """Drop entries, then their reservations: what is left by a crash in between is found the next time."""
        try:
            freed = self._drop(name, list(steps))
        except CniError as error:
            self.failed += [(step, error.message) for step in steps]
            return
        for step in freed:
            if step.reservation is None:
                self.done.append(step)
            else:
                self._try(step, self._unreserve_own)

    def _drop(self, name: str, steps: list[Step]) -> list[Step]:
        """Those of the steps whose entries are not in the pool any more; the others are passed over."""
        freed: list[Step] = []
        lost: Unavailable | None = None
        path = IP_POOLS.path(self._namespace, name)
        for _ in range(LOOKS):
            operations = [one for step in steps if step.allocation for one in _dropping(step.allocation)]
            try:
                self._client.patch(path, operations, metadata_only=True)
                return freed + steps
            except Unprocessable as error:
                if not error.test_failed:
                    raise
                lost = None
            except NotFound:
                return freed + steps
            except Unavailable as error:
                if not error.ambiguous:
                    raise
                lost = error
            gone, steps = self._look_again(name, steps)
            freed += gone
            if not steps:
                return freed
        if lost:
            self.failed += [(step, lost.message) for step in steps]
        else:
            self.passed += [(step, CHANGED) for step in steps]
        return freed

    def _look_again(self, name: str, steps: Sequence[Step]) -> tuple[list[Step], list[Step]]:
        """Which entries are gone, and which are still as they were."""
        try:
            now = read_seen(self._client.get(IP_POOLS.path(self._namespace, name)), ())
        except NotFound:
            return list(steps), []
        entries = {each.key: each for each in now.allocations}
        gone, same = [], []
        for step in steps:
            if step.allocation is None or step.allocation.key not in entries:
                gone.append(step)
            elif _is_same(step.allocation, entries[step.allocation.key]):
                same.append(step)
            else:
                self.passed.append((step, CHANGED))
        return gone, same

    def _unreserve_own(self, step: Step) -> bool:
        self._unreserve(step)
        return True  # the address is free either way: the reservation that was its own is gone

    def _unreserve(self, step: Step) -> bool:
        if step.reservation is None:
            return False
        try:
            return delete_reservation(self._client, self._namespace, step.reservation.name, step.reservation.uid)
        except Conflict:
            return False

    def _reserve(self, step: Step) -> bool:
        """Make the reservation that an allocation lacks."""
        allocation = step.allocation
        if allocation is None or allocation.ip is None:
            return False
        prefix = allocation.pool.network_name or ""
        name = allocation.foreign.name if allocation.foreign else reservation_name(prefix, allocation.ip)
        holder = self._holder(allocation)
        if holder is None:
            return False
        entry = Entry(allocation.id, allocation.podref, allocation.ifname)
        try:
            create_reservation(self._client, self._namespace, name, entry, Lease(holder, (), time.time()))
        except AlreadyExists:
            return False
        return True

    def _holder(self, allocation: Allocation) -> Holder | None:
        """Who has it, with what the API server knows of the pod; None where there is no such pod any more."""
        attachment = Attachment("", allocation.id, allocation.ifname)
        namespace, _, name = allocation.podref.partition("/")
        try:
            document = self._client.get(PODS.path(namespace, name))
        except NotFound:
            return Holder(attachment, claim=allocation.podref)
        spec = document.get("spec")
        node = spec.get("nodeName") if isinstance(spec, dict) else ""
        uids = uids_of(document)
        return Holder(attachment, pod=allocation.podref, uid=uids[-1] if uids else "", node=str(node or ""))

    def _record(self, step: Step) -> bool:
        """Make the allocation that a reservation lacks."""
        pool, reservation = step.pool, step.reservation
        if pool is None or pool.base is None or reservation is None or step.ip is None:
            return False
        place = Place(self._namespace, pool.name, pool.base, Pool(pool.base, pool.base.first, pool.base.last))
        entry = Entry(reservation.container, reservation.podref, reservation.ifname)
        try:
            take(self._client, place, step.ip.number - pool.base.ip.number, entry, pool.range)
        except Unprocessable as error:
            if not error.test_failed:
                raise
            return False
        return True

    def _unslice(self, step: Step) -> bool:
        if step.slices is None or step.entry is None:
            return False
        return free_slice(self._client, self._namespace, step.slices.name, step.entry)


def _dropping(allocation: Allocation) -> list[dict[str, object]]:
    at = pointer("spec", "allocations", allocation.key)
    told = {"id": allocation.id, "podref": allocation.podref, "ifname": allocation.ifname}
    operations: list[dict[str, object]] = [
        {"op": "test", "path": f"{at}/{member}", "value": value}
        for member, value in told.items()
        if value or member != "ifname"  # very old peers wrote no interface
    ]
    return [*operations, {"op": "remove", "path": at}]


def _is_same(one: Allocation, other: Allocation) -> bool:
    return (one.id, one.podref, one.ifname) == (other.id, other.podref, other.ifname)
