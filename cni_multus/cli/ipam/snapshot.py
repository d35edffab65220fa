"""The pools and reservations of one namespace, as the API server had them when they were first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from cni_multus.cli.ipam.names import prefix_of_pool, split_reservation, without_node
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.kube.errors import NotServed
from cni_multus.kube.objects import IP_POOLS, RESERVATIONS, SLICE_POOLS
from ipam.whereabouts.cluster.pools import PoolView
from ipam.whereabouts.cluster.reservations import Reservation

if TYPE_CHECKING:
    from cni_multus.cli.ipam.api import Api
    from cni_multus.cni.addressing import Ip


class Snapshot:
    """What one command works with; each kind of object is listed once."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._splits: dict[str, tuple[str, Ip] | None] = {}
        self.unreadable: dict[str, str] = {}
        """The names of pools that make no sense, and why."""

    @cached_property
    def pools(self) -> dict[str, PoolView]:
        """Every pool that can be read, by its name."""
        views = {}
        for document in self.api.client.list(IP_POOLS.path(self.api.namespace)):
            try:
                view = PoolView.parse(document)
                views[view.name] = view
            except CniError as error:
                self.unreadable[_name(document)] = error.message
        return views

    @cached_property
    def reservations(self) -> list[Reservation]:
        """Every reservation; listed after the pools, so that what is given back meanwhile is not missed twice."""
        assert self.pools is not None
        return [Reservation.parse(one) for one in self.api.client.list(RESERVATIONS.path(self.api.namespace))]

    @cached_property
    def network_names(self) -> dict[str, str]:
        """Of each pool whose name fits its range, the network_name."""
        found = {name: prefix_of_pool(name, view.base) for name, view in self.pools.items()}
        return {name: without_node(prefix, self._nodes) for name, prefix in found.items() if prefix is not None}

    @cached_property
    def reserved(self) -> dict[Ip, list[Reservation]]:
        """The reservations by address."""
        found: dict[Ip, list[Reservation]] = {}
        for reservation in self.reservations:
            split = self.split(reservation)
            if split is not None:
                found.setdefault(split[1], []).append(reservation)
        return found

    def split(self, reservation: Reservation) -> tuple[str, Ip] | None:
        """The network_name and the address of a reservation, None where its name is no address."""
        name = reservation.name
        if name not in self._splits:
            self._splits[name] = split_reservation(name, self.network_names.values())
        return self._splits[name]

    def reservations_of(self, pool: str, ip: Ip) -> list[Reservation]:
        """The reservations of an address that count for a pool: those of its network_name."""
        own = self.network_names.get(pool)
        return [one for one in self.reserved.get(ip, []) if (split := self.split(one)) and split[0] == own]

    @cached_property
    def _nodes(self) -> set[str]:
        """The nodes that have slices."""
        try:
            pools = list(self.api.client.list(SLICE_POOLS.path(self.api.namespace)))
        except NotServed:
            return set()
        sections = [Section(pool).section("status") for pool in pools]
        return {entry.text("nodeName") for status in sections for entry in status.sections("allocations")} - {""}


def _name(document: dict[str, object]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
