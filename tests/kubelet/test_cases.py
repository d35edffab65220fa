"""The cases as operators apply them, with kubectl; those that want another kernel are for the virtual machine."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from cni_multus.linux.links import add_veth, change_link, remove_link
from cni_multus.linux.netns import Namespace
from tests.cases.promises import Seen
from tests.cases.scene import CASES
from tests.kubelet.pods import KubePod, definition, manifest
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cases.promises import Case
    from tests.kubelet.node import KubeNode


class Applied:
    """A case's uplinks and networks, and what has become of its pods."""

    def __init__(self, node: KubeNode, case: Case, opened: ExitStack) -> None:
        self.node = node
        self.case = case
        host = opened.enter_context(Namespace.open(node.inside.netns))
        for at, name in enumerate(case["uplinks"]):
            uplink = add_veth(host, name, peer=f"switch{at}", peer_namespace=host)
            opened.callback(remove_link, host, name)
            change_link(host, uplink.parent, up=True)
        namespaces = {each["namespace"] for each in (*case["networks"], *case["pods"])} - {"default"}
        for name in namespaces:
            node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        definitions = [
            definition(each["name"], each["namespace"], each["config"], **each.get("annotations", {}))
            for each in case["networks"]
        ]
        node.apply(*definitions)
        opened.callback(node.delete, *definitions)

    def run(self, told: Case) -> KubePod:
        """One of its pods, which runs."""
        return self.ask(told).running()

    def ask(self, told: Case) -> KubePod:
        """One of its pods, of which nobody knows whether it will run."""
        self.node.apply(manifest(told["name"], told["namespace"], self.node.name, **told["annotations"]))
        return KubePod(self.node, told["namespace"], told["name"])

    def expect(self, pod: KubePod, promised: Case) -> None:
        """The pod has what the case promises, in its namespace and in the API."""
        uplink = Shown(self.node.inside.netns).link(self.case["uplinks"][0])
        Seen(pod.shown, pod.status, uplink).keeps(promised)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_second_interface_that_wants_a_default_route(node_alone: KubeNode, opened: ExitStack) -> None:
    applied = Applied(node_alone, CASES["macvlan-host-local"], opened)
    [told] = applied.case["pods"]
    pod = applied.run(told)
    applied.expect(pod, told["expect"])
    pod.delete()


def test_a_pod_may_not_name_networks_of_other_namespaces(node_alone: KubeNode, opened: ExitStack) -> None:
    applied = Applied(node_alone, CASES["ipvlan-l2-whereabouts"], opened)
    [told] = (pod for pod in applied.case["pods"] if pod["expect"].get("refused"))
    pod = applied.ask(told)
    message = pod.told("NetworkNotAllowed")
    assert "privileged/secret-network" in message
    assert pod.name in message or "default" in message
    assert "NetworkNotAllowed" in node_alone.kubectl("describe", "pod", pod.name)
    assert "containerStatuses" not in pod.document["status"] or pod.document["status"]["phase"] == "Pending"
    pod.delete()
