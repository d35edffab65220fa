"""STATUS: whether an ADD would succeed now, told without changing anything."""

from __future__ import annotations

from cni_multus.state.readiness import why_not_writable
from ipam.whereabouts.cluster.explaining import why_exhausted
from ipam.whereabouts.cluster.pools import MOST_ENTRIES, read_pool
from ipam.whereabouts.cluster.session import namespace_of, peek

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.whereabouts.cluster.journal import Journal
    from ipam.whereabouts.cluster.pools import Place, PoolView
    from ipam.whereabouts.cluster.session import Session
    from ipam.whereabouts.config import WhereaboutsConfig


def why_not_available(session: Session, config: WhereaboutsConfig, journal: Journal) -> str:
    """The reason, "" where there is none; raises what the API server refuses with."""
    assert config.cluster
    if why := why_not_writable(journal.directory):
        return f"the journal cannot be written: {why}"
    client = session.client(config.cluster.kubeconfig)
    for pool in config.pools:
        place = peek(client, config, pool)
        if place is None:
            continue  # a node's first ADD claims its slice
        view = read_pool(client, namespace_of(client, config), place.name, cached=True)
        if why := _why_not(place, view, exclusive=config.exclusive):
            return why
    return ""


def _why_not(place: Place, view: PoolView | None, *, exclusive: bool) -> str:
    if view is None:
        return ""
    if view.base != place.base:
        return f"{place}: its range is {view.range}, and {place.base} is expected by its name"
    if len(view.entries) >= MOST_ENTRIES:
        return f"{place} has {len(view.entries)} entries, as many as an object can have"
    addresses = [view.ip(offset) for offset in view.entries]
    held = sum(1 for ip in addresses if ip and place.pool.may_give(ip))
    return why_exhausted(place, view, exclusive=exclusive).message if held >= place.pool.size else ""
