"""What is to be done about addresses that nobody has, and records that contradict each other; it does none of it."""

from __future__ import annotations

from cni_multus.cni.addressing import Ip
from ipam.whereabouts.cluster.evidence import FREE, KEEP, UNSURE, Hold, elsewhere, judge
from ipam.whereabouts.cluster.naming import label_value, parse_address, reservation_name
from ipam.whereabouts.cluster.slicing import LEAVING, overlap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.whereabouts.cluster.evidence import World
    from ipam.whereabouts.cluster.ledger import Allocation, Ledger, SeenPool, SeenSlices
    from ipam.whereabouts.cluster.reservations import Reservation
    from ipam.whereabouts.cluster.slicing import Entry

FREED = "free"
UNRESERVED = "remove reservation"
RESERVED = "restore reservation"
RECORDED = "restore allocation"
UNSLICED = "free slice"
WAITS = "wait"
CONTRADICTS = "look at"
"""What a step does; the last two do nothing: time will tell, or people have to."""


class Step:
    """One thing to do, about an allocation, a reservation, or a member of a NodeSlicePool."""

    __slots__ = ("allocation", "does", "entry", "ip", "pool", "reservation", "slices", "why")

    def __init__(self, does: str, why: str) -> None:
        self.does = does
        self.why = why
        self.pool: SeenPool | None = None
        self.ip: Ip | None = None
        self.allocation: Allocation | None = None
        self.reservation: Reservation | None = None
        self.slices: SeenSlices | None = None
        self.entry: Entry | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """The same in two looks only if the same is to be done about the same records of the same holders."""
        found = [self.does, self.pool.name if self.pool else ""]
        if self.allocation:
            found += [self.allocation.key, self.allocation.id, self.allocation.podref, self.allocation.ifname]
        if self.reservation:
            found.append(self.reservation.uid)
        if self.slices and self.entry:
            found += [self.slices.name, self.entry.text, self.entry.node]
        return tuple(found)

    def to_json(self) -> dict[str, str]:
        """What people are told."""
        holder = self.allocation or self.reservation
        container = self.allocation.id if self.allocation else self.reservation.container if self.reservation else ""
        address = str(self.ip) if self.ip else self.allocation.key if self.allocation else ""
        node = self.reservation.node if self.reservation else ""
        where = self.pool.name if self.pool else self.slices.name if self.slices else ""
        told = {
            "action": self.does,
            "address": self.entry.text
            if self.entry
            else address or (self.reservation.name if self.reservation else ""),
            "pool": where,
            "pod": holder.podref if holder else "",
            "interface": holder.ifname if holder else "",
            "container": container,
            "node": self.entry.node if self.entry else node,
            "why": self.why,
        }
        return {key: value for key, value in told.items() if value}


def plan(ledger: Ledger, world: World, lost_after: float = 0.0) -> list[Step]:
    """Everything that is to be done, or to be told, by what both show."""
    steps = [step for pool in ledger.pools for step in _of_pool(pool, world, lost_after)]
    foreign = {one.foreign.uid for one in ledger.allocations() if one.foreign}
    for reservation in ledger.lonely:
        if reservation.uid not in foreign:
            steps += _of_lonely(reservation, ledger, world, lost_after)
    for slices in ledger.slices:
        steps += _of_slices(slices, ledger, world)
    return steps


def doubled(ledger: Ledger) -> set[str]:
    """The pods whose own word matters: two addresses of one pool on an interface, or a reservation without entry."""
    found = {reservation.podref for reservation in ledger.lonely}
    for pool in ledger.pools:
        for same in _groups(pool).values():
            if len(same) > 1:
                found.add(same[0].podref)
    return found


def _of_pool(pool: SeenPool, world: World, lost_after: float) -> Iterator[Step]:
    if pool.base is None or pool.base.ip.number != pool.base.first:
        step = Step(CONTRADICTS, f"spec.range is {pool.range!r}, not the address of a network: peers count differently")
        step.pool = pool
        yield step
    groups = _groups(pool)
    name = pool.network_name
    for allocation in pool.allocations:
        verdict = judge(allocation.hold(), world, lost_after)
        same = groups[allocation.podref, allocation.ifname]
        if verdict.decision == KEEP and len(same) > 1 and allocation.ip and allocation.podref in world.pods:
            others = [other.ip for other in same if other.ip]
            verdict = elsewhere(allocation.ip, others, allocation.ifname, world.pods[allocation.podref]) or verdict
        if verdict.decision == KEEP:
            yield from _of_living(allocation, name, world, lost_after)
        else:
            yield _step(FREED if verdict.decision == FREE else WAITS, verdict.why, allocation)


def _of_living(allocation: Allocation, name: str | None, world: World, lost_after: float) -> Iterator[Step]:
    """What is wrong with the records of somebody who has the address."""
    if allocation.ip is None:
        yield _step(CONTRADICTS, f"{allocation.key!r} is no address of {allocation.pool.range}", allocation)
    elif allocation.foreign:
        yield from _of_rivals(allocation, allocation.foreign, world, lost_after)
    elif allocation.reservation is None and name is not None and _exists(allocation, world):
        yield _step(RESERVED, "others of the pool have reservations", allocation)


def _of_rivals(allocation: Allocation, foreign: Reservation, world: World, lost_after: float) -> Iterator[Step]:
    verdict = judge(_hold(foreign), world, lost_after)
    if verdict.decision == FREE:
        step = _step(UNRESERVED, f"it is of {foreign}: {verdict.why}", None)
        step.reservation, step.pool, step.ip = foreign, allocation.pool, allocation.ip
        yield step
        if _exists(allocation, world):
            yield _step(RESERVED, f"{foreign.podref} had reserved it", allocation)
        return
    why = f"the pool says {allocation.podref} ({allocation.ifname}), and the reservation {foreign}"
    yield _step(WAITS if verdict.decision == UNSURE else CONTRADICTS, why, allocation)


def _of_lonely(reservation: Reservation, ledger: Ledger, world: World, lost_after: float) -> Iterator[Step]:
    verdict = judge(_hold(reservation), world, lost_after)
    does = {FREE: UNRESERVED, UNSURE: WAITS, KEEP: CONTRADICTS}[verdict.decision]
    step = Step(does, verdict.why if does != CONTRADICTS else f"no pool has the address, and {verdict.why}")
    step.reservation = reservation
    places = list(_places(reservation, ledger)) if does == CONTRADICTS else []
    if len(places) == 1:
        step.pool, step.ip = places[0]
        pod = world.pods.get(reservation.podref)
        shown = pod.addresses.get(reservation.ifname, ()) if pod and pod.running and not pod.deleting else ()
        if step.ip in shown and reservation.container:
            step.does, step.why = RECORDED, "no pool has the address, and the pod shows that it does"
    yield step


def _places(reservation: Reservation, ledger: Ledger) -> Iterator[tuple[SeenPool, Ip]]:
    """The pools that the address of a reservation may be of."""
    for pool in ledger.pools:
        for prefix in pool.prefixes:
            text = reservation.name.removeprefix(f"{prefix}-") if prefix else reservation.name
            ip = parse_address(text)
            if ip and pool.base and pool.base.contains(ip) and reservation_name(prefix, ip) == reservation.name:
                yield pool, ip
                break


def _of_slices(slices: SeenSlices, ledger: Ledger, world: World) -> Iterator[Step]:
    seen: list[Entry] = []
    for entry in slices.slicing.entries:
        if not entry.node:
            continue
        rival = next((one for one in seen if entry.slice and one.slice and overlap(entry.slice, one.slice)), None)
        seen.append(entry)
        if rival:
            yield _slice_step(CONTRADICTS, f"node {rival.node} has {rival.text}", slices, entry)
        elif why := _why_not_needed(entry, slices, world):
            node = entry.node.removesuffix(LEAVING)
            pools = [pool for pool in ledger.pools if pool.node == node and pool.base == entry.slice]
            if not any(pool.allocations for pool in pools):
                yield _slice_step(UNSLICED, why, slices, entry)


def _why_not_needed(entry: Entry, slices: SeenSlices, world: World) -> str:
    """Why a node has no use for its slice, "" where it may have one."""
    if entry.node.endswith(LEAVING):
        return "freeing it was begun"
    if label_value(entry.node) not in world.nodes:
        return f"there is no node {entry.node}"
    own = [one for one in slices.slicing.entries if one.node == entry.node and slices.slicing.is_current(one)]
    if own and not slices.slicing.is_current(entry):
        return f"the range or the size was edited, and the node has {own[0].text}"
    return ""


def _groups(pool: SeenPool) -> dict[tuple[str, str], list[Allocation]]:
    found: dict[tuple[str, str], list[Allocation]] = {}
    for allocation in pool.allocations:
        found.setdefault((allocation.podref, allocation.ifname), []).append(allocation)
    return found


def _exists(allocation: Allocation, world: World) -> bool:
    """Whether there is somebody to have it: a pod that nobody deletes, or a claim."""
    pod = world.pods.get(allocation.podref)
    return (pod is not None and not pod.deleting) or world.claims.get(allocation.podref) == allocation.id


def _hold(reservation: Reservation) -> Hold:
    lease = reservation.holder
    return Hold(
        reservation.podref,
        reservation.ifname,
        reservation.container,
        uid=reservation.pod_uid,
        node=reservation.node,
        claim=lease.holder.claim if lease else "",
    )


def _step(does: str, why: str, allocation: Allocation | None) -> Step:
    step = Step(does, why)
    step.allocation = allocation
    if allocation:
        step.pool, step.ip, step.reservation = allocation.pool, allocation.ip, allocation.reservation
    return step


def _slice_step(does: str, why: str, slices: SeenSlices, entry: Entry) -> Step:
    step = Step(does, why)
    step.slices, step.entry = slices, entry
    return step
