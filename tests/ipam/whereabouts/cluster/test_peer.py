"""Nodes of the real Whereabouts on the same pools: what one has the other does not give, and each reads the other."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import TryAgainLater
from tests.ipam.runtime import in_processes
from tests.ipam.whereabouts.cluster.nodes import RANGE, allocations, audit, reservations
from tests.ipam.whereabouts.cluster.peer import Failed, Peer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.ipam.whereabouts.cluster.making import MakeNode

DUAL = (RANGE, "fd00::/64")


def test_each_gives_what_the_other_does_not_have(cluster: Cluster, make_node: MakeNode) -> None:
    node, peer = make_node(*DUAL), Peer(cluster, DUAL)
    assert peer.add("default/p1", "g1") == ["10.1.2.1", "fd00::1"]
    assert node.add("c1") == ["10.1.2.2", "fd00::2"]
    assert peer.add("default/p2", "g2") == ["10.1.2.3", "fd00::3"]
    peer.delete("g1")
    node.delete("c1")
    assert peer.add("default/p3", "g3") == ["10.1.2.1", "fd00::1"]
    audit(cluster, node, foreign=("default/p2", "default/p3"))


def test_what_it_left_for_a_pod_is_taken_over(cluster: Cluster, make_node: MakeNode) -> None:
    """The node was changed from Whereabouts to this, and the pod's sandbox was made again."""
    peer = Peer(cluster, DUAL)
    peer.add("default/other", "g0")
    given = peer.add("default/a", "g1")
    node = make_node(*DUAL)
    assert node.add("c1", pod="default/a", uid="1") == given
    audit(cluster, node, foreign=("default/other",))
    assert allocations(cluster)[f"10.1.2.0-24 {given[0]}"]["id"] == "c1"
    node.delete("c1")
    assert not node.delete("g0")  # the runtime's DEL of a pod that Whereabouts attached
    assert allocations(cluster) == reservations(cluster) == {}


def test_what_it_attached_passes_check_until_it_is_given_back(cluster: Cluster, make_node: MakeNode) -> None:
    peer, node = Peer(cluster, DUAL), make_node(*DUAL)
    given = peer.add("default/a", "g1")
    peer.add("default/b", "g2")
    assert node.check("g1", *given) == []
    assert "no pool has 10.1.2.2/24 for it" in node.check("g1", "10.1.2.2", given[1])[0]
    assert len(node.check("g1", *given, ifname="net2")) == 2
    node.delete("g1")
    assert len(node.check("g1", *given)) == 2
    assert node.records() == []


def test_it_takes_over_what_we_left_for_a_pod(cluster: Cluster, make_node: MakeNode) -> None:
    node, peer = make_node(), Peer(cluster, (RANGE,))
    given = node.add("c1", pod="default/a", uid="1")
    assert peer.add("default/a", "g1") == given
    assert node.delete("c1")  # comes late: the address is the newer sandbox's
    audit(cluster, node, foreign=("default/a",))
    assert len(allocations(cluster)) == len(reservations(cluster)) == 1
    peer.delete("g1")
    assert allocations(cluster) == reservations(cluster) == {}


def test_entries_without_an_interface_are_released(cluster: Cluster, make_node: MakeNode) -> None:
    """Versions before `ifname` wrote those, and nobody could release them since."""
    cluster.add_pool("10.1.2.0-24", RANGE, {"7": {"id": "g1", "podref": "default/a"}})
    cluster.create("overlappingrangeipreservations", "10.1.2.7", spec={"podref": "default/a"})
    node = make_node()
    assert not node.delete("g1")
    assert allocations(cluster) == reservations(cluster) == {}


def test_keys_that_nobody_can_use_stay_and_hurt_nobody(cluster: Cluster, make_node: MakeNode) -> None:
    keys = {"1": "a", "02": "b", "+3": "c", "x": "d", "-1": "e", str(1 << 63): "f", "999": "g"}
    cluster.add_pool("10.1.2.0-24", RANGE, {key: {"id": name, "podref": "a/b"} for key, name in keys.items()})
    node = make_node()
    assert node.add("c1") == ["10.1.2.4"]
    assert node.status() == ""
    node.delete("c1")
    assert set(cluster.objects("ippools")["10.1.2.0-24"]["spec"]["allocations"]) == set(keys)


def test_a_reservation_without_an_entry_is_passed_over(cluster: Cluster, make_node: MakeNode) -> None:
    for last in range(1, 5):
        cluster.create("overlappingrangeipreservations", f"10.1.2.{last}", spec={"podref": "default/gone"})
    node = make_node()
    (given,) = node.add("c1")
    assert given not in {f"10.1.2.{last}" for last in range(1, 5)}
    audit(cluster, node, foreign=("default/gone",))


def test_a_hundred_addresses_that_another_range_has(cluster: Cluster, make_node: MakeNode) -> None:
    for last in range(1, 102):
        cluster.create("overlappingrangeipreservations", f"10.1.2.{last}", spec={"podref": "default/other"})
    node = make_node()
    node.add("c1")
    assert node.calls[-1] < 30
    audit(cluster, node, foreign=("default/other",))


def test_a_range_that_is_full_by_other_ranges_is_exhausted(cluster: Cluster, make_node: MakeNode) -> None:
    for last in range(1, 7):
        cluster.create("overlappingrangeipreservations", f"10.1.2.{last}", spec={"podref": "default/other"})
    node = make_node("10.1.2.0/29")
    with pytest.raises(TryAgainLater, match=r"0 of 6 are held .*, and the other 6 are reserved in other ranges"):
        node.add("c1")
    audit(cluster, node, foreign=("default/other",))


def test_an_entry_of_ours_whose_reservation_is_another_pods_is_given_up(cluster: Cluster, make_node: MakeNode) -> None:
    """A peer's failed ADD took our reservation along, and somebody of another range made it anew."""
    node = make_node()
    assert node.add("c1", pod="default/a", uid="1") == ["10.1.2.1"]
    cluster.api.delete(cluster.path("overlappingrangeipreservations", "10.1.2.1")).expect(200)
    cluster.create("overlappingrangeipreservations", "10.1.2.1", spec={"podref": "default/other"})
    assert "10.1.2.1: reservation 10.1.2.1 is that of pod default/other" in node.check(
        "c1", "10.1.2.1", pod="default/a", uid="1"
    )[0].replace("/24", "")
    (given,) = node.add("c2", pod="default/a", uid="1")
    assert given != "10.1.2.1"
    audit(cluster, node, foreign=("default/other",))


def test_a_peer_whose_add_fails_takes_our_reservation_along_and_it_is_made_again(
    cluster: Cluster, make_node: MakeNode
) -> None:
    node = make_node()
    node.add("c1", pod="default/a", uid="1")
    cluster.api.delete(cluster.path("overlappingrangeipreservations", "10.1.2.1")).expect(200)
    assert node.add("c2", pod="default/a", uid="1") == ["10.1.2.1"]
    audit(cluster, node)


@pytest.mark.timeout(300)
def test_half_of_all_is_done_by_whereabouts(cluster: Cluster, make_node: MakeNode, tmp_path: Path) -> None:
    """Its nodes and ours, on a range that is hardly large enough; no address is with two at a time."""
    claims = tmp_path / "claims"
    claims.mkdir()
    small = "10.1.2.0/28"
    nodes = [make_node(small, name=f"node{number}") for number in range(4)]

    def work(number: int) -> None:
        node = nodes[number] if number < len(nodes) else None
        peer = Peer(cluster, (small,))
        for turn in range(6):
            container = f"c{number}-{turn}"
            try:
                (ip,) = node.add(container) if node else peer.add(f"default/{container}", container)
            except (TryAgainLater, Failed):
                ip = ""
            else:
                os.close(os.open(claims / ip, os.O_CREAT | os.O_EXCL))
            if ip and random.random() < 0.9:
                (claims / ip).unlink()
            if not ip or not (claims / ip).exists():
                node.delete(container) if node else peer.delete(container)

    in_processes(8, work)
    for node in nodes:
        for record in node.records():
            shown = [str(take.address.ip) for take in record.takes]
            container = record.holder.attachment.container_id
            assert node.check(container, *shown) == []
    foreign = {entry["podref"] for entry in allocations(cluster).values() if int(entry["id"][1]) >= len(nodes)}
    audit(cluster, *nodes, foreign=foreign)
    assert {place.partition(" ")[2] for place in allocations(cluster)} == set(os.listdir(claims))
