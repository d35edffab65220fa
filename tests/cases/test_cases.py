"""What operators of other platforms are told to write, and what they are promised: unchanged, by the meta-plugin.

Those that want another kernel are in test_ipvlan.py; tests/kubelet has some as a real node runs them.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

from cni_multus.linux.links import add_bridge, add_veth, change_link
from cni_multus.linux.netns import Namespace
from tests.cases.asked import Asked
from tests.cases.scene import CASES, Scene, on_node
from tests.cases.test_ipvlan import IPVLAN
from tests.node import Node
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cases.scene import Case
    from tests.cluster.cluster import Cluster
    from tests.conftest import MakeNamespace

ON_ONE_NODE, OVER_NODES = "macvlan-host-local", "macvlan-whereabouts-conflist"


def test_every_case_is_run() -> None:
    assert {*IPVLAN, ON_ONE_NODE, OVER_NODES} == set(CASES)


def holds(here: Scene) -> None:
    """All pods of a case have what they are promised, until they are taken away."""
    pods = []
    for told in here.case["pods"]:
        pod, answer = here.attach(told)
        answer.succeeded()
        pods.append(pod)
        here.expect(pod)
        here.check(pod)
    for pod in pods:
        here.delete(pod)
    assert here.remains(pods) == {}


def test_definitions_are_read_from_the_api(
    cluster: Cluster, host: Namespace, netns: MakeNamespace, tmp_path: Path
) -> None:
    case, node = CASES[ON_ONE_NODE], Node(host, tmp_path)
    with Asked(case, cluster.api, on_node(node)) as asked:
        holds(Scene(case, node, netns, asked, str(cluster.reachable_from(host.path))))


def test_definitions_are_read_from_files(host: Namespace, netns: MakeNamespace, tmp_path: Path) -> None:
    holds(Scene(CASES[ON_ONE_NODE], Node(host, tmp_path), netns))


def test_pods_of_several_nodes_have_addresses_of_one_cluster(
    cluster: Cluster, netns: MakeNamespace, tmp_path: Path
) -> None:
    """Nodes are on one segment; what makes them one cluster is the flat file alone, as its installer writes it."""
    case = CASES[OVER_NODES]
    with ExitStack() as opened:
        segment = opened.enter_context(Namespace.open(netns("segment")))
        hosts = [opened.enter_context(Namespace.open(netns(f"node{number}"))) for number in range(case["nodes"])]
        join(hosts, segment, case["uplinks"][0])
        nodes = [installed(case, host, cluster, netns, tmp_path / f"of-{at}") for at, host in enumerate(hosts)]
        pods = []
        for told in case["pods"]:
            here = nodes[told["node"]]
            pod, answer = here.attach(told)
            answer.succeeded()
            pods.append((here, pod))
            here.expect(pod)
        given = [entry["ips"][0] for told in case["pods"] for entry in told["expect"]["status"]]
        for (here, pod), own in zip(pods, given, strict=True):
            here.check(pod)
            for address in set(given) - {own}:
                assert Shown(pod.netns).reaches(address, "-I net1")
        [pool] = cluster.objects("ippools").values()
        assert sorted(pool["spec"]["allocations"]) == ["10", "11", "12"]
        for here, pod in pods:
            here.delete(pod)
        for here, pod in pods:
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
