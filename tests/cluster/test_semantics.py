"""What the cluster's engine takes for granted about reads and patches, each on the real API server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.cluster.client import METADATA_ONLY
from tests.cluster.pools import RESERVATIONS, WRITERS, Pool, allocation, at_once, drop, only_if, path, reservation, take

if TYPE_CHECKING:
    from tests.cluster.client import Document
    from tests.cluster.cluster import Cluster


def test_null_is_what_a_missing_member_is_tested_for(pool: Pool) -> None:
    pool.patch([only_if(path(5), None)]).expect(200)
    pool.patch(take(5, 1)).expect(200)
    assert pool.owners() == {5: 1}


def test_a_failed_test_is_422_and_nothing_is_changed(pool: Pool) -> None:
    pool.patch(take(5, 1)).expect(200)
    reply = pool.patch([{"op": "add", "path": path(6), "value": allocation(2)}, *take(5, 2)])
    assert reply.status == 422
    assert reply.document["reason"] == "Invalid"
    assert pool.owners() == {5: 1}


def test_a_failed_test_names_no_object_and_no_cause(pool: Pool) -> None:
    """Which tells it from an object that is not valid: that is 422 as well, and names the members."""
    pool.patch(take(5, 1)).expect(200)
    failed = pool.patch(take(5, 2)).expect(422)
    assert (failed["reason"], failed["details"]) == ("Invalid", {})
    assert failed["message"] == "the server rejected our request due to an error in our request"
    invalid = pool.patch([{"op": "add", "path": path(6), "value": {"id": "x"}}]).expect(422)
    [cause] = invalid["details"]["causes"]
    assert (invalid["reason"], cause["field"]) == ("Invalid", "spec.allocations.6.podref")


def test_what_is_missing_cannot_be_removed(pool: Pool) -> None:
    assert pool.patch([{"op": "remove", "path": path(5)}]).expect(422)["details"] == {}


def test_what_is_missing_can_be_replaced(pool: Pool) -> None:
    """Not as RFC 6902 has it: who replaces an entry tests for it first, or makes one."""
    pool.patch([{"op": "replace", "path": path(5), "value": allocation(1)}]).expect(200)
    assert pool.owners() == {5: 1}
    pool.patch([{"op": "replace", "path": path(6, "id"), "value": "x"}]).expect(422)


def test_writers_to_different_addresses_never_see_each_other(pool: Pool) -> None:
    replies = at_once(partial(pool.patch, take(offset, offset)) for offset in range(1, WRITERS + 1))
    assert {reply.status for reply in replies} == {200}
    assert pool.owners() == {offset: offset for offset in range(1, WRITERS + 1)}
    replies = at_once(partial(pool.patch, drop(offset, offset)) for offset in range(1, WRITERS + 1))
    assert {reply.status for reply in replies} == {200}
    assert pool.owners() == {}


def test_one_of_all_writers_to_an_address_wins(pool: Pool) -> None:
    replies = at_once(partial(pool.patch, take(5, owner)) for owner in range(WRITERS))
    [winner] = [owner for owner, reply in enumerate(replies) if reply.status == 200]
    assert sorted(reply.status for reply in replies) == [200] + [422] * (WRITERS - 1)
    assert pool.owners() == {5: winner}


def test_a_tested_version_makes_every_other_writer_lose(pool: Pool) -> None:
    """What the Go program does, and why it wants a leader."""
    version = pool.object()["metadata"]["resourceVersion"]
    guard = only_if("/metadata/resourceVersion", version)
    replies = at_once(partial(pool.patch, [guard, *take(offset, offset)]) for offset in range(1, WRITERS + 1))
    assert sorted(reply.status for reply in replies) == [200] + [422] * (WRITERS - 1)


def test_who_took_an_address_again_is_not_dropped_by_who_had_it(pool: Pool) -> None:
    pool.patch(take(5, 1)).expect(200)
    pool.patch([only_if(path(5, "podref"), allocation(1)["podref"]), replaced(5, "id", "new")]).expect(200)
    pool.patch(drop(5, 1)).expect(422)
    assert pool.object()["spec"]["allocations"]["5"] == {**allocation(1), "id": "new"}


def replaced(offset: int, member: str, value: str) -> Document:
    return {"op": "replace", "path": path(offset, member), "value": value}


def test_unknown_members_are_pruned_without_a_word(cluster: Cluster, pool: Pool) -> None:
    pool.patch([{"op": "add", "path": path(5), "value": {**allocation(1), "node": "node1"}}]).expect(200)
    assert pool.object()["spec"]["allocations"]["5"] == allocation(1)
    created = cluster.api.post(
        cluster.path(RESERVATIONS), reservation("10.0.0.1") | {"spec": {"podref": "a/b", "uid": "x"}, "status": {}}
    )
    assert created.expect(201)["spec"] == {"podref": "a/b"}
    assert "status" not in created.document


def test_allocations_have_an_owner_and_pools_allocations(pool: Pool) -> None:
    pool.patch([{"op": "add", "path": path(5), "value": {"id": "x"}}]).expect(422)
    pool.patch([{"op": "remove", "path": "/spec/allocations"}]).expect(422)
    pool.patch([{"op": "add", "path": "/spec/allocations/any-key", "value": allocation(1)}]).expect(200)


def test_an_entry_that_is_null_is_none(pool: Pool) -> None:
    pool.patch([{"op": "add", "path": path(5), "value": None}]).expect(200)
    assert pool.owners() == {}
    pool.patch(take(5, 1)).expect(200)


def test_answers_to_changes_are_only_metadata_where_that_is_asked_for(cluster: Cluster, pool: Pool) -> None:
    full = pool.patch(take(1, 1))
    short = pool.patch(take(2, 2), accept=METADATA_ONLY)
    document = short.expect(200)
    assert (document["kind"], document["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert {"name", "uid", "resourceVersion"} <= set(document["metadata"])
    assert "spec" not in document
    assert short.size < full.size
    created = cluster.api.post(cluster.path(RESERVATIONS), reservation("10.0.0.1"), accept=METADATA_ONLY).expect(201)
    assert created["kind"] == "PartialObjectMetadata"
    read = cluster.api.get(pool.path, accept=METADATA_ONLY).expect(200)
    assert read["kind"] == "PartialObjectMetadata"
    listed = cluster.api.get(cluster.path(RESERVATIONS), accept=METADATA_ONLY.replace("Metadata", "MetadataList"))
    assert listed.expect(200)["kind"] == "PartialObjectMetadataList"


def test_a_read_from_the_cache_is_of_some_version_and_needs_an_object(cluster: Cluster, pool: Pool) -> None:
    pool.patch(take(1, 1)).expect(200)
    old = cluster.api.get(f"{pool.path}?resourceVersion=0").expect(200)
    assert int(old["metadata"]["resourceVersion"]) <= int(pool.object()["metadata"]["resourceVersion"])
    cluster.api.get(f"{cluster.path('ippools', 'none')}?resourceVersion=0").expect(404)


def test_a_read_may_ask_for_what_it_has_written(pool: Pool, cluster: Cluster) -> None:
    """`resourceVersion=N` is answered from the cache as well, once that has come so far."""
    for number in range(1, 20):
        version = pool.patch(take(number, number)).expect(200)["metadata"]["resourceVersion"]
        read = cluster.api.get(f"{pool.path}?resourceVersion={version}").expect(200)
        assert str(number) in read["spec"]["allocations"]
    future = cluster.api.get(f"{pool.path}?resourceVersion=99999999").expect(504)  # after three seconds
    assert future["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
