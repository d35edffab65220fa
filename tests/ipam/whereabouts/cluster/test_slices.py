"""Slices of a range, found or claimed on a real API server."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import ApiFailure, InvalidNetworkConfig, TryAgainLater
from ipam.whereabouts.cluster.slices import slice_of, slice_pool_name
from tests.cluster.cluster import rule
from tests.ipam.whereabouts.cluster.asking import client_of, config_of, range_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster


class Asking:
    """Nodes that ask for slices of one network."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.directory = directory
        self.kubeconfig = cluster.kubeconfig()

    def config(self, *ranges: Any, node: str = "node1", **options: str) -> Any:
        return config_of(self.directory / node, self.kubeconfig, *ranges, node=node, **options)

    def ask(self, *ranges: Any, node: str = "node1", which: int = 0, fresh: bool = False, **options: str) -> str:
        config = self.config(*ranges, node=node, **options)
        with client_of(self.kubeconfig) as client:
            return str(slice_of(client, config, config.pools[which], fresh=fresh))

    def listed(self, name: str = "net") -> list[tuple[str, str]]:
        members = self.cluster.objects("nodeslicepools")[name]["status"]["allocations"]
        return [(member["nodeName"], member["sliceRange"]) for member in members]

    def held(self, name: str = "net") -> list[tuple[str, str]]:
        return [one for one in self.listed(name) if one[0]]


@pytest.fixture
def asking(cluster: Cluster, tmp_path: Path) -> Asking:
    return Asking(cluster, tmp_path)


def test_the_first_node_makes_the_object_as_the_peers_do(asking: Asking) -> None:
    assert asking.ask(range_of("10.0.0.0/22", 24)) == "10.0.0.0/24"
    found = asking.cluster.objects("nodeslicepools")["net"]
    assert found["spec"] == {"range": "10.0.0.0/22", "sliceSize": "/24"}
    assert asking.listed() == [("node1", "10.0.0.0/24"), ("", "10.0.1.0/24"), ("", "10.0.2.0/24"), ("", "10.0.3.0/24")]


def test_each_node_has_a_slice_and_keeps_it(asking: Asking) -> None:
    first = {node: asking.ask(range_of("10.0.0.0/22", 24), node=node) for node in ("a", "b", "c")}
    again = {node: asking.ask(range_of("10.0.0.0/22", 24), node=node, fresh=True) for node in ("c", "b", "a")}
    assert first == again
    assert len(set(first.values())) == 3
    assert sorted(asking.held()) == sorted(first.items())


def test_a_slice_that_is_known_costs_no_call(asking: Asking) -> None:
    asking.ask(range_of("10.0.0.0/22", 24))
    config = asking.config(range_of("10.0.0.0/22", 24))
    with client_of(asking.kubeconfig) as client:
        assert str(slice_of(client, config, config.pools[0])) == "10.0.0.0/24"
        assert client.calls == 0
        assert str(slice_of(client, config, config.pools[0], fresh=True)) == "10.0.0.0/24"
        assert client.calls == 1


def test_what_a_node_remembers_of_something_else_is_not_believed(asking: Asking) -> None:
    asking.ask(range_of("10.0.0.0/22", 24))
    (file,) = (asking.directory / "node1/slices").iterdir()
    document = json.loads(file.read_text())
    for wrong in (
        b"",
        b"{",
        b"[]",
        json.dumps({**document, "slice": "10.9.9.0/24"}),
        json.dumps({**document, "node": "x"}),
    ):
        file.write_bytes(wrong if isinstance(wrong, bytes) else wrong.encode())
        assert asking.ask(range_of("10.0.0.0/22", 24)) == "10.0.0.0/24"
    assert json.loads(file.read_text()) == document


def test_a_controllers_assignment_is_taken_as_it_is(asking: Asking) -> None:
    members = [{"nodeName": "node9", "sliceRange": "10.0.0.0/24"}, {"nodeName": "node1", "sliceRange": "10.0.1.0/24"}]
    spec = {"range": "10.0.0.0/23", "sliceSize": "24"}
    asking.cluster.create("nodeslicepools", "net", spec=spec, status={"allocations": members})
    assert asking.ask(range_of("10.0.0.0/23", 24)) == "10.0.1.0/24"
    assert asking.cluster.objects("nodeslicepools")["net"]["spec"] == spec


def test_many_nodes_at_once_get_different_slices(asking: Asking) -> None:
    def one(node: str) -> str:
        return asking.ask(range_of("10.0.0.0/16", 24), node=node)

    nodes = [f"n{number}" for number in range(32)]
    with ThreadPoolExecutor(32) as threads:
        slices = list(threads.map(one, nodes))
    assert len(set(slices)) == 32
    assert sorted(asking.held()) == sorted(zip(nodes, slices, strict=True))


def test_many_nodes_at_once_share_a_range_with_too_many_slices_to_list(asking: Asking) -> None:
    def one(node: str) -> str:
        return asking.ask(range_of("10.0.0.0/8", 24), node=node)

    nodes = [f"n{number}" for number in range(24)]
    with ThreadPoolExecutor(24) as threads:
        slices = list(threads.map(one, nodes))
    assert len(set(slices)) == 24
    assert len(asking.listed()) <= 24 + 64
    size = len(json.dumps(asking.cluster.objects("nodeslicepools")["net"]))
    assert size < 20_000


def test_more_slices_are_listed_when_the_free_ones_are_used_up(asking: Asking) -> None:
    members = [{"nodeName": f"n{number}", "sliceRange": f"10.0.{number}.0/24"} for number in range(64)]
    spec = {"range": "10.0.0.0/8", "sliceSize": "/24"}
    asking.cluster.create("nodeslicepools", "net", spec=spec, status={"allocations": members})
    assert asking.ask(range_of("10.0.0.0/8", 24)) == "10.0.64.0/24"
    assert len(asking.listed()) == 64 + 64


def test_all_slices_taken_is_told_with_who_has_them(asking: Asking) -> None:
    for node in ("a", "b"):
        asking.ask(range_of("10.0.0.0/23", 24), node=node)
    with pytest.raises(TryAgainLater) as full:
        asking.ask(range_of("10.0.0.0/23", 24), node="c")
    assert full.value.message == "all slices of /24 in 10.0.0.0/23 are taken, none is left for c"
    assert "net: a 10.0.0.0/24, b 10.0.1.0/24; multus ipam reconcile" in full.value.details
    assert len(asking.listed()) == 2


def test_ranges_of_both_families_have_objects_of_their_own(asking: Asking) -> None:
    both = (range_of("10.0.0.0/22", 24), range_of("fd00::/64", 80))
    assert asking.ask(*both, which=0) == "10.0.0.0/24"
    assert asking.ask(*both, which=1) == "fd00::/80"
    assert asking.ask(*both, which=1, node="b") == "fd00::1:0:0:0/80"
    assert sorted(asking.cluster.objects("nodeslicepools")) == ["net", "net-fd00---64"]
    config = asking.config(*both, network_name="blue")
    assert [slice_pool_name(config, pool) for pool in config.pools] == ["blue", "blue-fd00---64"]


def test_two_ranges_of_one_prefix_share_their_slices(asking: Asking) -> None:
    low, high = range_of("10.0.0.0/22", 24, last="10.0.0.99"), range_of("10.0.0.0/22", 24, first="10.0.0.100")
    assert asking.ask(low, high, which=0) == "10.0.0.0/24"
    assert asking.ask(low, high, which=1) == "10.0.0.0/24"
    assert asking.held() == [("node1", "10.0.0.0/24")]


def test_an_edited_size_leaves_nodes_what_they_have_and_gives_no_address_twice(asking: Asking) -> None:
    asking.ask(range_of("10.0.0.0/22", 24), node="a")
    assert asking.ask(range_of("10.0.0.0/22", 25), node="b") == "10.0.1.0/25"
    assert asking.cluster.objects("nodeslicepools")["net"]["spec"] == {"range": "10.0.0.0/22", "sliceSize": "/25"}
    assert asking.ask(range_of("10.0.0.0/22", 25), node="a") == "10.0.1.128/25"
    assert ("a", "10.0.0.0/24") in asking.held()


def test_an_edited_range_leaves_nodes_what_still_fits(asking: Asking) -> None:
    asking.ask(range_of("10.0.0.0/22", 24), node="a")
    asking.ask(range_of("10.0.0.0/22", 24), node="b")
    assert asking.ask(range_of("10.0.0.0/20", 24), node="b") == "10.0.1.0/24"
    with pytest.raises(TryAgainLater, match=r"all slices of /26 in 10.0.1.0/24 are taken"):
        asking.ask(range_of("10.0.1.0/24", 26), node="a")
    assert ("b", "10.0.1.0/24") in asking.held()


def test_two_configurations_that_disagree_never_share_an_address(asking: Asking) -> None:
    sizes = {"a": 24, "b": 25, "c": 23, "d": 25, "e": 26}
    for _ in range(2):
        for node, size in sizes.items():
            asking.ask(range_of("10.0.0.0/20", size), node=node, fresh=True)
    from cni_multus.cni.addressing import Cidr

    spans = sorted((Cidr.parse(text).first, Cidr.parse(text).last) for _, text in asking.held())
    assert len(spans) == 5
    assert all(before[1] < after[0] for before, after in itertools.pairwise(spans))


def test_bounds_of_the_range_decide_which_slices_are_worth_having(asking: Asking) -> None:
    assert asking.ask(range_of("10.0.0.0/8", 24, first="10.77.3.9", last="10.77.5.1")) == "10.77.3.0/24"
    bounded = range_of("10.0.0.0/24", 25)
    bounded.take_out(bounded.first, bounded.last)
    with pytest.raises(
        InvalidNetworkConfig, match=r"ipam.range: no slice of /25 in 10.0.0.0/24 has an address to give"
    ):
        asking.ask(bounded, network="other")


def test_a_node_whose_name_is_a_guess_claims_nothing(asking: Asking) -> None:
    with pytest.raises(InvalidNetworkConfig, match="node's name in the cluster is not known") as unknown:
        asking.ask(range_of("10.0.0.0/22", 24), node_told="no")
    assert "NODENAME" in unknown.value.details
    assert asking.cluster.objects("nodeslicepools") == {}
    asking.ask(range_of("10.0.0.0/22", 24), node="node1")
    assert asking.ask(range_of("10.0.0.0/22", 24), node="node1", node_told="no", fresh=True) == "10.0.0.0/24"


def test_a_name_that_the_server_rejects_is_told(asking: Asking) -> None:
    with pytest.raises(InvalidNetworkConfig, match="takes no NodeSlicePool called 'My_Net'") as wrong:
        asking.ask(range_of("10.0.0.0/22", 24), network="My_Net")
    assert "network_name" in wrong.value.details


def test_an_account_that_may_not_is_told_what_it_lacks(asking: Asking) -> None:
    asking.kubeconfig = asking.cluster.kubeconfig(token=asking.cluster.token(rule("ippools", "get")))
    with pytest.raises(ApiFailure, match="nodeslicepools"):
        asking.ask(range_of("10.0.0.0/22", 24))


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_answer_that_is_lost_costs_no_second_slice(asking: Asking, method: str) -> None:
    if method == "PATCH":
        asking.ask(range_of("10.0.0.0/22", 24), node="other")
    road = asking.cluster.road()
    road.disturb(method, "nodeslicepools", lose=True)
    asking.kubeconfig = asking.cluster.kubeconfig(server=road.url)
    found = asking.ask(range_of("10.0.0.0/22", 24))
    assert [text for node, text in asking.held() if node == "node1"] == [found]


def test_another_node_that_is_faster_gets_the_slice(asking: Asking) -> None:
    asking.ask(range_of("10.0.0.0/22", 24), node="other")
    road = asking.cluster.road()
    road.disturb("PATCH", "nodeslicepools", before=lambda _: asking.ask(range_of("10.0.0.0/22", 24), node="faster"))
    slow = Asking(asking.cluster, asking.directory)
    slow.kubeconfig = asking.cluster.kubeconfig(server=road.url)
    found = slow.ask(range_of("10.0.0.0/22", 24), node="slow")
    held = dict(asking.held())
    assert held == {"other": "10.0.0.0/24", "faster": "10.0.1.0/24", "slow": found}
    assert len(set(held.values())) == 3
