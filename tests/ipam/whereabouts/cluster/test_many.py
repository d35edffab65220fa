"""Many at once, on one node and on many: no address is with two at a time, and none is lost."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import TryAgainLater
from tests.ipam.runtime import in_processes
from tests.ipam.whereabouts.cluster.nodes import Node, allocations, audit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.ipam.whereabouts.cluster.making import MakeNode

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    "ranges", [["10.1.2.0/28", "10.1.2.0/28"], ["10.1.2.0/27", "10.1.2.0/28"]], ids=["one", "overlapping"]
)
@pytest.mark.parametrize("spread", [False, True], ids=["node", "nodes"])
def test_random_adds_and_dels(
    cluster: Cluster, make_node: MakeNode, tmp_path: Path, ranges: list[str], spread: bool
) -> None:
    claims = tmp_path / "claims"
    claims.mkdir()
    nodes = [
        make_node(text, "fd00::/64", name=f"node{number}" if spread else "node", network=f"net{text[-2:]}")
        for number, text in enumerate(ranges * 4)
    ]

    def work(number: int) -> None:
        node = nodes[number]
        for turn in range(4):
            container = f"c{number}-{turn}"
            try:
                given = node.add(container)
            except TryAgainLater:  # the range is full
                node.delete(container)
                continue
            for ip in given:
                os.close(os.open(claims / ip, os.O_CREAT | os.O_EXCL))
            time.sleep(random.random() / 50)
            if random.random() < 0.1:
                continue
            for ip in given:
                (claims / ip).unlink()
            assert node.delete(container)
            assert not node.engine().release(node.attachment(container))

    in_processes(len(nodes), work)
    audit(cluster, *(nodes if spread else nodes[:1]))
    assert {place.partition(" ")[2] for place in allocations(cluster)} == set(os.listdir(claims))


def must(be: bool) -> None:
    assert be


def added_at_once(nodes: list[Node], directory: Path) -> tuple[list[str], float]:
    """The addresses that they give a container each, all at the same moment, and how many calls one took on average."""
    directory.mkdir()

    def work(number: int) -> None:
        (given,) = nodes[number].add(f"c{number}")
        (directory / given).write_text(str(nodes[number].calls[-1]))

    in_processes(len(nodes), work)
    calls = [int(path.read_text()) for path in directory.iterdir()]
    return sorted(path.name for path in directory.iterdir()), sum(calls) / len(nodes)


def test_pods_of_one_node_do_not_meet(cluster: Cluster, make_node: MakeNode, tmp_path: Path) -> None:
    """Two hundred: two calls each, but for the first, which asks what there is, and maybe makes the pool."""
    node = make_node()
    given, calls = added_at_once([node] * 200, tmp_path / "given")
    assert given == sorted(f"10.1.2.{last}" for last in range(1, 201))
    assert calls < 2.5
    audit(cluster, node)
    in_processes(200, lambda number: must(node.delete(f"c{number}")))
    assert node.engine().work_off() == []  # of those for which ten seconds were not enough on a busy machine
    audit(cluster, node)
    assert allocations(cluster) == {}


def test_nodes_that_all_start_at_once_spread(cluster: Cluster, make_node: MakeNode, tmp_path: Path) -> None:
    """Sixty-four nodes, none of which has ever seen the pool."""
    nodes = [make_node("10.1.0.0/16", name=f"node{number}") for number in range(64)]
    given, calls = added_at_once(nodes, tmp_path / "given")
    assert len(given) == 64
    assert calls <= 8
    audit(cluster, *nodes)


def test_two_nodes_of_one_name_do_not_harm_each_other(cluster: Cluster, make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    other.data_dir = other.data_dir.with_name("another")
    assert one.add("c1") == ["10.1.2.1"]
    assert other.add("c2") == ["10.1.2.2"]
    other.collect()
    audit(cluster, one, other)
    assert {each["id"] for each in allocations(cluster).values()} == {"c1"}


def test_one_attachment_that_many_add_at_once(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node()
    in_processes(8, lambda number: must(node.add("same") == ["10.1.2.1"]))
    audit(cluster, node)
    in_processes(8, lambda number: must(isinstance(node.engine().release(node.attachment("same")), bool)))
    audit(cluster, node)
    assert allocations(cluster) == {}


def test_clocks_do_not_matter(cluster: Cluster, make_node: MakeNode) -> None:
    """What decides is counted from the boot; the date is only told."""
    node = make_node()
    node.add("c1")
    record = node.records()[0]
    with node.journal.locked(record.holder.key, "", 1.0) as locked:
        record.since = 1e11
        locked.write(record)
    assert node.check("c1", "10.1.2.1") == []
    assert node.delete("c1")
    audit(cluster, node)
