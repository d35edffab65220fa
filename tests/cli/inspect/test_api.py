"""A pod that was asked for is looked up in a real API server, and held against what it tells others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.command import DONE, FOUND, PARTIAL
from tests.cli.inspect.networks import primary
from tests.node import Pod

if TYPE_CHECKING:
    from tests.cli.inspect.conftest import Inspected
    from tests.cluster.cluster import Cluster

STATUS = "k8s.v1.cni.cncf.io/network-status"


@pytest.fixture
def web(node: Inspected, cluster: Cluster) -> Pod:
    """A pod that the API server has as well."""
    status = [{"name": "primary", "interface": "eth0", "ips": ["10.1.0.2"]}]
    made = cluster.add_pod("web-0", annotations={STATUS: json.dumps(status)})
    pod = Pod(node.pod("web-0").netns, "4f2a6c1e")
    told = f"K8S_POD_NAMESPACE={cluster.namespace};K8S_POD_NAME=web-0;K8S_POD_UID={made['metadata']['uid']}"
    node.call("ADD", node.config(primary(node)), pod, CNI_ARGS=told).succeeded()
    return pod


def test_a_pod_is_held_against_the_api(node: Inspected, web: Pod, cluster: Cluster) -> None:
    road = cluster.road(node.host.path)
    node.write("00-multus.conf", node.config(kubeconfig=str(cluster.kubeconfig(server=road.url))))
    ended = node.inspect("web-0")
    assert (ended.status, ended.stderr) == (DONE, "")
    assert "Running, on node node1" in ended.stdout
    other = json.dumps([{"name": "primary", "interface": "eth0", "ips": ["10.1.0.99"]}])
    cluster.api.merge_patch(cluster.path("pods", "web-0"), {"metadata": {"annotations": {STATUS: other}}}).expect(200)
    assert node.differences(web)["eth0"] == ["network-status of the pod says 10.1.0.99, and not 10.1.0.2"]
    cluster.delete_pod("web-0")
    assert node.differences(web)[""] == [f"the API server has no pod {cluster.namespace}/web-0 any more"]
    cluster.add_pod("web-0")
    assert "another pod" in node.differences(web)[""][0]
    cluster.add_pod("db-0", node="node2", phase="Pending")
    ended = node.inspect(f"{cluster.namespace}/db-0")
    assert ended.status == FOUND
    assert f"the API server has pod {cluster.namespace}/db-0: Pending, on node node2" in ended.stderr


def test_a_server_that_is_away_is_a_note(node: Inspected, web: Pod, cluster: Cluster) -> None:
    road = cluster.road(node.host.path)
    node.write("00-multus.conf", node.config(kubeconfig=str(cluster.kubeconfig(server=road.url))))
    road.close()
    ended = node.inspect("web-0")
    assert ended.status == PARTIAL
    assert "as recorded" in ended.stdout
    assert "Could not be looked at" in ended.stdout
    assert node.inspect("web-0", "--no-api").status == DONE
    assert node.inspect().status == DONE  # nobody is asked about all of them
