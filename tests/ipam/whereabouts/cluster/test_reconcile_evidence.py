"""What proves that nobody has an address any more, and what does not; nothing is asked of anybody."""

from __future__ import annotations

import pytest

from cni_multus.cni.addressing import Ip
from ipam.whereabouts.cluster.evidence import FREE, KEEP, UNSURE, Hold, Node, Pod, World, elsewhere, judge

NOW = 1_000_000.0


def world(**pods: Pod) -> World:
    """Pods of namespace ns, on a ready node `well`, one that was lost an hour ago and one that is off."""
    made = World(NOW)
    made.pods = {f"ns/{name}": pod for name, pod in pods.items()}
    made.nodes = {"well": Node(), "lost": Node(NOW - 3600), "off": Node(NOW - 10, out_of_service=True)}
    return made


ALIVE = {"a": Pod(["1"], running=True), "old": Pod(["2"], ended=True), "going": Pod(["3"], deleting=True)}


@pytest.mark.parametrize(
    ("hold", "decision", "why"),
    [
        (Hold("ns/a"), KEEP, "the pod exists"),
        (Hold("ns/a", uid="1", node="lost"), KEEP, "the pod exists"),
        (Hold("ns/a", uid="9"), FREE, "another pod has that name by now"),
        (Hold("ns/a", uid="9", node="well"), FREE, "another pod has that name by now"),
        (Hold("ns/a", uid="9", node="gone"), FREE, "another pod has that name by now"),
        (Hold("ns/a", uid="9", node="off"), FREE, "another pod has that name by now"),
        (Hold("ns/a", uid="9", node="lost"), UNSURE, "but node lost is not ready"),
        (Hold("ns/none"), FREE, "there is no such pod"),
        (Hold("ns/none", uid="1", node="well"), FREE, "there is no such pod"),
        (Hold("ns/none", uid="1", node="gone"), FREE, "there is no such pod"),
        (Hold("ns/none", uid="1", node="lost"), UNSURE, "its containers may run"),
        (Hold("ns/old"), FREE, "the pod has ended"),
        (Hold("ns/old", uid="2", node="lost"), UNSURE, "the pod has ended, but node lost"),
        (Hold("ns/going", uid="3", node="lost"), KEEP, "the pod exists"),
        (Hold("ns/going", uid="3", node="well"), KEEP, "the pod exists"),
        (Hold("multus-no-pod/4f2a", id_="4f2a"), KEEP, "a container that is no pod's"),
        (Hold("multus-no-pod/4f2a", id_="4f2a", node="gone"), KEEP, "a container that is no pod's"),
        (Hold("", id_="4f2a"), UNSURE, "'' names no pod"),
        (Hold("a"), UNSURE, "'a' names no pod"),
        (Hold("ns/"), UNSURE, "'ns/' names no pod"),
        (Hold("ns/a/b"), UNSURE, "'ns/a/b' names no pod"),
    ],
)
def test_a_pod_keeps_its_address_until_something_shows_that_it_is_gone(hold: Hold, decision: str, why: str) -> None:
    verdict = judge(hold, world(**ALIVE))
    assert verdict.decision == decision
    assert why in verdict.why


@pytest.mark.parametrize(
    ("hold", "decision"),
    [
        (Hold("ns/none", node="lost"), FREE),
        (Hold("ns/going", uid="3", node="lost"), FREE),
        (Hold("ns/going", uid="3", node="off"), FREE),
        (Hold("ns/going", uid="3", node="well"), KEEP),
        (Hold("ns/going", uid="3", node="gone"), KEEP),
        (Hold("ns/a", uid="1", node="lost"), KEEP),
    ],
)
def test_a_node_that_was_lost_for_long_counts_as_gone_where_operators_say_so(hold: Hold, decision: str) -> None:
    assert judge(hold, world(**ALIVE), lost_after=1800).decision == decision


def test_a_node_that_was_lost_a_moment_ago_may_come_back() -> None:
    assert judge(Hold("ns/none", node="lost"), world(), lost_after=7200).decision == UNSURE
    assert judge(Hold("ns/going", uid="3", node="lost"), world(**ALIVE), lost_after=7200).decision == KEEP


def test_a_static_pod_is_known_by_what_its_kubelet_calls_it() -> None:
    mirrored = world(a=Pod(["of-the-mirror", "of-the-file"]))
    assert judge(Hold("ns/a", uid="of-the-file"), mirrored).decision == KEEP
    assert judge(Hold("ns/a", uid="of-the-mirror"), mirrored).decision == KEEP


def test_a_long_uid_is_compared_as_labels_have_it() -> None:
    long = "u" * 100
    pod = Pod([long])
    assert judge(Hold("ns/a", uid=next(iter(pod.uids))), world(a=pod)).decision == KEEP


@pytest.mark.parametrize(
    ("hold", "decision", "why"),
    [
        (Hold("ns/vm", id_="c1", claim="ns/vm"), KEEP, "the claim exists"),
        (Hold("ns/vm", id_="c1"), KEEP, "the claim exists"),
        (Hold("ns/vm", id_="c0", claim="ns/vm"), FREE, "another claim has that name"),
        (Hold("ns/vm", id_="c0"), FREE, "there is no such pod"),
        (Hold("ns/late", id_="c2", claim="ns/late"), FREE, "there is no such claim"),
        (Hold("ns/late", id_="c2", claim="ns/late", node="lost"), UNSURE, "not ready"),
        (Hold("ns/used", id_="c3", claim="ns/used"), KEEP, "a pod that exists names the claim"),
        (Hold("ns/used", id_="c3"), KEEP, "a pod that exists names the claim"),
        (Hold("ns/a", id_="c4"), KEEP, "the pod exists"),
    ],
)
def test_a_claim_keeps_its_address_as_long_as_it_exists_or_is_in_use(hold: Hold, decision: str, why: str) -> None:
    seen = world(**ALIVE)
    seen.claims = {"ns/vm": "c1", "ns/a": "c5"}
    seen.users = {"ns/used"}
    verdict = judge(hold, seen)
    assert verdict.decision == decision
    assert why in verdict.why


A, B, C = Ip.parse("10.0.0.1"), Ip.parse("10.0.0.2"), Ip.parse("fd00::1")


@pytest.mark.parametrize(
    ("pod", "freed"),
    [
        (Pod(["1"], running=True, addresses={"net1": {A}}), True),
        (Pod(["1"], running=True, addresses={"net1": {A, B}}), False),
        (Pod(["1"], running=True, addresses={"net1": {A}, "net2": {B}}), False),
        (Pod(["1"], running=True, addresses={"net2": {A}}), False),
        (Pod(["1"], running=True, addresses={"net1": {C}}), False),
        (Pod(["1"], running=True), False),
        (Pod(["1"], running=False, addresses={"net1": {A}}), False),
        (Pod(["1"], running=True, deleting=True, addresses={"net1": {A}}), False),
    ],
)
def test_a_second_address_is_freed_only_where_the_pod_shows_the_first(pod: Pod, freed: bool) -> None:
    verdict = elsewhere(B, [A, B], "net1", pod)
    assert (verdict is not None) == freed
    if verdict:
        assert verdict.why == "the pod has 10.0.0.1 on net1 instead"
