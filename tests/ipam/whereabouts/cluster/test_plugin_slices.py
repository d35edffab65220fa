"""Slices as runtimes see them: each node gives addresses of its own, without asking anybody twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.ipam.runtime import ROOT

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


def test_the_example_works_where_there_is_a_cluster(
    whereabouts: Callable[..., Ipam], cluster: Cluster, tmp_path: Path
) -> None:
    example = json.loads((ROOT / "conf" / "whereabouts" / "cluster.conflist").read_text())
    (tmp_path / "nodename").write_text("n1\n")
    own: dict[str, object] = {"dataDir": str(tmp_path / "leases"), "configuration_path": str(tmp_path)}
    own |= {"kubernetes": {"kubeconfig": str(cluster.kubeconfig())}}
    ipam = whereabouts(**{**example["plugins"][0]["ipam"], **own})
    ipam.call("STATUS").succeeded()
    added = ipam.add()
    assert added.ips == ["10.43.0.2/16", "fd00:10:43::1/64"]
    ipam.check(added).succeeded()
    assert sorted(cluster.objects("ippools")) == ["lan-n1-10.43.0.0-24", "lan-n1-fd00-10-43---80"]
    ipam.delete().succeeded()
    assert cluster.objects("overlappingrangeipreservations") == {}
