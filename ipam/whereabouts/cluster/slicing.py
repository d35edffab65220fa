"""A NodeSlicePool as a value: which slices of a range nodes have, and which ones are free; it asks nobody anything.

What nodes have is never moved: where the range or the size of a slice was edited, their slices stay in the list as
they are, and free ones are only offered beside them. So whatever two configurations say, no address is in two slices.
"""

from __future__ import annotations

from cni_multus.cni.addressing import BITS, Cidr, Ip
from ipam.whereabouts.pool import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FULL = 1024
"""Up to so many slices the list has all of them, as the peers' has."""

SPARE = 64
"""Of more than that the list has those that nodes have, and so many free ones: one with 65 536 exceeds 1.5 MB."""

LEAVING = " (leaving)"
"""What stands after a node's name while its slice is taken from it; no Node can be called so."""


class Entry:
    """A member of `status.allocations`: a slice (None: not a prefix) and its node, "" while nobody has it."""

    __slots__ = ("node", "slice", "text")

    def __init__(self, node: str, text: str) -> None:
        self.node = node
        self.text = text
        self.slice = _cidr(text)

    def to_json(self) -> dict[str, str]:
        """As it stands in the list."""
        return {"nodeName": self.node, "sliceRange": self.text}


class Slicing:
    """What a NodeSlicePool says, in its order."""

    __slots__ = ("entries", "range", "size")

    def __init__(self, entries: Sequence[Entry] = (), range_: str = "", size: str = "") -> None:
        self.entries = list(entries)
        self.range = range_
        self.size = size

    @staticmethod
    def parse(document: dict[str, object]) -> Slicing:
        """Read an object of the API; members that are none are passed over."""
        spec, status = _object(document.get("spec")), _object(document.get("status"))
        members = status.get("allocations")
        entries = [
            Entry(str(member.get("nodeName") or ""), str(member.get("sliceRange") or ""))
            for member in (members if isinstance(members, list) else [])
            if isinstance(member, dict)
        ]
        return Slicing(entries, str(spec.get("range") or ""), str(spec.get("sliceSize") or ""))

    def says(self, pool: Pool) -> bool:
        """Whether range and size are those that the pool is configured with."""
        return self.range == str(pool.cidr) and self.size.lstrip("/") == str(pool.slice_size)

    def is_current(self, entry: Entry) -> bool:
        """Whether a member is a slice as range and size say: others are from before these were edited."""
        range_ = _cidr(self.range)
        if entry.slice is None or range_ is None:
            return False
        return range_.contains(entry.slice.ip) and str(entry.slice.prefix) == self.size.lstrip("/")

    def find_own(self, node: str, pool: Pool) -> Cidr | None:
        """The slice of `pool` that the node has; one that an earlier member gives to another node is not its."""
        others: list[Cidr] = []
        for entry in self.entries:
            if entry.slice is None or not entry.node:
                continue
            if entry.node != node:
                others.append(entry.slice)
            elif fits(entry.slice, pool) and not any(overlap(entry.slice, other) for other in others):
                return entry.slice
        return None

    def free(self, pool: Pool) -> list[int]:
        """The members, by their places, that a node may take for `pool`."""
        taken = self._taken()
        return [
            at
            for at, entry in enumerate(self.entries)
            if not entry.node and entry.slice is not None and fits(entry.slice, pool) and not taken.has(entry.slice)
        ]

    def refilled(self, pool: Pool) -> Slicing:
        """The list for what `pool` is configured with: the slices that nodes have, and free ones, in their order."""
        kept = [entry for entry in self.entries if entry.node]
        total = 1 << pool.slice_size - pool.cidr.prefix
        spare = total if total <= FULL else SPARE
        new = [Entry("", str(cidr)) for cidr, _ in zip(self._unclaimed(pool), range(spare), strict=False)]
        return Slicing(sorted(kept + new, key=_place), str(pool.cidr), f"/{pool.slice_size}")

    def holders(self, pool: Pool) -> list[Entry]:
        """Which nodes have slices in the pool's range."""
        return [entry for entry in self.entries if entry.node and entry.slice and overlap(entry.slice, pool.cidr)]

    def _unclaimed(self, pool: Pool) -> Iterator[Cidr]:
        taken = self._taken()
        length = 1 << BITS[pool.family] - pool.slice_size
        done = -1
        for low, high in pool.spans:
            first = max(low - low % length, done)
            while first <= high:
                candidate = Cidr(Ip(pool.family, first), pool.slice_size)
                until = taken.until(candidate)
                if until is None and fits(candidate, pool):
                    yield candidate
                first = first + length if until is None else until + length - until % length
                done = first

    def _taken(self) -> _Taken:
        return _Taken([entry.slice for entry in self.entries if entry.node and entry.slice])


class _Taken:
    """Slices that nodes have, found without looking at each."""

    __slots__ = ("_at", "_first", "_last", "_sorted")

    def __init__(self, slices: Sequence[Cidr]) -> None:
        self._sorted = sorted(slices, key=lambda each: (each.family, each.first, -each.last))
        self._first = [(each.family, each.first) for each in self._sorted]
        self._last: list[tuple[int, int]] = []
        """The highest end of each one and those before it: prefixes are nested or apart, but lists are edited."""
        for each in self._sorted:
            end = (each.family, each.last)
            self._last.append(max(end, self._last[-1]) if self._last else end)

    def until(self, candidate: Cidr) -> int | None:
        """The last address that is taken from `candidate` on, without a gap of one; None where none of its are."""
        at = _bisect(self._first, (candidate.family, candidate.last)) - 1
        if at < 0 or self._last[at] < (candidate.family, candidate.first):
            return None
        return self._last[at][1]

    def has(self, candidate: Cidr) -> bool:
        """Whether an address of it is taken."""
        return self.until(candidate) is not None


def within(pool: Pool, slice_: Cidr) -> Pool:
    """The part of `pool` that lies in a slice; its first and last address are not given, as the peers do not."""
    inner = 0 if BITS[slice_.family] - slice_.prefix <= 1 else 1
    first, last = slice_.first + inner, slice_.last - inner
    part = Pool(pool.cidr, max(pool.first, first), min(pool.last, last), pool.gateway, pool.path)
    part.slice_size = pool.slice_size
    part.spans = list(pool.spans)
    part.narrow(first, last)
    return part


def fits(slice_: Cidr, pool: Pool) -> bool:
    """Whether it is a slice as `pool` is configured to have them, and there is something in it to give."""
    if slice_.prefix != pool.slice_size or not pool.cidr.contains(slice_.ip) or slice_ != slice_.network:
        return False
    inner = 0 if BITS[slice_.family] - slice_.prefix <= 1 else 1
    first, last = slice_.first + inner, slice_.last - inner
    return any(low <= last and first <= high for low, high in pool.spans)


def overlap(one: Cidr, other: Cidr) -> bool:
    """Whether they have an address in common."""
    return one.family == other.family and one.first <= other.last and other.first <= one.last


def _place(entry: Entry) -> tuple[int, int, int]:
    return (entry.slice.family, entry.slice.first, entry.slice.prefix) if entry.slice else (0, 0, 0)


def _bisect(values: Sequence[tuple[int, int]], wanted: tuple[int, int]) -> int:
    """How many are not greater than `wanted`."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] <= wanted:
            low = middle + 1
        else:
            high = middle
    return low


def _cidr(text: str) -> Cidr | None:
    try:
        return Cidr.parse(text)
    except ValueError:
        return None


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
