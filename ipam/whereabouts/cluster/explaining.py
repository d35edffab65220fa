"""Why an address cannot be had, for people: how many are held, and by whom."""

from __future__ import annotations

from cni_multus.cni.errors import CniError, PoolExhausted, TryAgainLater
from ipam.whereabouts.cluster.naming import reservation_name
from ipam.whereabouts.cluster.pools import read_pool
from ipam.whereabouts.cluster.reservations import read_reservation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.kube.client import Client
    from ipam.whereabouts.cluster.pools import Place, PoolView
    from ipam.whereabouts.config import Wanted, WhereaboutsConfig

_NAMED = 3
"""So many of those who hold most are named."""


def why_exhausted(place: Place, view: PoolView | None, *, exclusive: bool) -> PoolExhausted:
    """The error of a pool that has no free address."""
    pool = place.pool
    held = _held_in(place, view)
    message = f"no address of {pool} is free: {len(held)} of {pool.size} are held in {place}"
    if exclusive and len(held) < pool.size:
        message += f", and the other {pool.size - len(held)} are reserved in other ranges"
    told = [
        f"most are held by {', '.join(busiest)} ({what})"
        for what, busiest in (("namespaces", _busiest(_namespace(each) for each in held)), ("pods", _busiest(held)))
        if busiest
    ]
    told.append("`multus ipam show` lists all, `multus ipam reconcile` frees what nobody has any more")
    return PoolExhausted(message, "; ".join(told))


def why_taken(client: Client, config: WhereaboutsConfig, place: Place, wanted: Wanted) -> TryAgainLater:
    """The error of an address that was asked for and is somebody's."""
    who = "somebody"
    try:
        view = read_pool(client, place.namespace, place.name)
        entry = view.entries.get(wanted.ip.number - place.base.first) if view else None
        name = reservation_name(config.network_name, wanted.ip)
        found = read_reservation(client, place.namespace, name) if config.exclusive and not entry else None
        who = str(entry or found or who)
    except CniError:
        pass  # who it is would have been good to know
    return TryAgainLater(f"{wanted.ip}, asked for by {wanted.source}, is held by {who}", str(place))


def _held_in(place: Place, view: PoolView | None) -> list[str]:
    """Who holds the addresses that the pool could give, a pod's reference for each."""
    if view is None:
        return []
    pairs = ((view.ip(offset), entry.podref) for offset, entry in view.entries.items())
    return [podref for ip, podref in pairs if ip and place.pool.may_give(ip)]


def _busiest(names: Iterable[str]) -> list[str]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    order = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [f"{name or '(nobody named)'}: {number}" for name, number in order[:_NAMED]]


def _namespace(podref: str) -> str:
    return podref.partition("/")[0]
