"""Pods' lives on a real node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.kubelet.networks import macvlan, pooled
from tests.kubelet.node import until
from tests.kubelet.pods import KubePod, definition, manifest

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster
    from tests.kubelet.node import KubeNode

MANY = 16


def test_a_pod_that_asks_for_nothing(node: KubeNode, cluster: Cluster) -> None:
    node.apply(manifest("plain", cluster.namespace, node.name))
    pod = KubePod(node, cluster.namespace, "plain").running()
    [address] = pod.shown.addresses("eth0")
    assert address.startswith("10.244.0.")
    assert pod.document["status"]["podIP"] == address.partition("/")[0]
    assert address in pod.execute("ip", "address", "show", "dev", "eth0")
    assert pod.traces()
    pod.delete()


def test_a_pod_that_ends_in_its_own_time(node: KubeNode, cluster: Cluster) -> None:
    """The kubelet tells the API that it is gone when everything of it is."""
    node.apply(definition("red", cluster.namespace, macvlan(cluster.namespace, "10.71.0.0/24")))
    node.apply(manifest("leaves", cluster.namespace, node.name, "red"))
    pod = KubePod(node, cluster.namespace, "leaves").running()
    node.kubectl("delete", "pod", pod.name, f"--namespace={cluster.namespace}", "--timeout=60s")
    pod.gone()


def test_a_pod_that_only_the_node_knows(node: KubeNode, cluster: Cluster) -> None:
    """A static pod; what the API has of it is a mirror."""
    node.apply(definition("red", cluster.namespace, macvlan(cluster.namespace, "10.72.0.0/24")))
    document = manifest("static", cluster.namespace, "", "red")
    del document["spec"]["nodeName"]
    written = node.directory / f"{cluster.namespace}.json"
    written.write_text(json.dumps(document))
    placed = written.rename(node.directory / "manifests" / written.name)
    pod = KubePod(node, cluster.namespace, f"static-{node.name}")
    until(lambda: pod.exists, lambda: f"no mirror of the static pod\n{node.log()}")
    assert pod.running().shown.links() == {"eth0", "net1"}
    assert [entry["interface"] for entry in pod.status] == ["eth0", "net1"]
    placed.unlink()
    pod.gone()


def test_many_at_once(node_alone: KubeNode, cluster: Cluster) -> None:
    node = node_alone
    before = node.everything()
    names = [f"one-of-many-{number}" for number in range(MANY)]
    networks = [macvlan(f"{cluster.namespace}-1", "10.73.0.0/24"), macvlan(f"{cluster.namespace}-2", "10.74.0.0/24")]
    networks.append(pooled(f"{cluster.namespace}-3", "10.75.0.0/24"))
    node.apply(*(definition(f"net-{at}", cluster.namespace, network) for at, network in enumerate(networks)))
    node.apply(*(manifest(name, cluster.namespace, node.name, "net-0,net-1,net-2") for name in names))
    pods = [KubePod(node, cluster.namespace, name).running() for name in names]
    given = [address for pod in pods for entry in pod.status for address in entry["ips"]]
    assert len(set(given)) == len(given) == 4 * MANY
    assert node.allocations("10.75.0.0-24") == sorted(f"{cluster.namespace}/{name}" for name in names)
    where = f"--namespace={cluster.namespace}"
    node.kubectl("delete", "pods", "--all", where, "--grace-period=0", "--force", "--wait=false")
    for pod in pods:
        pod.gone()
    assert node.allocations("10.75.0.0-24") == []
    until(lambda: node.everything() <= before, lambda: f"left: {sorted(node.everything() - before)}", 10)
