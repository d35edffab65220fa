"""What a namespace's objects say of addresses: allocations, and the reservation that belongs to each; it judges nobody.

A reservation is found by its name, which is made of the address and of the network_name. That one stands in no object
of Whereabouts: it is what the name of an IPPool has before the range and, of a slice, before the node.
"""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.kube.errors import NotServed
from cni_multus.kube.objects import IP_POOLS, RESERVATIONS, SLICE_POOLS
from ipam.whereabouts.cluster.evidence import Hold
from ipam.whereabouts.cluster.naming import parse_key, pool_name, reservation_name
from ipam.whereabouts.cluster.reservations import Reservation
from ipam.whereabouts.cluster.slicing import LEAVING, Slicing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cni_multus.kube.client import Client

POOLS_AT_ONCE = 10
"""A full pool has a megabyte."""


class Allocation:
    """An entry of a pool: `key` as it stands there, `ip` None where that is no address of the range.

    `reservation` is its own, `foreign` one of the same address that somebody else has.
    """

    __slots__ = ("foreign", "id", "ifname", "ip", "key", "podref", "pool", "reservation")

    def __init__(self, pool: SeenPool, key: str, value: object) -> None:
        entry = value if isinstance(value, dict) else {}
        told = [entry.get(member) for member in ("id", "podref", "ifname")]
        self.pool = pool
        self.key = key
        self.ip = pool.ip(key)
        self.id, self.podref, self.ifname = (member if isinstance(member, str) else "" for member in told)
        self.reservation: Reservation | None = None
        self.foreign: Reservation | None = None

    def hold(self) -> Hold:
        """What it, and its reservation, say of its holder."""
        known = self.reservation
        if known is None:
            return Hold(self.podref, self.ifname, self.id, node=self.pool.node)
        lease = known.holder
        # A peer gives a pod's address to the next pod of that name without a word to the reservation.
        same = self.id == known.container
        return Hold(
            self.podref,
            self.ifname,
            self.id,
            uid=known.pod_uid if same else "",
            node=known.node or self.pool.node,
            claim=lease.holder.claim if lease and same else "",
        )


class SeenPool:
    """An IPPool; `prefixes` are the network_names that it may be of, `node` whose slice it is, "" where it is none."""

    __slots__ = ("allocations", "base", "name", "node", "prefixes", "range")

    def __init__(self, name: str, range_: str, prefixes: Iterable[str] = (), node: str = "") -> None:
        self.name = name
        self.range = range_
        self.base = _cidr(range_)
        self.prefixes = tuple(prefixes)
        self.node = node
        self.allocations: list[Allocation] = []

    def ip(self, key: str) -> Ip | None:
        """The address of a key, None for one that the range does not have."""
        offset = parse_key(key)
        if self.base is None or offset is None:
            return None
        number = self.base.ip.number + offset
        return Ip(self.base.family, number) if self.base.first <= number <= self.base.last else None

    @property
    def network_name(self) -> str | None:
        """Whose reservations are of its addresses; None where none is: then nobody knows whether there should be."""
        for allocation in self.allocations:
            if allocation.reservation and allocation.ip:
                for prefix in self.prefixes:
                    if reservation_name(prefix, allocation.ip) == allocation.reservation.name:
                        return prefix
        return None


class SeenSlices:
    """A NodeSlicePool."""

    __slots__ = ("name", "slicing")

    def __init__(self, name: str, slicing: Slicing) -> None:
        self.name = name
        self.slicing = slicing


class Ledger:
    """Everything of a namespace, in an order that makes sense: what is read later is newer."""

    __slots__ = ("lonely", "pools", "reservations", "slices")

    def __init__(self) -> None:
        self.slices: list[SeenSlices] = []
        self.pools: list[SeenPool] = []
        self.reservations: dict[str, Reservation] = {}
        self.lonely: list[Reservation] = []
        """Reservations that belong to no allocation."""

    def allocations(self) -> Iterator[Allocation]:
        """Of all pools."""
        for pool in self.pools:
            yield from pool.allocations

    def podrefs(self) -> set[str]:
        """Everybody who is named."""
        return {one.podref for one in self.allocations()} | {one.podref for one in self.reservations.values()}

    def pair(self) -> None:
        """Find each allocation's reservation; what is left over is lonely, or a foreign one of somebody else's."""
        used = set()
        for allocation in self.allocations():
            if allocation.ip is None:
                continue
            names = (reservation_name(prefix, allocation.ip) for prefix in allocation.pool.prefixes)
            found = [self.reservations[name] for name in names if name in self.reservations]
            allocation.reservation = next((one for one in found if _is_of(one, allocation)), None)
            if allocation.reservation:
                used.add(allocation.reservation.name)
            elif found:
                allocation.foreign = found[0]
        self.lonely = [one for name, one in self.reservations.items() if name not in used]


def read_ledger(client: Client, namespace: str) -> Ledger:
    """List slices, pools, then reservations: an ADD writes in the other order, so what it wrote is not missed."""
    ledger = Ledger()
    try:
        for document in client.list(SLICE_POOLS.path(namespace)):
            ledger.slices.append(SeenSlices(_name(document), Slicing.parse(document)))
    except NotServed:
        pass  # a cluster may have no slices
    for document in client.list(IP_POOLS.path(namespace), limit=POOLS_AT_ONCE):
        ledger.pools.append(read_seen(document, ledger.slices))
    for document in client.list(RESERVATIONS.path(namespace)):
        reservation = Reservation.parse(document)
        ledger.reservations[reservation.name] = reservation
    ledger.pair()
    return ledger


def read_seen(document: dict[str, object], slices: Iterable[SeenSlices]) -> SeenPool:
    """An IPPool, whatever it says."""
    spec = document.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    name, range_ = _name(document), str(spec.get("range", ""))
    pool = SeenPool(name, range_, *_origin(name, _cidr(range_), slices))
    allocations = spec.get("allocations")
    if isinstance(allocations, dict):
        pool.allocations = [Allocation(pool, key, value) for key, value in allocations.items()]
    return pool


def _origin(name: str, base: Cidr | None, slices: Iterable[SeenSlices]) -> tuple[list[str], str]:
    """The network_names that a pool may be of, the likeliest first, and the node whose slice it is."""
    if base is None:
        return [], ""
    plain = pool_name("", base)
    if name != plain and not name.endswith(f"-{plain}"):
        return [], ""
    before = name.removesuffix(plain).removesuffix("-")
    for pool in slices:
        for entry in pool.slicing.entries:
            node = entry.node.removesuffix(LEAVING)
            if entry.slice == base and node and (before == node or before.endswith(f"-{node}")):
                return [before.removesuffix(node).removesuffix("-"), before], node
    return [before], ""


def _is_of(reservation: Reservation, allocation: Allocation) -> bool:
    """Whether they name the same holder; very old peers wrote no interface."""
    if reservation.podref != allocation.podref:
        return False
    return not reservation.ifname or not allocation.ifname or reservation.ifname == allocation.ifname


def _name(document: dict[str, object]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _cidr(text: str) -> Cidr | None:
    try:
        return Cidr.parse(text)
    except ValueError:
        return None
