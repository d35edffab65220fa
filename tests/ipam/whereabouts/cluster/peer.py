"""A node with Whereabouts 0.9.3, as far as the API sees it: the same calls in the same order, and what is wrong.

It takes no Lease: what that is good for is that fewer of its kind meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cni_multus.cni.addressing import Ip
from ipam.whereabouts.cluster.naming import pool_name, reservation_name
from tests.ipam.whereabouts.cluster.nodes import make_pool

if TYPE_CHECKING:
    from ipam.whereabouts.pool import Pool
    from tests.cluster.cluster import Cluster

RETRIES = 100  # storage.DatastoreRetries
WHEREABOUTS = "whereabouts.cni.cncf.io/v1alpha1"


class Failed(Exception):
    """Its ADD fails; the runtime comes with a DEL."""


@dataclass
class Peer:
    """One node of the real Whereabouts, for one network."""

    cluster: Cluster
    ranges: tuple[str, ...]
    network_name: str = ""
    exclusive: bool = True

    def add(self, podref: str, container: str, ifname: str = "net1") -> list[str]:
        """IPManagement with the mode Allocate."""
        return [self._allocate(make_pool(text), podref, container, ifname) for text in self.ranges]

    def delete(self, container: str, ifname: str = "net1") -> None:
        """IPManagement with the mode Deallocate: it ends at the first range that has nothing."""
        for text in self.ranges:
            pool = make_pool(text)
            key = self._remove(pool, container, ifname)
            if key is None:
                return
            if self.exclusive:
                name = reservation_name(self.network_name, _address(pool, int(key)))
                self.cluster.api.delete(self.cluster.path("overlappingrangeipreservations", name))

    def _remove(self, pool: Pool, container: str, ifname: str) -> str | None:
        for _ in range(RETRIES):
            document = self._read(pool)
            key = _find(document, container, ifname)
            if key is None or self._patch(document, [{"op": "remove", "path": f"/spec/allocations/{key}"}]) == 200:
                return key
        raise Failed("no attempt left")

    def _allocate(self, pool: Pool, podref: str, container: str, ifname: str) -> str:
        entry = {"id": container, "podref": podref, "ifname": ifname}
        dummies: set[int] = set()
        for _ in range(RETRIES):
            document = self._read(pool)
            taken = document["spec"]["allocations"]
            sticky = next(
                (k for k, each in taken.items() if (each["podref"], each.get("ifname", "")) == (podref, ifname)), None
            )
            if sticky is not None:
                change = [{"op": "replace", "path": f"/spec/allocations/{sticky}/id", "value": container}]
                if taken[sticky]["id"] != container and self._patch(document, change) != 200:
                    continue
                return str(_address(pool, int(sticky)))
            offset = self._lowest(pool, {*map(int, taken), *dummies})
            ip = _address(pool, offset)
            held = self._reserved(ip)
            if held not in (None, podref):
                dummies.add(offset)
                continue
            at = f"/spec/allocations/{offset}"
            take: list[dict[str, Any]] = [{"op": "test", "path": at, "value": None}]
            if self._patch(document, [*take, {"op": "add", "path": at, "value": entry}]) != 200:
                continue
            if self.exclusive and held is None:
                self._reserve(ip, podref, ifname)
            return str(ip)
        raise Failed("no attempt left")

    def _read(self, pool: Pool) -> dict[str, Any]:
        name = pool_name(self.network_name, pool.cidr)
        answer = self.cluster.api.get(self.cluster.path("ippools", name))
        if answer.status == 404:
            spec = {"range": str(pool.cidr), "allocations": {}}
            body = {"apiVersion": WHEREABOUTS, "kind": "IPPool", "metadata": {"name": name}, "spec": spec}
            self.cluster.api.post(self.cluster.path("ippools"), body)
            return self._read(pool)
        return answer.expect(200)

    def _patch(self, document: dict[str, Any], change: list[dict[str, Any]]) -> int:
        metadata = document["metadata"]
        version = {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]}
        return self.cluster.api.json_patch(self.cluster.path("ippools", metadata["name"]), [version, *change]).status

    def _lowest(self, pool: Pool, taken: set[int]) -> int:
        free = (n - pool.cidr.first for n in range(pool.first, pool.last + 1) if n - pool.cidr.first not in taken)
        offset = next(free, None)
        if offset is None:
            raise Failed(f"Could not allocate IP in range: {pool}")
        return offset

    def _reserved(self, ip: Ip) -> str | None:
        """The pod that has it, by podref alone."""
        if not self.exclusive:
            return None
        name = reservation_name(self.network_name, ip)
        answer = self.cluster.api.get(self.cluster.path("overlappingrangeipreservations", name))
        return answer.expect(200)["spec"]["podref"] if answer.status == 200 else None

    def _reserve(self, ip: Ip, podref: str, ifname: str) -> None:
        name = reservation_name(self.network_name, ip)
        spec = {"podref": podref, "ifname": ifname}
        body = {
            "apiVersion": WHEREABOUTS,
            "kind": "OverlappingRangeIPReservation",
            "metadata": {"name": name},
            "spec": spec,
        }
        if self.cluster.api.post(self.cluster.path("overlappingrangeipreservations"), body).status != 201:
            raise Failed(f"{name} already exists")


def _find(document: dict[str, Any], container: str, ifname: str) -> str | None:
    for key, entry in document["spec"]["allocations"].items():
        if (entry["id"], entry.get("ifname", "")) == (container, ifname):
            return str(key)
    return None


def _address(pool: Pool, offset: int) -> Ip:
    return Ip(pool.family, pool.cidr.first + offset)
