"""A reconciliation of pools, on a real API server: what it frees, and what it leaves to those who have it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import ApiFailure, CniError, TryAgainLater
from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.kubeconfig import load_kubeconfig
from ipam.whereabouts.cluster.reconcile import reconcile
from tests.cluster.cluster import rule
from tests.cluster.disturbances import refusal
from tests.ipam.whereabouts.cluster.reconciling import POOL, Scene, left, told

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster


@pytest.fixture
def scene(cluster: Cluster) -> Scene:
    return Scene(cluster)


def test_the_address_of_a_dead_pod_is_freed_and_reported(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("dead"))
    outcome = scene.reconcile()
    assert told(outcome) == [("free", "10.0.0.5", "there is no such pod")]
    assert scene.held() == []
    assert outcome.done[0].to_json() == {
        "action": "free",
        "address": "10.0.0.5",
        "pool": POOL,
        "pod": scene.ref("dead"),
        "interface": "net1",
        "container": "c",
        "why": "there is no such pod",
    }


def test_of_two_pods_only_the_dead_ones_address_is_freed(scene: Scene) -> None:
    scene.add_pod("alive")
    scene.add_pool(at5=scene.entry("dead"), at6=scene.entry("alive"))
    scene.reconcile()
    assert scene.held() == ["6"]


def test_where_nothing_is_wrong_nothing_is_done_and_nobody_waits(scene: Scene) -> None:
    scene.add_pod("alive")
    scene.add_pool(at6=scene.entry("alive"))
    scene.reserve("10.0.0.6", "alive")

    def never() -> None:
        pytest.fail("it waited")

    outcome = scene.reconcile(between=never)
    assert (outcome.done, outcome.left, outcome.failed) == ([], [], [])
    assert (outcome.pools, outcome.allocations, outcome.reservations, outcome.pods) == (1, 1, 1, 1)


@pytest.mark.parametrize("phase", ["Pending", "Running", "Unknown"])
@pytest.mark.parametrize(
    "status",
    [
        None,
        [],
        [{"name": "net", "interface": "net1", "ips": ["10.0.0.5/24"]}],
        [{"name": "net", "interface": "net1", "ips": ["FD00:0:0::5"]}],
        [{"name": "default", "interface": "eth0", "ips": ["10.0.0.5"], "default": True}],
        [{"name": "default", "interface": "eth0", "ips": ["10.9.9.9"], "default": True}],
        "not a list",
    ],
)
def test_a_pod_keeps_its_address_whatever_its_status_says(scene: Scene, phase: str, status: object) -> None:
    scene.add_pod("alive", phase=phase, status=status)
    scene.add_pool(at5=scene.entry("alive"))
    scene.add_pool("fd00---64", "fd00::/64", at5=scene.entry("alive"))
    assert told(scene.reconcile()) == []
    assert scene.held() == ["5"]
    assert scene.held("fd00---64") == ["5"]


def test_reservations_of_named_networks_stay_with_their_pods(scene: Scene) -> None:
    scene.add_pod("alive")
    for name in ("blue", "a-b-10.0.0.0", "x-1"):
        scene.add_pool(f"{name}-10.0.0.0-24", at5=scene.entry("alive"))
        scene.reserve(f"{name}-10.0.0.5", "alive")
        scene.add_pool(f"{name}-fd00---64", "fd00::/64", at5=scene.entry("alive"))
        scene.reserve(f"{name}-fd00--5", "alive")
    before = scene.reserved()
    outcome = scene.reconcile()
    assert (outcome.done, outcome.left) == ([], [])
    assert scene.reserved() == before


def test_a_dead_pods_reservation_goes_with_its_address(scene: Scene) -> None:
    scene.add_pool("blue-10.0.0.0-24", at5=scene.entry("dead"))
    scene.reserve("blue-10.0.0.5", "dead")
    outcome = scene.reconcile()
    assert told(outcome) == [("free", "10.0.0.5", "there is no such pod")]
    assert scene.held("blue-10.0.0.0-24") == []
    assert scene.reserved() == []


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_gives_its_address_back(scene: Scene, phase: str) -> None:
    scene.add_pod("ended", phase=phase)
    scene.add_pool(at5=scene.entry("ended"))
    assert told(scene.reconcile()) == [("free", "10.0.0.5", "the pod has ended")]
    assert scene.held() == []


def test_a_pod_of_the_same_name_does_not_keep_its_predecessors_address(scene: Scene) -> None:
    uid = scene.add_pod("web-0")
    scene.add_pool(at5=scene.entry("web-0", "old"), at6=scene.entry("web-0", "new"))
    scene.reserve("10.0.0.5", "web-0", container="old", uid="another")
    scene.reserve("10.0.0.6", "web-0", container="new", uid=uid)
    assert told(scene.reconcile()) == [("free", "10.0.0.5", "another pod has that name by now")]
    assert scene.held() == ["6"]
    assert scene.reserved() == ["10.0.0.6"]


def test_what_a_peer_took_over_for_the_next_pod_is_that_pods(scene: Scene) -> None:
    """Whereabouts gives the address to the next pod of that name, and leaves our reservation as it is."""
    scene.add_pod("web-0")
    scene.add_pool(at5=scene.entry("web-0", "of-the-peer"))
    scene.reserve("10.0.0.5", "web-0", container="ours", uid="another")
    assert told(scene.reconcile()) == []
    assert scene.held() == ["5"]


def test_a_pod_from_a_file_keeps_its_address(scene: Scene) -> None:
    scene.add_pod("mirror", annotations={"kubernetes.io/config.hash": "4f2a", "kubernetes.io/config.mirror": "4f2a"})
    scene.add_pool(at5=scene.entry("mirror"))
    scene.reserve("10.0.0.5", "mirror", container="c", uid="4f2a")
    assert told(scene.reconcile()) == []


def test_what_may_run_on_a_node_that_does_not_answer_is_left(scene: Scene) -> None:
    lost = scene.add_node("lost", "Unknown")
    well = scene.add_node("well")
    scene.add_pool(at5=scene.entry("a"), at6=scene.entry("b"), at7=scene.entry("c"))
    for at, (pod, node) in enumerate({"a": lost, "b": well, "c": "no-such-node"}.items(), 5):
        scene.reserve(f"10.0.0.{at}", pod, container="c", uid="1", node=node)
    outcome = scene.reconcile()
    assert scene.held() == ["5"]
    assert left(outcome) == [("wait", f"there is no such pod, but node {lost} is not ready: its containers may run")]
    assert outcome.contradictions() == []
    outcome = scene.reconcile(lost_after=3600)
    assert scene.held() == []


def test_a_node_that_operators_declare_off_has_nothing_any_more(scene: Scene) -> None:
    taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    off = scene.add_node("off", "Unknown", taints=[taint])
    scene.add_pool(at5=scene.entry("a"))
    scene.reserve("10.0.0.5", "a", container="c", uid="1", node=off)
    scene.reconcile()
    assert scene.held() == []


def test_containers_without_a_pod_are_left_to_their_nodes(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("multus-no-pod/4f2a", "4f2a"), at6=scene.entry("multus-no-pod/77", "77"))
    scene.reserve("10.0.0.5", "multus-no-pod/4f2a", container="4f2a", node="podman")
    outcome = scene.reconcile()
    assert (outcome.done, outcome.left) == ([], [])


def test_of_two_addresses_for_one_interface_the_one_that_the_pod_shows_stays(scene: Scene) -> None:
    scene.add_pod("alive", status=[{"name": "net", "interface": "net1", "ips": ["10.0.0.6/24"]}])
    scene.add_pool(
        at5=scene.entry("alive", "old"), at6=scene.entry("alive", "new"), at7=scene.entry("alive", "c", "net2")
    )
    assert told(scene.reconcile()) == [("free", "10.0.0.5", "the pod has 10.0.0.6 on net1 instead")]
    assert scene.held() == ["6", "7"]


@pytest.mark.parametrize("ips", [[], ["10.0.0.5", "10.0.0.6"], ["10.0.0.7"]])
def test_of_two_addresses_for_one_interface_both_stay_where_the_pod_does_not_tell(scene: Scene, ips: list[str]) -> None:
    scene.add_pod("alive", status=[{"name": "net", "interface": "net1", "ips": ips}])
    scene.add_pool(at5=scene.entry("alive", "old"), at6=scene.entry("alive", "new"))
    assert told(scene.reconcile()) == []


def test_a_pod_that_comes_between_the_looks_keeps_its_address(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("late"), at6=scene.entry("dead"))
    scene.reconcile(between=lambda: scene.add_pod("late"))
    assert scene.held() == ["5"]


def test_an_address_that_changes_hands_between_the_looks_is_looked_at_anew(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("dead", "old"))

    def change() -> None:
        path = scene.cluster.path("ippools", POOL)
        new = [{"op": "replace", "path": "/spec/allocations/5/id", "value": "new"}]
        scene.cluster.api.json_patch(path, new).expect(200)

    assert told(scene.reconcile(between=change)) == []
    assert scene.held() == ["5"]


def test_an_address_that_changes_hands_at_the_last_moment_stays(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("dead"), at6=scene.entry("dead", ifname="net2"), at7=scene.entry("gone"))
    road = scene.cluster.road()
    path = scene.cluster.path("ippools", POOL)
    new = [{"op": "replace", "path": "/spec/allocations/5/id", "value": "new"}]
    road.disturb("PATCH", POOL, before=lambda _: scene.cluster.api.json_patch(path, new).expect(200))
    scene.kubeconfig = scene.cluster.kubeconfig(server=road.url)
    outcome = scene.reconcile()
    assert scene.held() == ["5"]
    assert [step.allocation.key for step in outcome.done if step.allocation] == ["6", "7"]
    assert outcome.failed == []


def test_a_dry_run_tells_the_same_and_does_nothing(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("dead"))
    scene.reserve("10.0.0.5", "dead")
    scene.reserve("10.0.0.9", "dead")
    dry = told(scene.reconcile(dry_run=True))
    assert scene.held() == ["5"]
    assert scene.reserved() == ["10.0.0.5", "10.0.0.9"]
    assert told(scene.reconcile()) == dry
    assert told(scene.reconcile()) == []


def test_a_pool_that_cannot_be_changed_stops_no_other(scene: Scene) -> None:
    for name in ("a", "b", "c"):
        scene.add_pool(f"{name}-10.0.0.0-24", at5=scene.entry("dead"))
    road = scene.cluster.road()
    road.disturb("PATCH", "b-10.0.0.0-24", times=-1, answer=refusal(500))
    scene.kubeconfig = scene.cluster.kubeconfig(server=road.url)
    outcome = scene.reconcile()
    assert [scene.held(f"{name}-10.0.0.0-24") for name in ("a", "b", "c")] == [[], ["5"], []]
    assert [(step.pool.name, "500" in why) for step, why in outcome.failed if step.pool] == [("b-10.0.0.0-24", True)]
    assert len(outcome.done) == 2


def test_an_answer_that_is_lost_is_looked_after(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("dead"), at6=scene.entry("gone"))
    scene.reserve("10.0.0.5", "dead")
    road = scene.cluster.road()
    road.disturb("PATCH", POOL, lose=True)
    road.disturb("DELETE", "overlapping", lose=True)
    scene.kubeconfig = scene.cluster.kubeconfig(server=road.url)
    outcome = scene.reconcile()
    assert (scene.held(), scene.reserved()) == ([], [])
    assert outcome.failed == []
    assert len(outcome.done) == 2


@pytest.mark.parametrize("away", ["pods", "nodes", "ipamclaims", "ippools", "overlappingrangeipreservations"])
def test_without_a_list_of_everything_nothing_is_freed(scene: Scene, away: str) -> None:
    scene.add_pool(at5=scene.entry("dead"))
    road = scene.cluster.road()
    road.disturb("GET", away, times=-1, answer=refusal(403, f"{away} is forbidden"))
    scene.kubeconfig = scene.cluster.kubeconfig(server=road.url)
    with pytest.raises(ApiFailure, match=away):
        scene.reconcile()
    assert scene.held() == ["5"]


def test_a_list_that_ends_too_early_frees_nothing(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("dead"))
    road = scene.cluster.road()
    road.disturb("GET", "/pods", times=-1, truncate=40)
    scene.kubeconfig = scene.cluster.kubeconfig(server=road.url)
    with pytest.raises(CniError):
        scene.reconcile(seconds=5)
    assert scene.held() == ["5"]


def test_no_server_is_told_at_once(scene: Scene) -> None:
    road = scene.cluster.road()
    scene.kubeconfig = scene.cluster.kubeconfig(server=road.url)
    road.close()
    with pytest.raises(TryAgainLater):
        scene.reconcile()


def test_four_at_once_do_it_once(scene: Scene) -> None:
    scene.add_pod("alive")
    scene.reserve("10.0.0.250", "alive")
    entries: Any = {f"at{at}": scene.entry(f"dead{at}") for at in range(1, 41)}
    scene.add_pool(at250=scene.entry("alive"), **entries)
    for at in range(1, 41):
        scene.reserve(f"10.0.0.{at}", f"dead{at}")
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda _: scene.reconcile(), range(4)))
    assert scene.held() == ["250"]
    assert scene.reserved() == ["10.0.0.250"]
    assert [outcome.failed for outcome in outcomes] == [[]] * 4


def test_thousands_are_freed_in_a_few_calls(scene: Scene) -> None:
    entries: Any = {f"at{at}": scene.entry(f"dead{at}") for at in range(1, 3001)}
    scene.add_pod("alive")
    scene.add_pool("10.0.0.0-16", "10.0.0.0/16", at60000=scene.entry("alive"), **entries)
    road = scene.cluster.road()
    scene.kubeconfig = scene.cluster.kubeconfig(server=road.url)
    outcome = scene.reconcile()
    assert scene.held("10.0.0.0-16") == ["60000"]
    assert len(outcome.done) == 3000
    assert road.count("PATCH") == 12


def test_old_and_odd_records_are_freed_as_well(scene: Scene) -> None:
    old = {"id": "c", "podref": scene.ref("dead")}
    huge = str((1 << 63) + 5)
    scene.cluster.add_pool("fd00---48", "fd00::/48", {"1": old, huge: old, "x": old, "-4": old, "999": old})
    outcome = scene.reconcile()
    assert scene.held("fd00---48") == []
    assert ("free", "fd00::8000:0:0:5", "there is no such pod") in told(outcome)


def test_odd_records_of_the_living_are_told(scene: Scene) -> None:
    scene.add_pod("alive")
    entries = {
        "1": scene.entry("alive"),
        "x": scene.entry("alive", ifname="net2"),
        "900": scene.entry("alive", ifname="net3"),
    }
    scene.cluster.add_pool(POOL, "10.0.0.0/24", entries)
    scene.cluster.add_pool("10.1.0.7-24", "10.1.0.7/24", {"1": scene.entry("nowhere", ifname="net4")})
    scene.cluster.add_pool("odd", "10.2.0.0/24", {"1": {"id": "c", "podref": "no-slash"}})
    outcome = scene.reconcile()
    assert sorted(left(outcome)) == [
        ("look at", "'900' is no address of 10.0.0.0/24"),
        ("look at", "'x' is no address of 10.0.0.0/24"),
        ("look at", "spec.range is '10.1.0.7/24', not the address of a network: peers count differently"),
        ("wait", "'no-slash' names no pod"),
    ]
    assert told(outcome) == [("free", "10.1.0.8", "there is no such pod")]
    assert len(outcome.contradictions()) == 3


def test_least_rights_are_enough(scene: Scene, cluster: Cluster) -> None:
    everywhere = [rule(what, "list,get") for what in ("pods", "nodes", "ipamclaims")]
    inside = [
        rule("ippools", "get,list,patch,delete"),
        rule("overlappingrangeipreservations", "get,list,create,delete"),
        rule("nodeslicepools", "get,list,patch"),
    ]
    token = cluster.token(*everywhere, *inside, cluster_wide=True)
    scene.add_pool(at5=scene.entry("dead"))
    scene.reserve("10.0.0.5", "dead")
    access = load_kubeconfig(str(cluster.kubeconfig(token=token)))
    with Client(access, Deadline(60)) as client:
        outcome = reconcile(client, cluster.namespace, grace=0)
    assert outcome.failed == []
    assert (scene.held(), scene.reserved()) == ([], [])


def test_a_claim_keeps_its_address_without_a_pod(scene: Scene) -> None:
    uid = scene.cluster.create("ipamclaims", "vm", spec={"network": "net", "interface": "net1"})["metadata"]["uid"]
    scene.add_pool(at5=scene.entry("vm", uid), at6=scene.entry("gone", "c0ffee"), at7=scene.entry("vm", "an-older-one"))
    scene.reserve("10.0.0.5", "vm", container=uid, claim=scene.ref("vm"))
    scene.reserve("10.0.0.6", "gone", container="c0ffee", claim=scene.ref("gone"))
    scene.reserve("10.0.0.7", "vm", container="an-older-one", claim=scene.ref("vm"))
    assert sorted(told(scene.reconcile())) == [
        ("free", "10.0.0.6", "there is no such claim"),
        ("free", "10.0.0.7", "another claim has that name by now"),
    ]
    assert scene.held() == ["5"]
    assert scene.reserved() == ["10.0.0.5"]


def test_a_claim_that_a_running_machine_names_keeps_its_address_when_it_is_deleted(scene: Scene) -> None:
    networks = '[{"name": "net", "ipam-claim-reference": "vm"}]'
    scene.add_pod("launcher", annotations={"k8s.v1.cni.cncf.io/networks": networks})
    scene.add_pool(at5=scene.entry("vm", "c0ffee"))
    scene.reserve("10.0.0.5", "vm", container="c0ffee", claim=scene.ref("vm"))
    assert told(scene.reconcile()) == []
    scene.cluster.delete_pod("launcher")
    assert told(scene.reconcile()) == [("free", "10.0.0.5", "there is no such claim")]


def test_a_cluster_without_slices_or_claims_is_reconciled(scene: Scene) -> None:
    scene.add_pool(at5=scene.entry("dead"))
    road = scene.cluster.road()
    absent: Any = (404, b"404 page not found\n", {})
    road.disturb("GET", "ipamclaims", times=-1, answer=absent)
    road.disturb("GET", "nodeslicepools", times=-1, answer=absent)
    scene.kubeconfig = scene.cluster.kubeconfig(server=road.url)
    scene.reconcile()
    assert scene.held() == []
