"""Slices as runtimes see them: each node gives addresses of its own, without asking anybody twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.ipam.runtime import Ipam


def test_each_node_gives_addresses_of_its_slice_and_those_that_are_asked_for(
    whereabouts: Callable[..., Ipam], cluster: Cluster, tmp_path: Path
) -> None:
    ipam = whereabouts(
        ipRanges=[
            {"range": "10.1.0.0/16", "node_slice_size": "/24", "exclude": ["10.1.0.0/28"], "gateway": "10.1.1.1"},
            {"range": "fd00:1::/64", "node_slice_size": "/80"},
        ],
        datastore=None,
        kubernetes={"kubeconfig": str(cluster.kubeconfig())},
    )
    given = {
        node: ipam.changed(node_name=node, dataDir=str(tmp_path / node)).add(f"c-{node}", arguments=f"IP={ip}").ips
        for node, ip in (("n1", "192.168.7.7/25"), ("n2", "192.168.7.8/25"))
    }
    assert given == {
        "n1": ["10.1.0.16/16", "fd00:1::1/64", "192.168.7.7/25"],
        "n2": ["10.1.1.2/16", "fd00:1::1:0:0:1/64", "192.168.7.8/25"],
    }
