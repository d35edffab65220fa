"""What a record says given back to the API: each entry only if it is still the record's, then its reservation.

The entry goes first: while the reservation stands nobody takes the address, here or at a peer.
"""

from __future__ import annotations

from cni_multus.kube.errors import Conflict
from ipam.whereabouts.cluster.entry import Entry
from ipam.whereabouts.cluster.naming import reservation_name
from ipam.whereabouts.cluster.pools import drop, read_pool
from ipam.whereabouts.cluster.record import Take
from ipam.whereabouts.cluster.reservations import delete_reservation, read_reservation
from ipam.whereabouts.cluster.seen import note_free
from ipam.whereabouts.cluster.turns import TO_GIVE_BACK, Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.kube.client import Client
    from ipam.whereabouts.cluster.pools import PoolView
    from ipam.whereabouts.cluster.record import Record

_ROUNDS = 4


def give_back(client: Client, data_dir: str, record: Record, take: Take) -> None:
    """Give an address back; what is somebody else's by now is left."""
    others = _drop(client, data_dir, record, take)
    if others and others.is_of(record.entry):
        return  # the same pod's, by another program: the reservation is for its address now
    unreserve(client, record, take)
    if others is None:
        note_free(data_dir, client.access.server, record.namespace, take.pool, take.address.ip)


def look_and_give_back(client: Client, record: Record) -> None:
    """Give back whatever the pools of a record have for its container: nothing else is known of it."""
    for place in record.takes:
        view = read_pool(client, record.namespace, place.pool)
        for ip_offset, entry in list(_entries(view, record)):
            ip = view.ip(ip_offset) if view else None
            if view is None or ip is None:
                continue
            drop(client, record.namespace, place.pool, ip_offset, entry)
            if record.exclusive:
                name = reservation_name(record.network_name, ip)
                found = read_reservation(client, record.namespace, name)
                if found and found.podref == entry.podref and found.ifname in {entry.ifname, ""}:
                    _delete_quietly(client, record.namespace, name, found.uid)


def _entries(view: PoolView | None, record: Record) -> Iterator[tuple[int, Entry]]:
    """What is the container's and interface's; very old peers wrote no interface."""
    attachment = record.holder.attachment
    for offset, entry in view.entries.items() if view else ():
        if entry.id == attachment.container_id and entry.ifname in {attachment.ifname, ""}:
            yield offset, entry


def _drop(client: Client, data_dir: str, record: Record, take: Take) -> Entry | None:
    """Take the record's entry out of the pool; who has the address instead, if somebody has."""
    expected = record.entry
    for _ in range(_ROUNDS):
        with Turn(data_dir, take.pool, TO_GIVE_BACK):
            if drop(client, record.namespace, take.pool, take.offset, expected):
                return None
        view = read_pool(client, record.namespace, take.pool)
        stands = view.entries.get(take.offset) if view else None
        if stands is None or not stands.is_of(record.entry) or stands.id not in record.ids:
            return stands
        expected = stands
    return expected


def unreserve(client: Client, record: Record, take: Take) -> None:
    """Remove the record's reservation, by the UID that it had, or else if it says that it is the record's."""
    if not take.reservation:
        return
    if take.uid:
        try:
            delete_reservation(client, record.namespace, take.reservation, take.uid)
            return
        except Conflict:
            pass  # one that was made later: whose?
    found = read_reservation(client, record.namespace, take.reservation)
    if found and found.is_of(record.entry, record.holder.uid) and found.container in {*record.ids, ""}:
        _delete_quietly(client, record.namespace, take.reservation, found.uid)


def _delete_quietly(client: Client, namespace: str, name: str, uid: str) -> None:
    try:
        delete_reservation(client, namespace, name, uid)
    except Conflict:
        return  # it is another one by now
