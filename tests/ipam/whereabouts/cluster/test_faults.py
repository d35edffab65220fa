"""A bad day at each call of an ADD and a DEL: what was asked for is done, or nothing is, and nothing is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import ApiFailure, CniError, TryAgainLater
from tests.cluster.cluster import rule
from tests.cluster.disturbances import refusal
from tests.ipam.whereabouts.cluster.nodes import Node, allocations, audit, reservations

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.cluster.road import Road
    from tests.ipam.whereabouts.cluster.making import MakeNode

DUAL = ("10.1.2.0/24", "fd00::/64")
FAULTS: dict[str, dict[str, Any]] = {
    "401": {"answer": refusal(401)},
    "403": {"answer": refusal(403)},
    "404": {"answer": (404, "404 page not found", {})},
    "413": {"answer": refusal(413)},
    "too large": {"answer": refusal(500, "etcdserver: request is too large")},
    "429 once": {"answer": refusal(429, headers={"Retry-After": "0"})},
    "500": {"answer": refusal(500)},
    "503 once": {"answer": refusal(503)},
    "reset before": {"cut": True},
    "reset after": {"lose": True},
    "half an answer": {"truncate": 20},
    "no answer of an API server": {"answer": (200, "<html>", {})},
}


def bad_day(cluster: Cluster, make_node: MakeNode, name: str = "node1") -> tuple[Road, Node]:
    """A node with a road of its own, which knows its pools already."""
    road = cluster.road()
    node = make_node(*DUAL, name=name, kubeconfig=cluster.kubeconfig(server=road.url))
    node.add("first")
    road.calls.clear()
    return road, node


def after(cluster: Cluster, node: Node, *containers: str) -> None:
    """The runtime's own DEL of what failed; then all is as before."""
    for container in containers:
        node.delete(container)
    audit(cluster, node)
    assert {each["id"] for each in allocations(cluster).values()} == {"first"}


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("fault", FAULTS)
def test_an_add_is_done_or_not(cluster: Cluster, make_node: MakeNode, fault: str, call: int) -> None:
    road, node = bad_day(cluster, make_node)
    road.disturb(skip=call, **FAULTS[fault])
    failure: CniError | None = None
    given: list[str] = []
    try:
        given = node.add("c1")
    except CniError as error:
        failure = error
    road.disturbances.clear()
    audit(cluster, node)
    if failure is None:
        assert len(given) == 2
        assert node.check("c1", *given) == []
    else:
        assert (failure.code in {11, 103}, failure.leftovers) == (True, False)
    after(cluster, node, "c1")


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_del_is_done_now_or_later(cluster: Cluster, make_node: MakeNode, fault: str, call: int) -> None:
    road, node = bad_day(cluster, make_node)
    node.add("c1")
    road.disturb(skip=call, **FAULTS[fault])
    assert node.delete("c1")
    road.disturbances.clear()
    assert node.engine().work_off() == []
    after(cluster, node)


@pytest.mark.parametrize("call", range(3))
@pytest.mark.parametrize("fault", ["500", "reset before", "reset after", "half an answer"])
def test_the_first_add_of_a_pool(cluster: Cluster, make_node: MakeNode, fault: str, call: int) -> None:
    """Read it, reserve the address, make the pool."""
    road = cluster.road()
    node = make_node(kubeconfig=cluster.kubeconfig(server=road.url))
    road.disturb(skip=call, **FAULTS[fault])
    node.add("c1")
    audit(cluster, node)
    node.delete("c1")
    audit(cluster, node)
    assert allocations(cluster) == {}


def test_an_api_that_is_gone(cluster: Cluster, make_node: MakeNode) -> None:
    road, node = bad_day(cluster, make_node)
    node.add("c1")
    road.close()
    begun = time.monotonic()
    with pytest.raises(TryAgainLater, match="not reachable"):
        node.add("c2")
    assert time.monotonic() - begun < 5
    assert node.delete("c1")
    assert not node.delete("unknown")
    assert len(node.journal.todo()) == 2
    with pytest.raises(TryAgainLater):
        node.status()
    with pytest.raises(TryAgainLater):
        node.check("first", "10.1.2.1", "fd00::1")
    road.open()
    assert node.status() == ""  # and does a piece of the open work on the way
    after(cluster, node)


def test_a_release_is_done_by_the_next_add_of_any_network(cluster: Cluster, make_node: MakeNode) -> None:
    road, node = bad_day(cluster, make_node)
    node.add("c1")
    road.close()
    assert node.delete("c1")
    assert len(allocations(cluster)) == 4
    road.open()
    other = make_node("10.9.0.0/24", network="other")
    other.add("c2")
    assert {each["id"] for each in allocations(cluster).values()} == {"first", "c2"}
    audit(cluster, node)


def test_a_release_that_waits_is_taken_back_by_the_same_pod(cluster: Cluster, make_node: MakeNode) -> None:
    road, node = bad_day(cluster, make_node)
    given = node.add("c1", pod="default/a", uid="1")
    road.close()
    assert node.delete("c1")
    road.open()
    assert node.add("c2", pod="default/a", uid="1") == given
    assert node.delete("c1")
    audit(cluster, node)
    after(cluster, node, "c2")


def test_garbage_during_an_outage_is_given_back_later(cluster: Cluster, make_node: MakeNode) -> None:
    road, node = bad_day(cluster, make_node)
    for at in range(5):
        node.add(f"c{at}")
    road.close()
    begun = time.monotonic()
    node.collect("first")
    assert time.monotonic() - begun < 5
    assert len(node.journal.todo()) == 5
    road.open()
    node.collect("first")
    after(cluster, node)


def test_an_api_that_takes_two_seconds_for_each_call(cluster: Cluster, make_node: MakeNode) -> None:
    road, node = bad_day(cluster, make_node)
    road.delay_request, road.delay_answer = 1.0, 1.0
    assert len(node.add("c1")) == 2
    assert node.delete("c1")
    road.delay_request = road.delay_answer = 0.0
    after(cluster, node)


def test_a_token_that_was_rotated(cluster: Cluster, make_node: MakeNode, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("stale")
    node = make_node(kubeconfig=cluster.kubeconfig(token_file=token))
    with pytest.raises(ApiFailure, match="401"):
        node.add("c1")
    token.write_text(cluster.server.token)
    assert node.add("c1") == ["10.1.2.1"]
    token.write_text("stale")
    assert node.delete("c1")
    assert len(node.journal.todo()) == 1
    token.write_text(cluster.server.token)
    assert node.engine().work_off() == []
    audit(cluster, node)


@pytest.mark.parametrize(
    ("lacking", "verb"), [("overlappingrangeipreservations", "create"), ("ippools", "patch"), ("ippools", "create")]
)
def test_rights_that_lack_are_named(cluster: Cluster, make_node: MakeNode, lacking: str, verb: str) -> None:
    verbs = {
        name: {"get", "list", "create", "patch", "delete"} for name in ("ippools", "overlappingrangeipreservations")
    }
    verbs[lacking].discard(verb)
    if verb == "patch":
        cluster.add_pool("10.1.2.0-24", "10.1.2.0/24")
    token = cluster.token(*(rule(name, ",".join(sorted(each))) for name, each in verbs.items()))
    node = make_node(kubeconfig=cluster.kubeconfig(token=token))
    with pytest.raises(ApiFailure, match=f"403.*{verb}.*{lacking}"):
        node.add("c1")
    audit(cluster, node)
    assert reservations(cluster) == allocations(cluster) == {}


def test_a_pool_that_can_take_no_more_gives_nothing(cluster: Cluster, make_node: MakeNode) -> None:
    """Never an address that is not in the pool."""
    road, node = bad_day(cluster, make_node)
    road.disturb("PATCH", "ippools", skip=1, answer=refusal(500, "etcdserver: request is too large"))
    with pytest.raises(TryAgainLater, match=r"fd00---64 cannot take another address: .*request is too large"):
        node.add("c1")
    audit(cluster, node)
    assert len(allocations(cluster)) == 2
    entries = {str(number): {"id": "x", "podref": "a/b"} for number in range(10_000)}
    big = {"kind": "IPPool", "metadata": {"name": "p"}, "spec": {"range": "10.1.0.0/16", "allocations": entries}}
    other = make_node("10.1.0.0/16", name="other", kubeconfig=cluster.kubeconfig(server=road.url))
    road.disturb("GET", "ippools", times=2, answer=(200, big, {}))
    assert other.status().endswith("has 10000 entries, as many as an object can have")
    with pytest.raises(TryAgainLater, match="cannot take another address: it has 10000 entries"):
        other.add("c2")
    audit(cluster, node, other)


def test_a_pool_of_another_range_is_refused(cluster: Cluster, make_node: MakeNode) -> None:
    cluster.add_pool("10.1.2.0-24", "10.1.2.7/24")
    with pytest.raises(ApiFailure, match=r"spec\.range 10\.1\.2\.7/24 is not the address of a network"):
        make_node().add("c1")
    cluster.api.merge_patch(cluster.path("ippools", "10.1.2.0-24"), {"spec": {"range": "10.1.4.0/24"}}).expect(200)
    with pytest.raises(ApiFailure, match=r"its range is 10\.1\.4\.0/24, and 10\.1\.2\.0/24 is expected"):
        make_node().add("c1")
    assert reservations(cluster) == allocations(cluster) == {}


def test_a_range_that_is_edited_under_live_pods_is_noticed(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node()
    node.add("c1")
    path = cluster.path("ippools", "10.1.2.0-24")
    cluster.api.merge_patch(path, {"spec": {"range": "10.1.3.0/24"}}).expect(200)
    with pytest.raises(ApiFailure, match=r"its range is 10\.1\.3\.0/24"):
        node.add("c2")
    cluster.api.merge_patch(path, {"spec": {"range": "10.1.2.0/24"}}).expect(200)
    assert node.add("c2") == ["10.1.2.2"]
    audit(cluster, node)


def test_a_namespace_that_is_missing_is_named(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node(kubeconfig=cluster.kubeconfig(namespace="nowhere"))
    with pytest.raises(ApiFailure, match='namespaces "nowhere" not found'):
        node.add("c1")
