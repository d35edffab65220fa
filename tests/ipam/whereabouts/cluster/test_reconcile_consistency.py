"""Pools and reservations that contradict each other: mended where it is clear who lives, told where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ipam.whereabouts.cluster.reconciling import POOL, Scene, left, told

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster


@pytest.fixture
def scene(cluster: Cluster) -> Scene:
    made = Scene(cluster)
    made.add_pod("alive")
    return made


def test_a_reservation_without_an_allocation_goes_with_its_pod(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("alive"))
    scene.reserve("10.0.0.5", "alive")
    scene.reserve("10.0.0.6", "dead")
    scene.reserve("blue-10.0.0.6", "dead")
    scene.reserve("fd00--6", "dead")
    scene.reserve("what-is-this", "dead")
    scene.reconcile()
    assert scene.reserved() == ["10.0.0.5"]


def test_a_reservation_that_an_add_has_just_made_stays(scene: Scene) -> None:
    """We reserve first: the pool follows."""
    scene.add_pool()
    scene.reserve("10.0.0.5", "alive", container="c", uid="1")

    def finish() -> None:
        path = scene.cluster.path("ippools", POOL)
        entry = {"op": "add", "path": "/spec/allocations/5", "value": scene.entry("alive")}
        scene.cluster.api.json_patch(path, [entry]).expect(200)

    outcome = scene.reconcile(between=finish)
    assert (outcome.done, outcome.left) == ([], [])


def test_a_reservation_of_a_living_pod_is_left_and_told(scene: Scene) -> None:
    scene.add_pool()
    scene.reserve("10.0.0.5", "alive")
    outcome = scene.reconcile()
    assert scene.reserved() == ["10.0.0.5"]
    assert left(outcome) == [("look at", "no pool has the address, and the pod exists")]
    assert outcome.left[0].to_json()["address"] == "10.0.0.5"


def test_an_allocation_that_is_lost_is_restored_where_the_pod_shows_the_address(scene: Scene) -> None:
    """Whereabouts' reconciler frees the address of a pod that its status does not show as it expects."""
    uid = scene.add_pod("shows", status=[{"name": "net", "interface": "net1", "ips": ["10.0.0.5/24"]}])
    scene.add_pool("blue-10.0.0.0-24")
    scene.add_pool("red-10.0.0.0-24")
    scene.reserve("blue-10.0.0.5", "shows", container="c", uid=uid)
    outcome = scene.reconcile()
    assert told(outcome) == [
        ("restore allocation", "10.0.0.5", "no pool has the address, and the pod shows that it does")
    ]
    pools = scene.cluster.objects("ippools")
    assert pools["blue-10.0.0.0-24"]["spec"]["allocations"] == {"5": scene.entry("shows")}
    assert pools["red-10.0.0.0-24"]["spec"]["allocations"] == {}
    assert (scene.reconcile().done, scene.reconcile().left) == ([], [])


@pytest.mark.parametrize("name", ["", "blue"])
def test_a_reservation_that_is_lost_is_restored(scene: Scene, name: str) -> None:
    prefix = f"{name}-" if name else ""
    uid = scene.add_pod("other")
    scene.add_pool(f"{prefix}10.0.0.0-24", at5=scene.entry("alive"), at6=scene.entry("other"))
    scene.reserve(f"{prefix}10.0.0.5", "alive")
    assert told(scene.reconcile()) == [("restore reservation", "10.0.0.6", "others of the pool have reservations")]
    made = scene.cluster.objects("overlappingrangeipreservations")[f"{prefix}10.0.0.6"]
    assert made["spec"] == {"podref": scene.ref("other"), "ifname": "net1", "containerid": "c"}
    assert made["metadata"]["labels"] == {
        "whereabouts.multus.cni/node": "node1",
        "whereabouts.multus.cni/pod-uid": uid,
    }
    assert (scene.reconcile().done, scene.reconcile().left) == ([], [])


def test_pools_without_overlap_protection_get_no_reservations(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("alive"))
    scene.add_pool("blue-10.0.0.0-24", at5=scene.entry("alive", ifname="net2"))
    scene.reserve("blue-10.0.0.5", "alive", "net2", container="c", uid="")
    assert told(scene.reconcile()) == []
    assert scene.reserved() == ["blue-10.0.0.5"]


def test_a_dead_pods_reservation_of_a_living_ones_address_is_replaced(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("alive"))
    scene.reserve("10.0.0.5", "dead")
    assert [row[0] for row in told(scene.reconcile())] == ["remove reservation", "restore reservation"]
    assert scene.cluster.objects("overlappingrangeipreservations")["10.0.0.5"]["spec"]["podref"] == scene.ref("alive")
    assert (scene.reconcile().done, scene.reconcile().left) == ([], [])


def test_a_dead_pods_allocation_of_an_address_that_a_living_one_reserved_is_freed(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("dead"))
    scene.reserve("10.0.0.5", "alive")
    assert told(scene.reconcile()) == [("free", "10.0.0.5", "there is no such pod")]
    assert scene.held() == []
    assert scene.reserved() == ["10.0.0.5"]


def test_an_address_of_two_living_pods_is_told_and_left(scene: Scene) -> None:
    scene.add_pod("other")
    scene.add_pool(at5=scene.entry("alive"))
    scene.reserve("10.0.0.5", "other")
    outcome = scene.reconcile()
    assert (scene.held(), scene.reserved()) == (["5"], ["10.0.0.5"])
    why = f"the pool says {scene.ref('alive')} (net1), and the reservation pod {scene.ref('other')}"
    assert left(outcome) == [("look at", why)]
    assert outcome.contradictions() == outcome.left


def test_one_address_on_two_interfaces_of_a_pod_is_told(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("alive", ifname="net1"))
    scene.reserve("10.0.0.5", "alive", "net2", container="c", uid="")
    assert len(scene.reconcile().contradictions()) == 1


def test_stale_and_missing_records_of_a_replica_set_are_all_found(scene: Scene) -> None:
    """Upstream's own helper looks for the same four: stale and missing, in pools and among reservations."""
    for name in ("a", "b"):
        scene.add_pod(name)
    scene.add_pool(at1=scene.entry("a"), at2=scene.entry("b"), at3=scene.entry("stale"))
    scene.reserve("10.0.0.1", "a")
    scene.reserve("10.0.0.4", "stale")
    scene.reserve("10.0.0.5", "alive")
    outcome = scene.reconcile()
    assert sorted(told(outcome)) == [
        ("free", "10.0.0.3", "there is no such pod"),
        ("remove reservation", "10.0.0.4", "there is no such pod"),
        ("restore reservation", "10.0.0.2", "others of the pool have reservations"),
    ]
    assert left(outcome) == [("look at", "no pool has the address, and the pod exists")]
    assert scene.held() == ["1", "2"]
    assert scene.reserved() == ["10.0.0.1", "10.0.0.2", "10.0.0.5"]


def test_a_crash_between_the_two_removals_is_finished_by_the_next_run(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("dead"))
    scene.reserve("10.0.0.5", "dead")
    road = scene.cluster.road()
    road.disturb("DELETE", "overlapping", times=-1, cut=True)
    direct, scene.kubeconfig = scene.kubeconfig, scene.cluster.kubeconfig(server=road.url)
    outcome = scene.reconcile()
    assert (scene.held(), scene.reserved(), len(outcome.failed)) == ([], ["10.0.0.5"], 1)
    scene.kubeconfig = direct
    scene.reconcile()
    assert scene.reserved() == []
