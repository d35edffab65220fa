"""Slices of nodes that are gone, on a real API server: freed when they are empty, and never under a node's feet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ipam.whereabouts.cluster.slices import slice_of
from tests.ipam.whereabouts.cluster.asking import client_of, config_of, range_of
from tests.ipam.whereabouts.cluster.reconciling import Scene, left, told

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster


class Sliced(Scene):
    """A range of four slices; the test's own nodes have them."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        super().__init__(cluster)
        self._directory = directory

    def slice_of(self, node: str, size: int = 24, *, fresh: bool = False) -> str:
        config = config_of(self._directory / node, self.kubeconfig, range_of("10.0.0.0/22", size), node=node)
        with client_of(self.kubeconfig) as client:
            return str(slice_of(client, config, config.pools[0], fresh=fresh))

    def add_slice_pool(self, node: str, slice_: str, name: str = "", **entries: Any) -> str:
        full = "-".join(part for part in (name, node, slice_.replace("/", "-")) if part)
        self.add_pool(full, slice_, **entries)
        return full

    def nodes(self) -> list[str]:
        members = self.cluster.objects("nodeslicepools")["net"]["status"]["allocations"]
        return [member["nodeName"] for member in members]


@pytest.fixture
def sliced(cluster: Cluster, tmp_path: Path) -> Sliced:
    return Sliced(cluster, tmp_path)


def test_a_slice_is_freed_when_its_node_is_gone(sliced: Sliced) -> None:
    alive = sliced.add_node("alive")
    for node in (alive, "gone"):
        sliced.slice_of(node)
    pool = sliced.add_slice_pool("gone", "10.0.1.0/24")
    assert told(sliced.reconcile()) == [("free slice", "10.0.1.0/24", "there is no node gone")]
    assert sliced.nodes() == [alive, "", "", ""]
    assert pool not in sliced.cluster.objects("ippools")


def test_a_slice_is_kept_as_long_as_somebody_has_an_address_of_it(sliced: Sliced) -> None:
    sliced.add_pod("alive")
    sliced.slice_of("gone")
    pool = sliced.add_slice_pool("gone", "10.0.0.0/24", at5=sliced.entry("alive"), at6=sliced.entry("dead"))
    assert told(sliced.reconcile()) == [("free", "10.0.0.6", "there is no such pod")]
    assert sliced.held(pool) == ["5"]
    assert sliced.nodes()[0] == "gone"
    sliced.cluster.delete_pod("alive")
    sliced.reconcile()
    sliced.reconcile()
    assert sliced.nodes()[0] == ""


def test_slices_of_named_networks_are_known_by_their_pools(sliced: Sliced) -> None:
    sliced.add_pod("alive")
    members = [{"nodeName": "gone", "sliceRange": "10.0.0.0/24"}]
    spec = {"range": "10.0.0.0/22", "sliceSize": "/24"}
    sliced.cluster.create("nodeslicepools", "blue", spec=spec, status={"allocations": members})
    sliced.add_slice_pool("gone", "10.0.0.0/24", "blue", at5=sliced.entry("alive"))
    sliced.reserve("blue-10.0.0.5", "alive")
    outcome = sliced.reconcile()
    assert (outcome.done, outcome.left) == ([], [])


def test_a_node_that_does_not_answer_keeps_its_slice(sliced: Sliced) -> None:
    lost = sliced.add_node("lost", "Unknown")
    sliced.slice_of(lost)
    assert told(sliced.reconcile(lost_after=1)) == []
    assert sliced.nodes()[0] == lost


def test_a_node_that_comes_back_between_the_looks_keeps_its_slice(sliced: Sliced) -> None:
    name = f"{sliced.cluster.namespace}-back"
    sliced.slice_of(name)
    assert told(sliced.reconcile(between=lambda: sliced.add_node("back"))) == []
    assert sliced.nodes()[0] == name


def test_a_node_that_takes_an_address_at_the_last_moment_keeps_its_slice(sliced: Sliced) -> None:
    sliced.slice_of("gone")
    pool = sliced.add_slice_pool("gone", "10.0.0.0/24")
    road = sliced.cluster.road()
    entry = {"op": "add", "path": "/spec/allocations/5", "value": sliced.entry("new")}
    path = sliced.cluster.path("ippools", pool)
    road.disturb("DELETE", pool, before=lambda _: sliced.cluster.api.json_patch(path, [entry]).expect(200))
    sliced.kubeconfig = sliced.cluster.kubeconfig(server=road.url)
    assert told(sliced.reconcile()) == []
    assert sliced.nodes()[0] == "gone"
    assert sliced.held(pool) == ["5"]


def test_a_node_whose_slice_was_freed_gets_another_one(sliced: Sliced) -> None:
    assert sliced.slice_of("gone") == "10.0.0.0/24"
    sliced.add_slice_pool("gone", "10.0.0.0/24")
    sliced.reconcile()
    assert sliced.slice_of("new") == "10.0.0.0/24"
    assert sliced.slice_of("gone") == "10.0.0.0/24", "it still believes its file, and finds that the pool is missing"
    assert sliced.slice_of("gone", fresh=True) == "10.0.1.0/24"
    assert sliced.slice_of("gone") == "10.0.1.0/24"


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_what_a_killed_run_began_is_finished(sliced: Sliced, method: str) -> None:
    sliced.slice_of("gone")
    sliced.add_slice_pool("gone", "10.0.0.0/24")
    road = sliced.cluster.road()
    road.disturb(method, "", times=-1, skip=0 if method == "DELETE" else 1, cut=True)
    direct, sliced.kubeconfig = sliced.kubeconfig, sliced.cluster.kubeconfig(server=road.url)
    assert len(sliced.reconcile().failed) == 1
    assert sliced.nodes()[0] == "gone (leaving)"
    sliced.kubeconfig = direct
    assert sliced.slice_of("another") == "10.0.1.0/24"
    assert told(sliced.reconcile()) == [
        ("free slice", "10.0.0.0/24", "freeing it was begun"),
        ("free slice", "10.0.1.0/24", "there is no node another"),
    ]
    assert sliced.nodes() == [""] * 4


def test_of_two_sizes_the_old_slice_is_freed_when_it_is_empty(sliced: Sliced) -> None:
    alive = sliced.add_node("alive")
    assert sliced.slice_of(alive) == "10.0.0.0/24"
    assert sliced.slice_of(alive, 25) == "10.0.1.0/25"
    pool = sliced.add_slice_pool(alive, "10.0.0.0/24", at5=sliced.entry("dead"))
    assert [row[0] for row in told(sliced.reconcile())] == ["free"]
    assert [row[:2] for row in told(sliced.reconcile())] == [("free slice", "10.0.0.0/24")]
    assert pool not in sliced.cluster.objects("ippools")
    assert sliced.slice_of(alive, 25, fresh=True) == "10.0.1.0/25"


def test_two_nodes_with_one_slice_are_told(sliced: Sliced) -> None:
    a, b = sliced.add_node("a"), sliced.add_node("b")
    members = [{"nodeName": node, "sliceRange": "10.0.0.0/24"} for node in (a, b)]
    spec = {"range": "10.0.0.0/22", "sliceSize": "/24"}
    sliced.cluster.create("nodeslicepools", "net", spec=spec, status={"allocations": members})
    assert left(sliced.reconcile()) == [("look at", f"node {a} has 10.0.0.0/24")]
