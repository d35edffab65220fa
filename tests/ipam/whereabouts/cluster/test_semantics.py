"""What the engine takes for granted of the API server, shown on one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster

FORGET: dict[str, Any] = {"op": "add", "path": "/metadata/managedFields", "value": [{}]}
ENTRY = {"id": "c", "podref": "a/b", "ifname": "net1"}


def take(offset: int, entry: dict[str, str] | None = None) -> list[dict[str, Any]]:
    at = f"/spec/allocations/{offset}"
    return [{"op": "test", "path": at, "value": None}, {"op": "add", "path": at, "value": entry or ENTRY}]


@pytest.fixture
def pool(cluster: Cluster) -> str:
    cluster.add_pool("p", "10.0.0.0/16")
    return cluster.path("ippools", "p")


def test_a_test_for_null_passes_where_nothing_is_and_fails_where_something_is(cluster: Cluster, pool: str) -> None:
    cluster.api.json_patch(pool, take(1)).expect(200)
    again = cluster.api.json_patch(pool, take(1))
    assert (again.status, again.document["reason"], again.document["details"]) == (422, "Invalid", {})


def test_a_test_of_what_is_missing_fails(cluster: Cluster, pool: str) -> None:
    remove: list[dict[str, Any]] = [
        {"op": "test", "path": "/spec/allocations/7/id", "value": "c"},
        {"op": "remove", "path": "/spec/allocations/7"},
    ]
    assert cluster.api.json_patch(pool, remove).status == 422
    assert cluster.api.json_patch(pool, remove[1:]).status == 422


def test_a_missing_interface_equals_null(cluster: Cluster, pool: str) -> None:
    cluster.api.json_patch(pool, take(7, {"id": "c", "podref": "a/b"})).expect(200)
    remove: list[dict[str, Any]] = [
        {"op": "test", "path": "/spec/allocations/7/ifname", "value": None},
        {"op": "remove", "path": "/spec/allocations/7"},
    ]
    cluster.api.json_patch(pool, remove).expect(200)


def test_writers_of_different_addresses_do_not_meet(cluster: Cluster, pool: str) -> None:
    answers: list[int] = []

    def write(number: int) -> None:
        for turn in range(8):
            answers.append(cluster.api.json_patch(pool, [*take(number * 8 + turn), FORGET]).status)

    together(8, write)
    assert answers == [200] * 64
    assert len(cluster.objects("ippools")["p"]["spec"]["allocations"]) == 64


def test_of_the_writers_of_one_address_one_wins(cluster: Cluster, pool: str) -> None:
    answers: list[int] = []
    together(16, lambda number: answers.append(cluster.api.json_patch(pool, take(5)).status))
    assert sorted(answers) == [200] + [422] * 15


def test_of_the_makers_of_one_reservation_one_wins(cluster: Cluster) -> None:
    answers: list[int] = []
    body = {
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "OverlappingRangeIPReservation",
        "metadata": {"name": "10.0.0.1"},
        "spec": {"podref": "a/b"},
    }
    path = cluster.path("overlappingrangeipreservations")
    together(16, lambda number: answers.append(cluster.api.post(path, body).status))
    assert sorted(answers) == [201] + [409] * 15


def test_a_deletion_with_another_uid_is_refused(cluster: Cluster) -> None:
    made = cluster.create("overlappingrangeipreservations", "10.0.0.1", spec={"podref": "a/b"})
    path = cluster.path("overlappingrangeipreservations", "10.0.0.1")
    assert cluster.api.delete(path, {"preconditions": {"uid": "another"}}).status == 409
    cluster.api.delete(path, {"preconditions": {"uid": made["metadata"]["uid"]}}).expect(200)


def test_what_the_server_notes_of_writers_can_be_dropped_by_every_patch(cluster: Cluster, pool: str) -> None:
    cluster.api.json_patch(pool, take(0)).expect(200)
    assert cluster.objects("ippools")["p"]["metadata"]["managedFields"]
    cluster.api.json_patch(pool, [*take(1), FORGET]).expect(200)
    assert "managedFields" not in cluster.objects("ippools")["p"]["metadata"]
    cluster.api.json_patch(pool, [*take(2), FORGET]).expect(200)
    assert "managedFields" not in cluster.objects("ippools")["p"]["metadata"]


@pytest.mark.parametrize("name", ["---64", "net_1-10.0.0.0-24", "Net-10.0.0.0-24", "<nil>"])
def test_names_that_are_none(cluster: Cluster, name: str) -> None:
    body = {
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": {"name": name},
        "spec": {"range": "10.0.0.0/24", "allocations": {}},
    }
    assert cluster.api.post(cluster.path("ippools"), body).status == 422


def test_offsets_of_any_size_are_kept(cluster: Cluster, pool: str) -> None:
    cluster.api.json_patch(pool, take(1 << 100)).expect(200)
    assert list(cluster.objects("ippools")["p"]["spec"]["allocations"]) == [str(1 << 100)]


def test_an_object_that_is_too_large_is_refused_and_stays_as_it_was(cluster: Cluster, pool: str) -> None:
    """Etcd takes 1.5 MiB: eleven thousand entries of a usual length, or fifteen long ones."""
    long = {"id": "c" * 100_000, "podref": "a/b"}
    for offset in range(15):
        cluster.api.json_patch(pool, [*take(offset, long), FORGET]).expect(200)
    refused = cluster.api.json_patch(pool, [*take(15, long), FORGET])
    assert (refused.status, refused.document["message"]) == (500, "etcdserver: request is too large")
    assert len(cluster.objects("ippools")["p"]["spec"]["allocations"]) == 15


def together(count: int, work: Any) -> None:
    threads = [threading.Thread(target=work, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
