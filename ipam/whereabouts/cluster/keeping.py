"""Which of the addresses that a holder has are those of which pool, when the pools may have been edited since."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipam.whereabouts.cluster.pools import Place
    from ipam.whereabouts.cluster.record import Record, Take


def kept(old: Record | None, places: Sequence[Place]) -> list[Take | None]:
    """For each place what the holder has of it: one inside its bounds if there is one, else another of its range.

    Several places may be windows of one range.
    """
    left = list(old.takes) if old and not old.look else []
    found: list[Take | None] = [None] * len(places)
    for needs_bounds in (True, False):
        for at, place in enumerate(places):
            fits = (take for take in left if take.pool == place.name and (not needs_bounds or _is_inside(place, take)))
            if found[at] is None and (take := next(fits, None)):
                found[at] = take
                left.remove(take)
    return found


def _is_inside(place: Place, take: Take) -> bool:
    return place.pool.first <= take.address.ip.number <= place.pool.last
