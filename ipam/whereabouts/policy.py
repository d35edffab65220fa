"""Which free address is next: the lowest, the one after the last, or one that others will hardly try."""

from __future__ import annotations

from cni_multus.cni.addressing import Ip
from cni_multus.hashes import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ipam.whereabouts.pool import Pool

    class Free(Protocol):
        """Somebody who knows which addresses are free."""

        def find_free(self, family: int, first: int, last: int) -> int | None:
            """The lowest free address from `first` to `last`, as a number."""


LOWEST = "lowest"
NEXT = "next"
SPREAD = "spread"
POLICIES = (LOWEST, NEXT, SPREAD)


def choose(pool: Pool, free: Free, start: int) -> Ip | None:
    """The first free address of `pool` from `start` on, and then from its beginning; None where none is free."""
    for first, last in pool.spans_from(start):
        number = free.find_free(pool.family, first, last)
        if number is not None:
            return Ip(pool.family, number)
    return None


def start(policy: str, pool: Pool, last_given: int | None, who: str) -> int:
    """Where the search in `pool` begins: `who` is what `spread` makes a place of."""
    if policy == NEXT and last_given is not None:
        return last_given + 1
    if policy == SPREAD and pool.spans:
        return nth(pool, int(digest(who, 16), 16) % pool.size)
    return pool.first


def nth(pool: Pool, number: int) -> int:
    """The address that is number `number`, from 0, of those that `pool` may give."""
    for first, last in pool.spans:
        if number <= last - first:
            return first + number
        number -= last - first + 1
    raise IndexError(f"{pool} has {pool.size} addresses")
