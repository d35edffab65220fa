"""Leases as the objects of Whereabouts, IPPools and reservations, and back.

Of what our leases know an IPPool holds the container, the pod and the interface. The reservation of an address, which
networks with overlap protection have, holds the rest in an annotation; without one, the rest is lost.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cni_multus.cli.ipam.names import prefix_of_pool, split_reservation
from cni_multus.cli.ipam.portable import Portable
from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import DecodingFailure
from cni_multus.cni.request import Attachment
from cni_multus.kube.objects import IP_POOLS, RESERVATIONS
from cni_multus.state.leases.lease import Holder, Lease
from ipam.whereabouts.cluster.naming import (
    HOLDER,
    NETWORK,
    NODE,
    POD_UID,
    is_podless,
    label_value,
    podref,
    pool_name,
    reservation_name,
)
from ipam.whereabouts.cluster.pools import PoolView
from ipam.whereabouts.cluster.reservations import Reservation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipam.whereabouts.cluster.entry import Entry

    Document = dict[str, object]


def to_documents(leases: Iterable[Portable]) -> list[Document]:
    """Every IPPool, then every reservation."""
    pools: dict[str, tuple[Cidr, dict[str, object]]] = {}
    reservations = []
    for portable in leases:
        holder = portable.lease.holder
        entry = {"id": holder.attachment.container_id, "podref": podref(holder), "ifname": holder.attachment.ifname}
        for address in portable.lease.addresses:
            base = address.network
            _, allocations = pools.setdefault(pool_name(portable.network_name, base), (base, {}))
            allocations[str(address.ip.number - base.first)] = entry
            if portable.exclusive:
                reservations.append(_reservation(portable, address.ip))
    return [*(_pool(name, base, allocations) for name, (base, allocations) in pools.items()), *reservations]


def from_documents(documents: Iterable[Document], *, network: str = "", what: str = "") -> list[Portable]:
    """The leases that objects tell of; those of other kinds are passed over. `network` serves where none is said."""
    pools: list[PoolView] = []
    reservations: list[Reservation] = []
    for document in _flattened(documents):
        if document.get("kind") == IP_POOLS.kind:
            pools.append(PoolView.parse(document))
        elif document.get("kind") == RESERVATIONS.kind:
            reservations.append(Reservation.parse(document))
    if not pools:
        raise DecodingFailure(
            f"{what}: there is no {IP_POOLS.kind} in it, nor is it a document of `multus ipam export`"
        )
    return list(_leases(pools, reservations, network))


def _leases(pools: list[PoolView], reservations: list[Reservation], network: str) -> Iterator[Portable]:
    """One for each holder, with the addresses of all pools."""
    prefixes = {view.name: prefix_of_pool(view.name, view.base) or "" for view in pools}
    reserved = {split[1]: one for one in reservations if (split := split_reservation(one.name, prefixes.values()))}
    found: dict[tuple[str, str], Portable] = {}
    for view in pools:
        for offset, entry in sorted(view.entries.items()):
            ip = view.ip(offset)
            if ip is None:
                continue
            reservation = reserved.get(ip)
            ours = reservation is not None and reservation.podref == entry.podref
            lease = _lease(entry, reservation if ours else None, network)
            key = (prefixes[view.name], lease.holder.key)
            known = found.get(key)
            addresses = [*(known.lease.addresses if known else ()), Cidr(ip, view.base.prefix)]
            whole = Lease(lease.holder, _in_order(addresses, lease), lease.since)
            found[key] = Portable(whole, prefixes[view.name], ours, f"IPPool {view.name}")
    yield from found.values()


def _lease(entry: Entry, reservation: Reservation | None, network: str) -> Lease:
    """Whom an entry is for; its addresses are those that the reservation tells, for their order."""
    told = reservation.holder if reservation else None
    if told is not None and (told.holder.attachment.container_id == entry.id or told.holder.claim == entry.podref):
        return told
    attachment = Attachment(network or (reservation.network if reservation else ""), entry.id, entry.ifname)
    holder = Holder(
        attachment,
        pod="" if is_podless(entry.podref) else entry.podref,
        uid=reservation.pod_uid if reservation else "",
        node=reservation.node if reservation else "",
    )
    return Lease(holder, (), 0.0)


def _in_order(addresses: list[Cidr], told: Lease) -> list[Cidr]:
    """As the lease has them; what it does not have comes last."""
    order = {address: at for at, address in enumerate(told.addresses)}
    return sorted(addresses, key=lambda address: order.get(address, len(order)))


def _flattened(documents: Iterable[Document]) -> Iterator[Document]:
    """The objects, those in lists as well."""
    for document in documents:
        items = document.get("items")
        if isinstance(items, list):
            kind = str(document.get("kind", "")).removesuffix("List")
            for item in items:
                if isinstance(item, dict):
                    yield {"kind": kind, **item}
        else:
            yield document


def _pool(name: str, base: Cidr, allocations: dict[str, object]) -> Document:
    spec: Document = {"range": str(base), "allocations": dict(sorted(allocations.items(), key=lambda one: int(one[0])))}
    return {"apiVersion": IP_POOLS.api_version, "kind": IP_POOLS.kind, "metadata": {"name": name}, "spec": spec}


def _reservation(portable: Portable, ip: Ip) -> Document:
    holder = portable.lease.holder
    labels = {NODE: holder.node, POD_UID: holder.uid, NETWORK: holder.attachment.network}
    metadata: Document = {
        "name": reservation_name(portable.network_name, ip),
        "labels": {key: label_value(value) for key, value in labels.items() if value},
        "annotations": {HOLDER: json.dumps(portable.lease.to_json())},
    }
    spec = {
        "podref": podref(holder),
        "ifname": holder.attachment.ifname,
        "containerid": holder.attachment.container_id,
    }
    return {"apiVersion": RESERVATIONS.api_version, "kind": RESERVATIONS.kind, "metadata": metadata, "spec": spec}
