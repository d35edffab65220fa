"""What is taken for granted about reservations, slices and claims, and their names, each on the real API server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.cluster.client import METADATA_ONLY
from tests.cluster.pools import RESERVATIONS, WRITERS, at_once, only_if, reservation, take

if TYPE_CHECKING:
    from tests.cluster.client import Document
    from tests.cluster.cluster import Cluster


def test_a_missing_object_is_404_and_named(cluster: Cluster) -> None:
    for reply in (
        cluster.api.json_patch(cluster.path("ippools", "none"), take(1, 1)),
        cluster.api.get(cluster.path("ippools", "none")),
        cluster.api.delete(cluster.path("ippools", "none")),
    ):
        document = reply.expect(404)
        assert (document["reason"], document["details"]["name"]) == ("NotFound", "none")
        assert document["details"]["kind"] == "ippools"


def test_a_missing_namespace_is_404_and_named(cluster: Cluster) -> None:
    document = cluster.api.post(cluster.path(RESERVATIONS, namespace="none"), reservation("10.0.0.1")).expect(404)
    assert (document["details"]["kind"], document["details"]["name"]) == ("namespaces", "none")
    assert cluster.api.get(cluster.path("ippools", namespace="none")).expect(200)["items"] == []


def test_an_unknown_resource_is_404_and_no_status(cluster: Cluster) -> None:
    reply = cluster.api.get("/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/default/others")
    assert (reply.status, reply.message) == (404, "404 page not found\n")


def test_the_first_who_creates_an_object_has_it(cluster: Cluster) -> None:
    collection = cluster.path(RESERVATIONS)
    replies = at_once(partial(cluster.api.post, collection, reservation("10.0.0.1")) for _ in range(WRITERS))
    assert sorted(reply.status for reply in replies) == [201] + [409] * (WRITERS - 1)
    assert {reply.document["reason"] for reply in replies if reply.status == 409} == {"AlreadyExists"}


def test_an_object_is_deleted_only_with_the_uid_that_is_named(cluster: Cluster) -> None:
    created = cluster.api.post(cluster.path(RESERVATIONS), reservation("10.0.0.1")).expect(201)
    where = cluster.path(RESERVATIONS, "10.0.0.1")
    wrong = cluster.api.delete(where, {"preconditions": {"uid": "someone-else"}}).expect(409)
    assert wrong["reason"] == "Conflict"
    assert "someone-else" in wrong["message"]
    cluster.api.delete(where, {"preconditions": {"uid": created["metadata"]["uid"]}}).expect(200)
    assert cluster.objects(RESERVATIONS) == {}


def test_labels_and_annotations_of_a_reservation_stay_and_are_selected_by(cluster: Cluster) -> None:
    labels = {"multus/node": "node1"}
    for name, metadata in {"10.0.0.1": {"labels": labels, "annotations": {"multus/x": "y"}}, "10.0.0.2": {}}.items():
        cluster.api.post(cluster.path(RESERVATIONS), reservation(name, **metadata)).expect(201)
    listed = cluster.api.get(f"{cluster.path(RESERVATIONS)}?labelSelector=multus%2Fnode%3Dnode1").expect(200)
    [item] = listed["items"]
    assert (item["metadata"]["name"], item["metadata"]["labels"]) == ("10.0.0.1", labels)
    assert item["metadata"]["annotations"] == {"multus/x": "y"}


@pytest.mark.parametrize(
    "name", ["--1", "---0", "<nil>", "Net-10.0.0.1", "my_net-10.0.0.1", "-10.0.0.1", "10.0.0.0/8", ""]
)
def test_names_are_those_of_dns(cluster: Cluster, name: str) -> None:
    """Defects A7 and A16: the reference inferred it, and it is so."""
    reply = cluster.api.post(cluster.path(RESERVATIONS), reservation(name))
    assert (reply.status, reply.document["reason"]) == (422, "Invalid")
    assert reply.document["details"]["causes"][0]["field"].startswith("metadata.name"), reply


@pytest.mark.parametrize("name", ["10.0.0.1", "fd00--0", "2001-db8--1", "net-10.0.0.1", "1", "a" * 253])
def test_addresses_are_names(cluster: Cluster, name: str) -> None:
    cluster.api.post(cluster.path(RESERVATIONS), reservation(name)).expect(201)


def test_a_slice_is_claimed_by_one(cluster: Cluster) -> None:
    slices = [{"nodeName": "", "sliceRange": f"10.0.{number}.0/24"} for number in range(2)]
    spec = {"range": "10.0.0.0/16", "sliceSize": "/24"}
    cluster.create("nodeslicepools", "net", spec=spec, status={"allocations": slices})
    where = "/status/allocations/0/nodeName"

    def claim(node: str) -> list[Document]:
        return [only_if(where, ""), {"op": "replace", "path": where, "value": node}]

    jobs = (
        partial(cluster.api.json_patch, cluster.path("nodeslicepools", "net"), claim(f"node{number}"))
        for number in range(WRITERS)
    )
    assert sorted(reply.status for reply in at_once(jobs)) == [200] + [422] * (WRITERS - 1)
    append = {"op": "add", "path": "/status/allocations/-", "value": {"nodeName": "n", "sliceRange": "10.0.2.0/24"}}
    cluster.api.json_patch(cluster.path("nodeslicepools", "net"), [append]).expect(200)
    assert len(cluster.objects("nodeslicepools")["net"]["status"]["allocations"]) == 3


def test_the_status_of_a_claim_is_written_by_its_own_path(cluster: Cluster) -> None:
    spec = {"network": "net", "interface": "net1"}
    created = cluster.create("ipamclaims", "vm", spec=spec, status={"ips": ["10.0.0.1/24"]})
    assert "status" not in created
    where = cluster.path("ipamclaims", "vm")
    assert "status" not in cluster.api.merge_patch(where, {"status": {"ips": ["10.0.0.1/24"]}}).expect(200)
    written = cluster.api.merge_patch(f"{where}/status", {"status": {"ips": ["10.0.0.1/24"], "ownerPod": "p"}})
    assert written.expect(200)["status"] == {"ips": ["10.0.0.1/24"]}
    wrong = cluster.api.merge_patch(f"{where}/status", {"status": {"ips": None}})
    assert wrong.status == 422


def test_an_answer_to_a_deletion_is_a_status_with_the_uid(cluster: Cluster) -> None:
    created = cluster.api.post(cluster.path(RESERVATIONS), reservation("10.0.0.1")).expect(201)
    answer = cluster.api.delete(cluster.path(RESERVATIONS, "10.0.0.1"), accept=METADATA_ONLY).expect(200)
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"]["uid"] == created["metadata"]["uid"]
