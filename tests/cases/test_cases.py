"""What operators of other platforms are told to write, and what they are promised: unchanged, by the meta-plugin.

Annotations are not read yet: a pod's networks stand in 00-multus.conf as delegates, named as their definitions are.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from cni_multus.linux.links import add_bridge, add_veth, change_link
from cni_multus.linux.netns import Namespace
from tests.cases.scene import CASES, Scene, asked_by, expect
from tests.node import Node
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cases.scene import Case
    from tests.cluster.cluster import Cluster
    from tests.conftest import MakeNamespace

OVER_NODES = {name for name, case in CASES.items() if case.get("nodes", 1) > 1}

RUN = [
    pytest.param(name, marks=[pytest.mark.vm] if "ipvlan" in json.dumps(case["networks"]) else [], id=name)
    for name, case in sorted(CASES.items())
    if name not in OVER_NODES
]


@pytest.fixture
def scene(host: Namespace, netns: MakeNamespace, tmp_path: Path) -> Callable[[str], Scene]:
    return lambda name: Scene(CASES[name], Node(host, tmp_path), netns)


def test_every_case_is_run() -> None:
    assert {parameter.values[0] for parameter in RUN} | OVER_NODES == set(CASES)
    assert {"macvlan-whereabouts-conflist"} == OVER_NODES


@pytest.mark.parametrize("name", RUN)
def test_operators_see_what_they_are_promised(scene: Callable[[str], Scene], name: str) -> None:
    here = scene(name)
    pods = []
    for told in here.case["pods"]:
        if told["expect"].get("refused"):
            continue  # whether a pod may name a network of another namespace, nothing decides yet
        pod, answer = here.attach(told["name"], asked_by(told))
        answer.succeeded()
        pods.append((pod, asked_by(told)))
        expect(here, pod, told["expect"])
        here.check(pod, asked_by(told))
    for pod, asked in pods:
        here.delete(pod, asked)
    assert here.remains([pod for pod, _ in pods]) == {}


@pytest.mark.vm
def test_a_range_that_is_used_up_is_told_by_its_name(scene: Callable[[str], Scene]) -> None:
    here = scene("ipvlan-l3-host-local")
    for number in range(5):
        here.attach(f"pod{number}", "ipvlan-conf-1")[1].succeeded()
    _, answer = here.attach("sixth", "ipvlan-conf-1")
    assert "192.168.1.13-192.168.1.17" in answer.failed(11)


@pytest.mark.parametrize("name", sorted(OVER_NODES))
def test_pods_of_several_nodes_have_addresses_of_one_cluster(
    cluster: Cluster, netns: MakeNamespace, tmp_path: Path, name: str
) -> None:
    """Nodes are on one segment; what makes them one cluster is the flat file alone, as its installer writes it."""
    case = CASES[name]
    with ExitStack() as opened:
        segment = opened.enter_context(Namespace.open(netns("segment")))
        hosts = [opened.enter_context(Namespace.open(netns(f"node{number}"))) for number in range(case["nodes"])]
        join(hosts, segment, case["uplinks"][0])
        nodes = [installed(case, host, cluster, netns, tmp_path / f"of-{at}") for at, host in enumerate(hosts)]
        pods = []
        for told in case["pods"]:
            here = nodes[told["node"]]
            pod, answer = here.attach(told["name"], asked_by(told))
            answer.succeeded()
            pods.append((here, pod, asked_by(told)))
            expect(here, pod, told["expect"])
        given = [entry["ips"][0] for told in case["pods"] for entry in told["expect"]["status"]]
        for (here, pod, asked), own in zip(pods, given, strict=True):
            here.check(pod, asked)
            for address in set(given) - {own}:
                assert Shown(pod.netns).reaches(address, "-I net1")
        [pool] = cluster.objects("ippools").values()
        assert sorted(pool["spec"]["allocations"]) == ["10", "11", "12"]
        for here, pod, asked in pods:
            here.delete(pod, asked)
        for here, pod, _ in pods:
            assert here.remains([pod]) == {}
        [pool] = cluster.objects("ippools").values()
        assert pool["spec"]["allocations"] == cluster.objects("overlappingrangeipreservations") == {}


def join(hosts: list[Namespace], segment: Namespace, name: str) -> None:
    """Give each host an uplink of this name; the other ends are in one bridge."""
    switch = add_bridge(segment, "switch").index
    for number, host in enumerate(hosts):
        uplink = add_veth(host, name, peer=f"port{number}", peer_namespace=segment)
        change_link(segment, uplink.parent, master=switch, up=True)


def installed(case: Case, host: Namespace, cluster: Cluster, netns: MakeNamespace, directory: Path) -> Scene:
    """A node of the cluster, with what its installer leaves there."""
    installed = directory / "whereabouts.d"
    installed.mkdir(parents=True)
    kubeconfig = cluster.reachable_from(host.path)
    document = {"datastore": "kubernetes", "kubernetes": {"kubeconfig": str(kubeconfig)}}
    (installed / "whereabouts.conf").write_text(json.dumps(document))
    (installed / "nodename").write_text(f"{directory.name}\n")
    return Scene(case, Node(host, directory), netns, joined=True, configuration_path=str(installed))
