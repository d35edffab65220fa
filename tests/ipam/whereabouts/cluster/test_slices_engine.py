"""Pods of several nodes that have slices of one range, through the engine, to the exact comparison of all records."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import TryAgainLater
from tests.ipam.whereabouts.cluster.nodes import Node, allocations, audit
from tests.ipam.whereabouts.cluster.reconciling import Scene

if TYPE_CHECKING:
    from pathlib import Path

    from ipam.whereabouts.config import Wanted, WhereaboutsConfig
    from tests.cluster.cluster import Cluster

RANGE = "10.1.0.0/24"


@dataclass
class Sliced(Node):
    """A node whose ranges have slices of these sizes."""

    ranges: tuple[str, ...] = (RANGE,)
    sizes: tuple[int, ...] = (26,)

    def config(self, *wanted: Wanted | None) -> WhereaboutsConfig:
        config = super().config(*wanted)
        for pool, size in zip(config.pools, self.sizes, strict=True):
            pool.slice_size = size
        return config


class Nodes:
    """Nodes of one cluster."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.scene = Scene(cluster)
        self._directory = directory

    def make(self, name: str, **options: object) -> Sliced:
        kubeconfig = self.cluster.kubeconfig()
        return Sliced(self._directory / name, kubeconfig, name=name, **options)  # type: ignore[arg-type]


@pytest.fixture
def nodes(cluster: Cluster, tmp_path: Path) -> Nodes:
    return Nodes(cluster, tmp_path)


def test_a_pod_has_an_address_of_its_nodes_slice(nodes: Nodes) -> None:
    a, b = nodes.make("a"), nodes.make("b")
    assert a.add("one") == ["10.1.0.1"]
    assert b.add("two") == ["10.1.0.65"]
    assert a.add("three") == ["10.1.0.2"]
    assert sorted(nodes.cluster.objects("ippools")) == ["a-10.1.0.0-26", "b-10.1.0.64-26"]
    assert nodes.cluster.objects("ippools")["b-10.1.0.64-26"]["spec"]["range"] == "10.1.0.64/26"
    audit(nodes.cluster, a, b)
    assert [len(a.calls), a.calls[-1]] == [2, 2], "the slice costs nothing in the quiet case"
    for node, container in ((a, "one"), (b, "two"), (a, "three")):
        node.delete(container)
    assert allocations(nodes.cluster) == {}


@pytest.mark.parametrize("exclusive", [True, False])
def test_pods_of_all_nodes_are_unique_up_and_down(nodes: Nodes, exclusive: bool) -> None:
    all_of = [nodes.make(name, exclusive=exclusive) for name in ("a", "b", "c")]

    def up(node: Sliced) -> list[str]:
        return [address for number in range(8) for address in node.add(f"{node.name}{number}")]

    def down(node: Sliced) -> None:
        for number in range(0, 8, 2):
            node.delete(f"{node.name}{number}")

    for _ in range(2):
        with ThreadPoolExecutor(3) as threads:
            given = list(threads.map(up, all_of))
        assert len({address for of_node in given for address in of_node}) == 24
        for of_node in given:
            assert len({Cidr(Ip.parse(address), 26).first for address in of_node}) == 1
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(down, all_of))
    assert len(allocations(nodes.cluster)) == 12
    if exclusive:
        audit(nodes.cluster, *all_of)


def test_both_families_have_slices(nodes: Nodes) -> None:
    both = {"ranges": (RANGE, "fd00:1::/64"), "sizes": (26, 80)}
    a, b = nodes.make("a", **both), nodes.make("b", **both)
    assert a.add("one") == ["10.1.0.1", "fd00:1::1"]
    assert b.add("two") == ["10.1.0.65", "fd00:1::1:0:0:1"]
    audit(nodes.cluster, a, b)
    a.delete("one")
    b.delete("two")
    assert allocations(nodes.cluster) == {}


def test_a_full_slice_says_so_and_takes_nothing_of_another_ones(nodes: Nodes) -> None:
    a, b = nodes.make("a", sizes=(30,)), nodes.make("b", sizes=(30,))
    assert [a.add("one"), a.add("two")] == [["10.1.0.1"], ["10.1.0.2"]]
    with pytest.raises(TryAgainLater, match=r"10\.1\.0\.0/"):
        a.add("three")
    assert b.add("four") == ["10.1.0.5"]
    audit(nodes.cluster, a, b)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_node_that_comes_back_after_its_slice_was_given_away_shares_no_address(nodes: Nodes, exclusive: bool) -> None:
    back, new = nodes.make("back", exclusive=exclusive), nodes.make("new", exclusive=exclusive)
    assert back.add("one") == ["10.1.0.1"]
    back.delete("one")
    nodes.scene.reconcile()
    assert new.add("two") == ["10.1.0.1"]
    with pytest.raises(TryAgainLater, match=r"this node's slice of 10\.1\.0\.0/24 is 10\.1\.0\.64/26 now"):
        back.add("three")
    assert back.add("three") == ["10.1.0.65"]
    assert new.add("four") == ["10.1.0.2"]
    assert len(allocations(nodes.cluster)) == 3


def test_pods_keep_their_addresses_when_the_size_is_edited(nodes: Nodes) -> None:
    a, b = nodes.make("a"), nodes.make("b")
    a.add("one")
    b.add("two")
    a.sizes = b.sizes = (27,)
    before = {RANGE: allocations(nodes.cluster)}
    given = [node.add(container) for node, container in ((a, "three"), (b, "four"))]
    assert given == [["10.1.0.129"], ["10.1.0.161"]]
    now = allocations(nodes.cluster)
    assert {key: now[key] for key in before[RANGE]} == before[RANGE]
    a.delete("one")
    b.delete("two")
    assert len(allocations(nodes.cluster)) == 2
    audit(nodes.cluster, a, b)
