"""whereabouts as runtimes call it, on a real API server: what configuration leads there, and what needs none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.ipam.runtime import Ipam

POD = "IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=web-0;K8S_POD_UID=u1"


@pytest.fixture
def over_the_api(whereabouts: Callable[..., Ipam], cluster: Cluster) -> Callable[..., Ipam]:
    """Make a whereabouts for a network of the cluster."""

    def make(*args: Any, kubeconfig: Path | None = None, **ipam: Any) -> Ipam:
        path = kubeconfig or cluster.kubeconfig()
        return whereabouts(*args, datastore=None, kubernetes={"kubeconfig": str(path)}, **ipam)

    return make


def kept(cluster: Cluster) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of all pools, and the owners of all reservations."""
    pools = cluster.objects("ippools")
    entries = {name: pool["spec"]["allocations"] for name, pool in pools.items() if pool["spec"]["allocations"]}
    reserved = cluster.objects("overlappingrangeipreservations")
    return entries, {name: one["spec"]["podref"] for name, one in reserved.items()}


def test_an_address_is_in_the_api_from_add_to_del(over_the_api: Callable[..., Ipam], cluster: Cluster) -> None:
    ipam = over_the_api(ipRanges=[{"range": "10.1.2.0/24", "gateway": "10.1.2.1"}, {"range": "fd00:1::/64"}])
    ipam.call("STATUS").succeeded()
    added = ipam.add("c1", "net1", arguments=POD)
    assert added.succeeded().document["ips"] == [
        {"address": "10.1.2.2/24", "gateway": "10.1.2.1"},
        {"address": "fd00:1::1/64"},
    ]
    entry = {"id": "c1", "podref": "blue/web-0", "ifname": "net1"}
    assert kept(cluster) == (
        {"10.1.2.0-24": {"2": entry}, "fd00-1---64": {"1": entry}},
        {"10.1.2.2": "blue/web-0", "fd00-1--1": "blue/web-0"},
    )
    ipam.check(added, "c1", "net1", arguments=POD).succeeded()
    ipam.changed(range="nonsense", kubernetes=7).delete("c1", "net1").succeeded()
    assert kept(cluster) == ({}, {})
    ipam.delete("c1", "net1").succeeded()
    ipam.check(added, "c1", "net1", arguments=POD).failed(102)


def test_the_flat_file_of_the_installer_is_enough_and_its_loss_changes_nothing_unasked(
    whereabouts: Callable[..., Ipam], cluster: Cluster, tmp_path: Path
) -> None:
    installed = tmp_path / "whereabouts.d"
    installed.mkdir()
    flat = installed / "whereabouts.conf"
    flat.write_text(json.dumps({"datastore": "kubernetes", "kubernetes": {"kubeconfig": str(cluster.kubeconfig())}}))
    ipam = whereabouts(datastore=None, configuration_path=str(installed))
    assert ipam.add("c1", arguments=POD).ip == "10.1.2.1"
    assert kept(cluster)[1] == {"10.1.2.1": "blue/web-0"}
    flat.unlink()
    ipam.add("c2").failed(7, "ipam.datastore", "mynet", "from the API", "no kubeconfig is named")
    ipam.call("STATUS").failed(50, "from the API")
    assert ipam.changed(datastore="file").add("c3").ip == "10.1.2.1", "it is said that files are meant"
    ipam.delete("c1").succeeded()
    assert kept(cluster) == ({}, {})
    assert ipam.add("c2").ip == "10.1.2.2"


def test_a_pod_that_whereabouts_itself_attached_is_detached(
    over_the_api: Callable[..., Ipam], cluster: Cluster
) -> None:
    theirs = {"id": "go-1", "podref": "blue/old", "ifname": "net1"}
    others = {"id": "go-2", "podref": "blue/other", "ifname": "net1"}
    cluster.add_pool("10.1.2.0-24", "10.1.2.0/24", {"1": theirs, "2": others})
    for name, podref in (("10.1.2.1", "blue/old"), ("10.1.2.2", "blue/other")):
        cluster.create("overlappingrangeipreservations", name, spec={"podref": podref, "ifname": "net1"})
    ipam = over_the_api()
    ipam.delete("go-1", "net1").succeeded()
    assert kept(cluster) == ({"10.1.2.0-24": {"2": others}}, {"10.1.2.2": "blue/other"})
    assert [ipam.add(container, arguments=POD.replace("web", container)).ip for container in "ab"] == [
        "10.1.2.1",
        "10.1.2.3",
    ]


def test_while_the_api_is_away_add_is_to_be_tried_again_and_del_is_made_up_for(
    over_the_api: Callable[..., Ipam], cluster: Cluster
) -> None:
    road = cluster.road()
    ipam = over_the_api(kubeconfig=cluster.kubeconfig(server=road.url))
    ipam.add("c1", arguments=POD).succeeded()
    road.close()
    ipam.add("c2").failed(11)
    ipam.call("STATUS").failed(50)
    ipam.delete("c1").succeeded()
    ipam.delete("never-there").succeeded()
    assert kept(cluster)[1] == {"10.1.2.1": "blue/web-0"}
    road.open()
    ipam.add("c3").succeeded()
    assert "blue/web-0" not in kept(cluster)[1].values()


def test_gc_gives_back_what_the_runtime_does_not_know(over_the_api: Callable[..., Ipam], cluster: Cluster) -> None:
    ipam = over_the_api()
    for container in ("c1", "c2"):
        ipam.add(container, arguments=POD.replace("web-0", container)).succeeded()
    ipam.changed(range="nonsense").collect(("c2", "eth0")).succeeded()
    assert kept(cluster)[1] == {"10.1.2.2": "blue/c2"}


def test_an_address_that_is_asked_for_is_one_pods_over_the_cluster(
    over_the_api: Callable[..., Ipam], cluster: Cluster
) -> None:
    ipam = over_the_api()
    asked: dict[str, Any] = {"runtimeConfig": {"ips": ["10.1.2.77", "192.168.7.7/25"]}}
    assert ipam.add("c1", arguments=POD, **asked).ips == ["10.1.2.77/24", "192.168.7.7/25"]
    other_node = ipam.changed(dataDir=f"{ipam.data_dir}-of-another-node")
    for text in ("10.1.2.77", "192.168.7.7/25"):
        other_node.add("c2", arguments=POD.replace("web-0", "web-1"), runtimeConfig={"ips": [text]}).failed(
            11, text[:9]
        )
    ipam.delete("c1").succeeded()
    assert kept(cluster) == ({}, {})
    assert other_node.add("c2", **asked).ips == ["10.1.2.77/24", "192.168.7.7/25"]
