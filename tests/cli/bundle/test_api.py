"""--with-api: what a real API server has of networks, without what is nobody's business."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.bundle import planted
from tests.cli.bundle.test_bundle import bundled, configured, unpacked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.terminal import Terminal
    from tests.cluster.cluster import Cluster

NETWORKS = "k8s.v1.cni.cncf.io/networks"


def test_objects_come_without_secrets(node: Terminal, cluster: Cluster, tmp_path: Path) -> None:
    road = cluster.road(node.host.path)
    configured(node, kubeconfig=str(cluster.kubeconfig(server=road.url)))
    cluster.create("network-attachment-definitions", "planted", spec={"config": json.dumps(planted.CONFLIST)})
    asked = [{"name": "planted", "cni-args": {"password": planted.PASSWORDS["nad"]}}]
    other = f"no one's business {planted.PASSWORDS['log']}"
    cluster.add_pod("web-0", annotations={NETWORKS: json.dumps(asked), "example.com/note": other})
    cluster.add_pod("plain-0", annotations={"example.com/note": other})
    path = tmp_path / "b.tar.gz"
    ended = bundled(node, "--with-api", "--node", "node1", "-o", str(path))
    files = unpacked(path)
    everything = "\n".join([*files.values(), ended.stderr])
    assert [name for name, form in planted.forms().items() if form in everything] == []
    definitions = json.loads(files["api/definitions.json"])
    assert "planted" in {each["metadata"]["name"] for each in definitions}
    pods = {each["name"]: each for each in json.loads(files["api/pods.json"]) if each["namespace"] == cluster.namespace}
    assert set(pods) == {"web-0"}
    assert set(pods["web-0"]) <= {"name", "namespace", "uid", "annotations"}
    assert json.loads(pods["web-0"]["annotations"][NETWORKS])[0]["name"] == "planted"
    assert "resourceRules" in files["api/rights.json"]
