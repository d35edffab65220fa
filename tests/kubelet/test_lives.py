"""A pod's life on a real node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubelet.pods import KubePod, manifest

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster
    from tests.kubelet.node import KubeNode


def test_a_pod_runs_and_goes(node: KubeNode, cluster: Cluster) -> None:
    node.apply(manifest("plain", cluster.namespace, node.name))
    pod = KubePod(node, cluster.namespace, "plain").running()
    [address] = pod.shown.addresses("eth0")
    assert address.startswith("10.244.0.")
    assert pod.document["status"]["podIP"] == address.partition("/")[0]
    assert address in pod.execute("ip", "address", "show", "dev", "eth0")
    assert node.traces(pod.container_id)
    pod.delete()
