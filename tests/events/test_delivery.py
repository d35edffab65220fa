"""What becomes of spooled events at a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.events.event import WARNING
from cni_multus.events.spool import Spool
from tests.events.spooling import event, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster


def test_an_event_arrives_as_the_api_has_it(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    assert spool.add(event(cluster.namespace, kind=WARNING, reason="NoNetworkFound", message="there is none")) == ""
    assert run(spool, cluster.kubeconfig()) == []
    [(name, found)] = cluster.objects("events").items()
    assert name.startswith("pod.")
    assert {key: value for key, value in found.items() if key not in ("metadata", "eventTime")} == {
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "pod",
            "namespace": cluster.namespace,
            "uid": "uid-of-the-pod",
        },
        "type": "Warning",
        "reason": "NoNetworkFound",
        "message": "there is none",
        "source": {"component": "multus", "host": "node1"},
        "firstTimestamp": found["metadata"]["creationTimestamp"],
        "lastTimestamp": found["metadata"]["creationTimestamp"],
        "count": 1,
        "reportingComponent": "multus",
        "reportingInstance": "node1",
    }
    assert spool.waiting() == []
