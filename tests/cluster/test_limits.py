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

ENTRY = 144
"""Bytes of an entry of `allocation` at offsets of four and five digits, its key and a comma counted."""

REQUEST = 1_572_864
"""etcd's limit for a request: --max-request-bytes is 1.5 MiB unless somebody has said otherwise."""

FORGET = {"op": "add", "path": "/metadata/managedFields", "value": [{}]}
"""Empties the record of who wrote which field, whether there is one or not."""


def tracked(document: Document) -> int:
    """Bytes of the record of who wrote which field; 0 where there is none."""
    record = document["metadata"].get("managedFields")
    return len(json.dumps(record, separators=(",", ":"))) if record else 0


def test_a_pool_of_eleven_thousand_addresses_is_too_large(cluster: Cluster) -> None:
    """The reference computed 11,007: it is that, less what is not an entry, and needs no change of etcd to be tried."""
    most = REQUEST // ENTRY
    pool = Pool(cluster, allocations=entries(most - 20))
    more = [{"op": "add", "path": path(offset), "value": allocation(offset)} for offset in range(20_000, 20_030)]
    refused = pool.patch(more)
    assert (refused.status, refused.message) == (500, "etcdserver: request is too large")
    assert "reason" not in refused.document
    answer = pool.patch(take(20_000, 1), accept=METADATA_ONLY)
    answer.expect(200)
    assert answer.size < 1000
    pool.patch(drop(7, 7), accept=METADATA_ONLY).expect(200)
    assert len(pool.owners()) == most - 20


@pytest.mark.parametrize(("number", "kept"), [(7_500, True), (8_200, False)])
def test_who_wrote_which_field_is_forgotten_where_it_would_be_too_much(
    cluster: Cluster, number: int, kept: bool
) -> None:
    """Not a limit of 8,029 addresses, as one might think: the server retries without, and does not begin again."""
    pool = Pool(cluster, allocations=entries(number))
    assert bool(tracked(pool.object())) == kept


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
