"""Debris of Whereabouts, of kills and of outages, in a cluster's pools: all of it is found, and mended if it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.state.leases.lease import PENDING, RELEASED
from tests.cli.ipam.operator import Operator, container
from tests.cli.ipam.test_cluster import POOL, entry, node, reserve
from tests.ipam.whereabouts.cluster.nodes import Node, allocations, audit, reservations

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.cluster import Cluster
    from tests.conftest import MakeNamespace

__all__ = ["node"]


def found(operator: Operator, *arguments: str, status: int = 1) -> list[tuple[str, bool]]:
    """Each kind that is found, however young, and whether it can be mended."""
    findings = operator.json("fsck", "--grace", "0s", *arguments, status=status)["findings"]
    return sorted((finding["kind"], finding["mendable"]) for finding in findings)


def pool(cluster: Cluster, **entries: Any) -> None:
    cluster.add_pool(POOL, "10.1.2.0/24", {key.strip("_"): value for key, value in entries.items()})


def without_entry(cluster: Cluster) -> None:
    """A1: the pool's patch failed, the reservation was made."""
    pool(cluster)
    reserve(cluster, "10.1.2.5", "gone")


def without_entry_alive(cluster: Cluster) -> None:
    """The same of a pod that lives; ours say which container it is."""
    pool(cluster)
    cluster.add_pod("alive")
    reserve(cluster, "10.1.2.5", "alive", containerid=container(7))


def without_reservation(cluster: Cluster) -> None:
    """A15: killed between the two, or a peer deleted it (A6)."""
    cluster.add_pod("alive")
    cluster.add_pod("other")
    pool(cluster, _5=entry(cluster, "alive"), _6=entry(cluster, "other"))
    reserve(cluster, "10.1.2.6", "other")


def of_another_gone(cluster: Cluster) -> None:
    """A8: the pool says one, the reservation another; the first one's ADD would never end."""
    cluster.add_pod("alive")
    pool(cluster, _5=entry(cluster, "alive"))
    reserve(cluster, "10.1.2.5", "gone")


def entry_of_another_gone(cluster: Cluster) -> None:
    cluster.add_pod("alive")
    pool(cluster, _5=entry(cluster, "gone"))
    reserve(cluster, "10.1.2.5", "alive")


def no_number(cluster: Cluster) -> None:
    pool(cluster, x=entry(cluster, "gone"))


def beyond(cluster: Cluster) -> None:
    """The range was made smaller by hand."""
    pool(cluster, _300=entry(cluster, "gone"))


def too_large(cluster: Cluster) -> None:
    """A10: peers cannot read it back."""
    cluster.add_pool("fd00---48", "fd00::/48", {str(1 << 63): entry(cluster, "gone")})


def nameless(cluster: Cluster) -> None:
    """Written before Whereabouts knew interfaces; the reservation knows."""
    cluster.add_pod("alive")
    pool(cluster, _5=entry(cluster, "alive", ifname=""))
    reserve(cluster, "10.1.2.5", "alive")


def nameless_gone(cluster: Cluster) -> None:
    pool(cluster, _5=entry(cluster, "gone", ifname=""))


def two_holders(cluster: Cluster) -> None:
    """Of two ranges that overlap: one has its reservation."""
    cluster.add_pod("alive")
    pool(cluster, _5=entry(cluster, "alive"))
    cluster.add_pool("10.1.0.0-16", "10.1.0.0/16", {str(2 * 256 + 5): entry(cluster, "gone", 8)})
    reserve(cluster, "10.1.2.5", "alive")


MENDED: dict[str, tuple[Callable[[Cluster], None], list[str], set[str], set[str]]] = {
    "reservation without entry": (without_entry, ["reservation without entry"], set(), set()),
    "... of a pod that lives": (without_entry_alive, ["reservation without entry"], {"10.1.2.5"}, {"10.1.2.5"}),
    "entry without reservation": (
        without_reservation,
        ["entry without reservation"],
        {"10.1.2.5", "10.1.2.6"},
        {"10.1.2.5", "10.1.2.6"},
    ),
    "reservation of a pod that is gone": (of_another_gone, ["reservation of another"], {"10.1.2.5"}, {"10.1.2.5"}),
    "entry of a pod that is gone": (entry_of_another_gone, ["reservation of another"], set(), {"10.1.2.5"}),
    "key that is no number": (no_number, ["key"], set(), set()),
    "key beyond the range": (beyond, ["key"], set(), set()),
    "key too large": (too_large, ["key"], set(), set()),
    "no interface": (nameless, ["no interface"], {"10.1.2.5"}, {"10.1.2.5"}),
    "no interface, and gone": (nameless_gone, ["no interface"], set(), set()),
    "two holders": (two_holders, ["reservation of another", "two holders"], {"10.1.2.5"}, {"10.1.2.5"}),
}


@pytest.mark.parametrize("case", MENDED)
def test_debris_is_found_and_mended(operator: Operator, cluster: Cluster, node: Node, case: str) -> None:
    make, kinds, entries, reserved = MENDED[case]
    make(cluster)
    before = cluster.objects("ippools"), cluster.objects("overlappingrangeipreservations")
    expected = [(kind, True) for kind in kinds]
    assert found(operator) == expected
    assert found(operator, "--fix", "--dry-run") == expected
    assert (cluster.objects("ippools"), cluster.objects("overlappingrangeipreservations")) == before
    operator.ipam("fsck", "--fix", "--grace", "0s")
    assert {place.rpartition(" ")[2] for place in allocations(cluster)} == entries
    assert set(reservations(cluster)) == reserved
    left = found(operator, status=1 if case == "entry of a pod that is gone" else 0)
    assert left == ([("reservation without entry", False)] if left else [])


def both_alive(cluster: Cluster) -> None:
    cluster.add_pod("alive")
    cluster.add_pod("other")
    pool(cluster, _5=entry(cluster, "alive"))
    reserve(cluster, "10.1.2.5", "other")


def alive_without_container(cluster: Cluster) -> None:
    cluster.add_pod("alive")
    pool(cluster)
    reserve(cluster, "10.1.2.5", "alive")


def misnamed(cluster: Cluster) -> None:
    cluster.add_pool("something", "10.1.2.0/24", {})


def host_bits(cluster: Cluster) -> None:
    """A11: peers compute other offsets from it."""
    cluster.add_pool(POOL, "10.1.2.7/24", {})


def no_address(cluster: Cluster) -> None:
    """A7: a reservation of `<nil>`, in a form that a server takes."""
    pool(cluster)
    reserve(cluster, "nil", "gone")


BY_HAND = {
    "both live": (both_alive, "reservation of another"),
    "a pod that lives, without its container": (alive_without_container, "reservation without entry"),
    "a pool's name": (misnamed, "pool name"),
    "host bits": (host_bits, "range"),
    "a reservation's name": (no_address, "reservation name"),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_what_a_person_must_decide_is_left(operator: Operator, cluster: Cluster, node: Node, case: str) -> None:
    make, kind = BY_HAND[case]
    make(cluster)
    before = cluster.objects("ippools"), cluster.objects("overlappingrangeipreservations")
    assert found(operator, "--fix") == [(kind, False)]
    assert (cluster.objects("ippools"), cluster.objects("overlappingrangeipreservations")) == before


def test_a_young_reservation_is_somebody_s_work(operator: Operator, cluster: Cluster, node: Node) -> None:
    without_entry(cluster)
    assert operator.json("fsck")["findings"] == []


def test_what_is_right_is_no_finding(operator: Operator, cluster: Cluster, node: Node) -> None:
    """Our node, a peer, a claim, a slice, a named network, and a range without overlap protection."""
    node.add("one", pod="")
    node.add("two")
    cluster.add_pod("peer")
    peer = entry(cluster, "peer")
    cluster.api.merge_patch(cluster.path("ippools", POOL), {"spec": {"allocations": {"9": peer}}})
    reserve(cluster, "10.1.2.9", "peer", ifname="")
    cluster.add_pool("blue-node9-10.5.1.0-24", "10.5.1.0/24", {"3": peer})
    reserve(cluster, "blue-10.5.1.3", "peer")
    slices = {"allocations": [{"nodeName": "node9", "sliceRange": "10.5.1.0/24"}]}
    cluster.create("nodeslicepools", "blue", spec={"range": "10.5.0.0/16", "sliceSize": "/24"}, status=slices)
    cluster.add_pool("free-10.6.0.0-16", "10.6.0.0/16", {"3": peer})
    assert found(operator, status=0) == []


def test_the_journal_and_the_pool_are_brought_together(
    operator: Operator, cluster: Cluster, node: Node, netns: MakeNamespace
) -> None:
    """A peer's reconciler took away what it did not know (its defect 4.2): pods that live get it back."""
    node.add("alive", pod="", netns=netns("pod"))
    node.add("gone", pod="", netns="/proc/1/gone")
    cluster.api.merge_patch(cluster.path("ippools", POOL), {"spec": {"allocations": {"1": None, "2": None}}})
    for name in reservations(cluster):
        cluster.api.delete(cluster.path("overlappingrangeipreservations", name))
    assert found(operator) == [("not in the pool", True), ("not in the pool", True)]
    operator.ipam("fsck", "--fix", "--grace", "0s")
    audit(cluster, node)
    assert [record.id for record in node.records()] == ["alive"]
    assert found(operator, status=0) == []


def test_a_reservation_that_a_peer_deleted_is_made_again(
    operator: Operator, cluster: Cluster, node: Node, netns: MakeNamespace
) -> None:
    node.add("one", pod="", netns=netns("pod"))
    cluster.api.delete(cluster.path("overlappingrangeipreservations", "10.1.2.1")).expect(200)
    assert found(operator) == [("reservation lost", True)]
    operator.ipam("fsck", "--fix", "--grace", "0s")
    audit(cluster, node)
    assert found(operator, status=0) == []


def test_an_add_that_was_killed_is_given_back_when_its_pod_is_gone(
    operator: Operator, cluster: Cluster, node: Node, netns: MakeNamespace
) -> None:
    node.add("alive", pod="", netns=netns("pod"))
    node.add("gone", pod="", netns="/proc/1/gone")
    for record in node.records():
        with node.journal.locked(record.holder.key, "the test", 1.0) as locked:
            record.state, record.since = PENDING, record.since - 3600
            locked.write(record)
    assert found(operator) == [("interrupted ADD", False), ("interrupted ADD", True)]
    operator.ipam("fsck", "--fix", "--grace", "0s")
    assert {record.id: record.state for record in node.records()}.get("gone", RELEASED) == RELEASED
    assert set(reservations(cluster)) == {"10.1.2.1"}
    assert found(operator) == [("interrupted ADD", False)]


def test_a_release_that_the_server_missed_is_finished(operator: Operator, cluster: Cluster, node: Node) -> None:
    road = cluster.road()
    node.kubeconfig = cluster.kubeconfig(server=road.url)
    node.add("one", pod="")
    road.close()
    node.delete("one")
    road.open()
    assert found(operator) == [("unfinished release", True)]
    operator.ipam("fsck", "--fix", "--grace", "0s")
    assert (allocations(cluster), reservations(cluster), node.records()) == ({}, {}, [])


def test_mending_takes_nothing_from_who_came_meanwhile(operator: Operator, cluster: Cluster, node: Node) -> None:
    without_entry(cluster)
    road = cluster.road()
    operator.kubeconfig = str(cluster.kubeconfig(server=road.url))

    def anew(_: object) -> None:
        """The reservation that was seen is gone, and somebody else has the address."""
        cluster.api.delete(cluster.path("overlappingrangeipreservations", "10.1.2.5")).expect(200)
        reserve(cluster, "10.1.2.5", "new")

    road.disturb("DELETE", "overlapping", before=anew)
    assert operator.ipam("fsck", "--fix", "--grace", "0s").status == 1
    assert reservations(cluster)["10.1.2.5"]["podref"] == f"{cluster.namespace}/new"


def test_a_pod_that_has_come_to_life_meanwhile_keeps_its_reservation(
    operator: Operator, cluster: Cluster, node: Node
) -> None:
    """Of a StatefulSet: the name is the same, and nothing but the pod itself tells that it is not gone any more."""
    without_entry(cluster)
    road = cluster.road()
    operator.kubeconfig = str(cluster.kubeconfig(server=road.url))

    def reborn(_: object) -> None:
        cluster.add_pod("gone")

    road.disturb("GET", "pods/gone", before=reborn)
    assert operator.ipam("fsck", "--fix", "--grace", "0s").status == 1
    assert set(reservations(cluster)) == {"10.1.2.5"}


def test_a_pod_that_is_made_while_pools_are_read_is_not_gone(operator: Operator, cluster: Cluster, node: Node) -> None:
    """Pods are asked for after pools: whoever was read has been there."""
    road = cluster.road()
    operator.kubeconfig = str(cluster.kubeconfig(server=road.url))

    def make(_: object) -> None:
        cluster.add_pod("new")
        pool(cluster, _5=entry(cluster, "new", ifname=""))

    road.disturb("GET", "ippools", before=make)
    assert found(operator) == [("no interface", False)]
    assert operator.ipam("leaks").status == 0


def test_without_the_right_to_look_it_says_so(operator: Operator, cluster: Cluster, node: Node) -> None:
    without_entry(cluster)
    operator.kubeconfig = str(cluster.kubeconfig(token=cluster.token()))
    ended = operator.ipam("fsck")
    assert ended.status == 3
    assert "ippools" in ended.stderr
