"""The cases as operators apply them, with kubectl; those that want another kernel are for the virtual machine."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from cni_multus.linux.links import add_veth, change_link, remove_link
from cni_multus.linux.netns import Namespace
from tests.cases.asked import turn
from tests.cases.promises import BRIDGE, Seen, primary_of
from tests.cases.scene import CASES
from tests.kubelet.pods import KubePod, definition, manifest
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cases.promises import Case
    from tests.kubelet.node import KubeNode


class Applied:
    """A case's uplinks and networks, and what has become of its pods; with a second node, the uplink leads there."""

    def __init__(self, case: Case, opened: ExitStack, node: KubeNode, second: KubeNode | None = None) -> None:
        self.node = node
        self.case = case
        opened.enter_context(turn(node.server.api, case))
        host = opened.enter_context(Namespace.open(node.inside.netns))
        other = opened.enter_context(Namespace.open(second.inside.netns)) if second else host
        for at, name in enumerate(case["uplinks"]):
            uplink = add_veth(host, name, peer=name if second else f"switch{at}", peer_namespace=other)
            opened.callback(remove_link, host, name)
            change_link(other, uplink.parent, up=True)
        opened.callback(remove_link, host, BRIDGE)
        namespaces = {each["namespace"] for each in (*case["networks"], *case["pods"])} - {"default"}
        for name in namespaces:
            node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        definitions = [
            definition(each["name"], each["namespace"], each["config"], **each.get("annotations", {}))
            for each in case["networks"]
        ]
        node.apply(*definitions)
        opened.callback(node.delete, *definitions)

    def ask(self, told: Case, node: KubeNode | None = None) -> KubePod:
        """One of its pods, on the first node or another."""
        where = node or self.node
        where.apply(manifest(told["name"], told["namespace"], where.name, **told["annotations"]))
        return KubePod(where, told["namespace"], told["name"])

    def expect(self, pod: KubePod, promised: Case) -> None:
        """The pod has what the case promises, in its namespace and in the API."""
        uplink = Shown(self.node.inside.netns).link(self.case["uplinks"][0])
        Seen(pod.shown, pod.status, uplink).keeps(promised)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_second_interface_that_wants_a_default_route(node_alone: KubeNode, opened: ExitStack) -> None:
    applied = Applied(CASES["macvlan-host-local"], opened, node_alone)
    opened.enter_context(node_alone.configured(delegates=[primary_of(applied.case)]))
    [told] = applied.case["pods"]
    pod = applied.ask(told).running()
    applied.expect(pod, told["expect"])
    pod.delete()


def test_a_pod_may_not_name_networks_of_other_namespaces(node_alone: KubeNode, opened: ExitStack) -> None:
    applied = Applied(CASES["ipvlan-l2-whereabouts"], opened, node_alone)
    [told] = (pod for pod in applied.case["pods"] if pod["expect"].get("refused"))
    pod = applied.ask(told)
    message = pod.told("NetworkNotAllowed")
    assert "privileged/secret-network" in message
    assert pod.name in message or "default" in message
    assert "NetworkNotAllowed" in node_alone.kubectl("describe", "pod", pod.name)
    assert "containerStatuses" not in pod.document["status"] or pod.document["status"]["phase"] == "Pending"
    pod.delete()


def test_pods_of_two_nodes_have_addresses_of_one_cluster(
    node_alone: KubeNode, second_node: KubeNode, opened: ExitStack
) -> None:
    nodes = (node_alone, second_node)
    applied = Applied(CASES["macvlan-whereabouts-conflist"], opened, *nodes)
    pods = []
    for told in applied.case["pods"]:
        pods.append(applied.ask(told, nodes[told["node"]]).running())
        applied.expect(pods[-1], told["expect"])
    given = [entry["ips"][0] for pod in pods for entry in pod.status if entry["interface"] == "net1"]
    for pod, own in zip(pods, given, strict=True):
        for address in set(given) - {own}:
            assert pod.shown.reaches(address, "-I net1")
    assert node_alone.allocations("192.168.20.0-24") == [f"default/{pod.name}" for pod in pods]
    for pod in pods:
        pod.delete()
    assert node_alone.allocations("192.168.20.0-24") == []
