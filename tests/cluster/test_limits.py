"""How large a pool can become on the real server, what it says to one that is too large, and what adds to the size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cluster.client import METADATA_ONLY
from tests.cluster.pools import RESERVATIONS, Pool, allocation, drop, entries, only_if, path, take

if TYPE_CHECKING:
    from tests.cluster.client import Document
    from tests.cluster.cluster import Cluster

REQUEST = 1_572_864
"""etcd's limit for a request: --max-request-bytes is 1.5 MiB unless somebody has said otherwise."""

REST = 1000
"""More than the bytes of a pool, and of etcd's own, that are not an entry."""

LARGE = 1000
"""As few entries as fill a pool here: what it costs the server to look at them all is not what these tests ask."""

FORGET = {"op": "add", "path": "/metadata/managedFields", "value": [{}]}
"""Empties the record of who wrote which field, whether there is one or not."""


def size(document: object) -> int:
    """Bytes of what the server stores."""
    return len(json.dumps(document, separators=(",", ":")))


def tracked(document: Document) -> int:
    """Bytes of the record of who wrote which field; 0 where there is none."""
    record = document["metadata"].get("managedFields")
    return size(record) if record else 0


def large_entries(total: int) -> Document:
    """Entries whose JSON has so many bytes together, or a few less."""
    plain = entries(LARGE)
    padding = (total - size(plain)) // LARGE
    return {offset: {**entry, "id": entry["id"] + "0" * padding} for offset, entry in plain.items()}


def test_eleven_thousand_addresses_would_be_too_large() -> None:
    """The reference computed 11,007 of 143 bytes."""
    entry = size(entries(10_001)) - size(entries(10_000))
    most = 10_000 + (REQUEST - REST - size(entries(10_000))) // entry
    assert 10_900 < most < 11_000


def test_a_pool_that_is_too_large_is_refused_and_stays_as_it_was(cluster: Cluster) -> None:
    pool = Pool(cluster, allocations=large_entries(REQUEST - REST))
    more = [{"op": "add", "path": path(offset), "value": allocation(offset)} for offset in range(2000, 2020)]
    refused = pool.patch(more)
    assert (refused.status, refused.message) == (500, "etcdserver: request is too large")
    assert "reason" not in refused.document
    assert len(pool.owners()) == LARGE
    pool.patch(take(2000, 1), accept=METADATA_ONLY).expect(200)
    answer = pool.patch(drop(2000, 1), accept=METADATA_ONLY)
    answer.expect(200)
    assert answer.size < 1000


@pytest.mark.parametrize(("room", "kept"), [(70_000, True), (40_000, False)])
def test_who_wrote_which_field_is_forgotten_where_it_would_be_too_much(cluster: Cluster, room: int, kept: bool) -> None:
    """So it limits no pool to 8,029 addresses: the server tries again without, and does not begin anew."""
    pool = Pool(cluster, allocations=large_entries(REQUEST - room))
    assert bool(tracked(pool.object())) == kept
    assert bool(tracked(pool.patch(take(2000, 1)).expect(200))) == kept


def test_who_wrote_which_field_grows_with_every_entry(pool: Pool) -> None:
    before = tracked(pool.object())
    answer = pool.patch([operation for offset in range(1000, 1100) for operation in take(offset, offset)])
    assert (tracked(answer.expect(200)) - before) / 100 == pytest.approx(56, abs=3)
    short = pool.patch(take(1, 1), accept=METADATA_ONLY)
    assert tracked(short.expect(200)) > 5_600  # it is metadata, and so in every short answer


def test_who_wrote_which_field_is_forgotten_for_good_by_one_patch(pool: Pool) -> None:
    assert tracked(pool.object())
    assert tracked(pool.patch([*take(1, 1), FORGET]).expect(200)) == 0
    assert tracked(pool.patch(take(2, 2)).expect(200)) == 0
    assert pool.owners() == {1: 1, 2: 2}


def test_who_wrote_which_field_is_recorded_of_every_new_object(cluster: Cluster) -> None:
    """An object that is created without such a record gets one all the same."""
    cluster.create(
        "ippools", "some", spec={"range": "10.0.0.0/24", "allocations": {}}, metadata={"managedFields": [{}]}
    )
    assert tracked(cluster.objects("ippools")["some"])


def test_a_body_of_three_mebibytes_is_too_large(cluster: Cluster) -> None:
    reply = cluster.api.post(cluster.path(RESERVATIONS), b" " * (3 * 1024 * 1024 + 1))
    assert (reply.status, reply.document["reason"]) == (413, "RequestEntityTooLarge")
    assert reply.message == "Request entity too large: limit is 3145728"


def test_a_patch_has_ten_thousand_operations_at_most(pool: Pool) -> None:
    reply = pool.patch([only_if(path(1), None)] * 10_001)
    assert (reply.status, reply.document["reason"]) == (413, "RequestEntityTooLarge")
    assert "10000, got 10001" in reply.message
    pool.patch([only_if(path(1), None)] * 10_000).expect(200)
