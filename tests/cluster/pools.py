"""What the tests of semantics write: allocations of addresses as Whereabouts keeps them, and patches on them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.cluster.client import Document, Reply
    from tests.cluster.cluster import Cluster

T = TypeVar("T")

WRITERS = 32
RESERVATIONS = "overlappingrangeipreservations"


def allocation(number: int) -> Document:
    """An entry as long as they are: the ID of a containerd sandbox, a pod of a Deployment."""
    return {"id": f"{number:064x}", "podref": f"default/deployment-6b7f6c7d4-{number:05x}", "ifname": "net1"}


def entries(number: int) -> Document:
    """What so many pods have, each the offset of its own number."""
    return {str(offset): allocation(offset) for offset in range(1, number + 1)}


def path(offset: int, *members: str) -> str:
    return "/".join(["", "spec", "allocations", str(offset), *members])


def only_if(where: str, value: object) -> Document:
    return {"op": "test", "path": where, "value": value}


def take(offset: int, owner: int) -> list[Document]:
    """An address for somebody, if nobody has it."""
    return [only_if(path(offset), None), {"op": "add", "path": path(offset), "value": allocation(owner)}]


def drop(offset: int, owner: int) -> list[Document]:
    """An address given back, if this one has it."""
    return [only_if(path(offset, "id"), allocation(owner)["id"]), {"op": "remove", "path": path(offset)}]


class Pool:
    """One IPPool and who writes to it."""

    def __init__(self, cluster: Cluster, name: str = "10.0.0.0-16", allocations: Document | None = None) -> None:
        self.path = cluster.path("ippools", name)
        self._api = cluster.api
        cluster.add_pool(name, "10.0.0.0/16", allocations)

    def patch(self, operations: list[Document], **options: Any) -> Reply:
        return self._api.json_patch(self.path, operations, **options)

    def object(self) -> Document:
        return self._api.get(self.path).expect(200)

    def owners(self) -> dict[int, int]:
        """Who has which offset."""
        allocations = self.object()["spec"]["allocations"]
        return {int(offset): int(entry["id"], 16) for offset, entry in allocations.items()}


def reservation(name: str, **metadata: object) -> Document:
    return {
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "OverlappingRangeIPReservation",
        "metadata": {"name": name, **metadata},
        "spec": {"podref": "default/pod", "ifname": "net1", "containerid": "abc"},
    }


def at_once(jobs: Iterable[Callable[[], T]]) -> list[T]:
    """What all of them return, begun at the same time."""
    each = list(jobs)
    with ThreadPoolExecutor(len(each)) as threads:
        return [running.result() for running in [threads.submit(job) for job in each]]
