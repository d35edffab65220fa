"""The commands on a cluster's pools, with a real API server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.ipam.operator import Operator, container
from tests.ipam.whereabouts.cluster.nodes import Node, allocations, audit, reservations

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster
    from tests.conftest import MakeNamespace

POOL = "10.1.2.0-24"


@pytest.fixture
def node(operator: Operator, cluster: Cluster) -> Node:
    """The operator's node, with a network whose addresses are the cluster's."""
    operator.kubeconfig = str(cluster.kubeconfig())
    return Node(operator.data_dir, cluster.kubeconfig())


def entry(cluster: Cluster, pod: str, number: int = 7, ifname: str = "net1") -> dict[str, Any]:
    """What a peer writes into a pool."""
    return {"id": container(number), "podref": f"{cluster.namespace}/{pod}", **({"ifname": ifname} if ifname else {})}


def reserve(cluster: Cluster, name: str, pod: str, ifname: str = "net1", **spec: str) -> None:
    """What a peer makes besides."""
    cluster.create(
        "overlappingrangeipreservations",
        name,
        spec={"podref": f"{cluster.namespace}/{pod}", **({"ifname": ifname} if ifname else {}), **spec},
    )


def test_the_pools_are_the_server_s_and_the_details_the_journal_s(
    operator: Operator, cluster: Cluster, node: Node
) -> None:
    node.add("web-0", netns="/run/netns/x")
    cluster.api.merge_patch(
        cluster.path("ippools", POOL), {"spec": {"allocations": {"9": entry(cluster, "peer")}}}
    ).expect(200)
    [pool] = operator.json("show")["pools"]
    assert (pool["engine"], pool["pool"], pool["used"], pool["size"]) == ("kubernetes", POOL, 2, 254)
    ours, theirs = operator.json("show", POOL)["holders"]
    assert (ours["address"], ours["pod"], ours["netns"]) == ("10.1.2.1/24", "default/web-0", "/run/netns/x")
    assert (ours["uid"], ours["node"], ours["network"]) == ("uid-of-web-0", "node1", "mynet")
    assert (theirs["address"], theirs["pod"]) == ("10.1.2.9", f"{cluster.namespace}/peer")
    assert "netns" not in theirs


def test_a_server_that_is_away_does_not_hide_the_journal(operator: Operator, cluster: Cluster, node: Node) -> None:
    node.add("web-0")
    road = cluster.road()
    operator.kubeconfig = str(cluster.kubeconfig(server=road.url))
    road.close()
    ended = operator.ipam("show", POOL)
    assert ended.status == 3
    assert "default/web-0" in ended.stdout
    assert ended.stderr.startswith("multus ipam show: warning: ")
    assert ended.stderr.count("\n") == 1
    assert operator.ipam("owner", "10.1.2.1").status == 3
    operator.kubeconfig = ""
    assert operator.ipam("show", POOL).status == 0


def test_the_flat_file_names_the_server(operator: Operator, cluster: Cluster, node: Node) -> None:
    cluster.add_pool("10.9.0.0-16", "10.9.0.0/16", {"5": entry(cluster, "peer")})
    flat = operator.conf / "whereabouts.d" / "whereabouts.conf"
    flat.parent.mkdir()
    flat.write_text(json.dumps({"datastore": "kubernetes", "kubernetes": {"kubeconfig": operator.kubeconfig}}))
    operator.kubeconfig = ""
    assert [pool["pool"] for pool in operator.json("show")["pools"]] == ["10.9.0.0-16"]
    assert operator.json("show", "--no-api")["pools"] == []


def test_the_owner_is_judged_by_its_pod(operator: Operator, cluster: Cluster, node: Node) -> None:
    pod = cluster.add_pod("alive")
    cluster.add_pod("done", phase="Succeeded")
    cluster.add_pod("reborn")
    names = ("alive", "done", "absent", "reborn")
    for number, name in enumerate(names, start=1):
        uid = pod["metadata"]["uid"] if name == "alive" else "old" if name == "reborn" else ""
        node.add(container(number), pod=f"{cluster.namespace}/{name}", uid=uid)
    found = {}
    for number, name in enumerate(names, start=1):
        [holder] = operator.json("owner", f"10.1.2.{number}")["holders"]
        found[name] = holder["alive"], holder["because"]
    assert found["alive"][0] == "lives"
    assert found["done"] == ("probably gone", f"pod {cluster.namespace}/done has ended (Succeeded)")
    assert found["absent"] == ("gone", f"the API server has no pod {cluster.namespace}/absent")
    assert found["reborn"][0] == "gone"
    leaks = operator.json("leaks", status=1)["leaks"]
    assert {row["pod"].rpartition("/")[2] for row in leaks} == {"done", "absent", "reborn"}


def test_a_claim_keeps_its_addresses(operator: Operator, cluster: Cluster, node: Node) -> None:
    claim = cluster.create("ipamclaims", "disk", spec={"network": "mynet", "interface": "net1"})
    uid = claim["metadata"]["uid"]
    kept = {"id": uid, "podref": f"{cluster.namespace}/disk", "ifname": "net1"}
    cluster.add_pool(POOL, "10.1.2.0/24", {"5": kept, "6": {**kept, "id": "another"}})
    assert operator.json("owner", "10.1.2.5")["holders"][0]["alive"] == "lives"
    assert [row["address"] for row in operator.json("leaks", status=1)["leaks"]] == ["10.1.2.6"]


def test_a_reservation_alone_is_found_as_an_owner(operator: Operator, cluster: Cluster, node: Node) -> None:
    reserve(cluster, "blue-10.1.2.77", "web-0")
    [holder] = operator.json("owner", "10.1.2.77")["holders"]
    assert holder["pod"] == f"{cluster.namespace}/web-0"
    assert holder["record"] == "overlappingrangeipreservations/blue-10.1.2.77"
    assert holder["wrong"]


def test_what_is_this_node_s_is_released_with_its_journal(operator: Operator, cluster: Cluster, node: Node) -> None:
    cluster.add_pod("web-0")
    node.add(container(1), pod=f"{cluster.namespace}/web-0", uid="")
    owner = f"{container(1)}@net1"
    refused = operator.ipam("release", "10.1.2.1", "--owner", owner)
    assert (refused.status, "the API server has pod" in refused.stderr) == (1, True)
    cluster.delete_pod("web-0")
    operator.ipam("release", "10.1.2.1", "--owner", owner).succeeded()
    assert (allocations(cluster), reservations(cluster), node.records()) == ({}, {}, [])


def test_what_is_another_node_s_is_released_with_its_reservation(
    operator: Operator, cluster: Cluster, node: Node
) -> None:
    cluster.add_pool(POOL, "10.1.2.0/24", {"5": entry(cluster, "peer")})
    reserve(cluster, "10.1.2.5", "peer")
    dry = operator.json("release", "10.1.2.5", "--owner", f"{container(7)}@net1", "--dry-run")
    assert len(dry["would_be_released"]) == 1
    operator.ipam("release", "10.1.2.5", "--owner", f"{container(7)}@net1").succeeded()
    assert (allocations(cluster), reservations(cluster)) == ({}, {})


def test_a_race_does_not_free_somebody_else_s(operator: Operator, cluster: Cluster, node: Node) -> None:
    """Between looking and releasing the pod has got a new sandbox."""
    cluster.add_pool(POOL, "10.1.2.0/24", {"5": entry(cluster, "peer")})
    road = cluster.road()
    operator.kubeconfig = str(cluster.kubeconfig(server=road.url))
    anew = {"spec": {"allocations": {"5": entry(cluster, "peer", 8)}}}

    def replace(_: object) -> None:
        cluster.api.merge_patch(cluster.path("ippools", POOL), anew).expect(200)

    road.disturb("PATCH", "ippools", before=replace)
    ended = operator.ipam("release", "10.1.2.5", "--owner", f"{container(7)}@net1")
    assert ended.status == 1
    assert "changed meanwhile" in ended.stderr
    assert allocations(cluster)[f"{POOL} 10.1.2.5"]["id"] == container(8)


def test_leases_go_into_the_api_and_come_back(operator: Operator, cluster: Cluster, node: Node, tmp_path: Any) -> None:
    operator.lease("10.1.2.5/24", "fd00::5/64", network_name="blue", pod="blue/web-0", uid="u1", netns="/run/netns/x")
    operator.lease("10.1.2.6/24", number=2)
    done = operator.json("import", "--from", "file", "--to", "kubernetes")["leases"]
    assert [row["what"] for row in done] == ["imported", "imported"]
    assert set(allocations(cluster)) == {
        "10.1.2.0-24 10.1.2.6",
        "blue-10.1.2.0-24 10.1.2.5",
        "blue-fd00---64 fd00::5",
    }
    assert set(reservations(cluster)) == {"10.1.2.6", "blue-10.1.2.5", "blue-fd00--5"}
    again = operator.json("import", "--from", "file", "--to", "kubernetes")["leases"]
    assert [row["what"] for row in again] == ["present", "present"]
    first = operator.ipam("export", "--from", "file").stdout
    second = operator.ipam("export", "--from", "kubernetes").stdout
    assert sorted(first.splitlines()) == sorted(second.splitlines())
    assert operator.ipam("fsck", "--engine", "kubernetes").status == 0


def test_an_import_into_the_api_takes_nothing_from_others(operator: Operator, cluster: Cluster, node: Node) -> None:
    cluster.add_pool("fd00---64", "fd00::/64", {"5": entry(cluster, "peer")})
    operator.lease("10.1.2.5/24", "fd00::5/64")
    [row] = operator.json("import", "--from", "file", "--to", "kubernetes", status=1)["leases"]
    assert (row["what"], "fd00::5 is taken by" in row["why"]) == ("conflict", True)
    assert set(allocations(cluster)) == {"fd00---64 fd00::5"}
    assert reservations(cluster) == {}


def test_two_nodes_and_a_release_agree(operator: Operator, cluster: Cluster, node: Node, netns: MakeNamespace) -> None:
    pod = netns("pod")
    for number in range(3):
        node.add(container(number), netns=pod if number else f"{pod}-gone", pod="")
    [leak] = operator.json("leaks", "--sure", status=1)["leaks"]
    ended = operator.ipam("release", str(leak["address"]).partition("/")[0], "--owner", str(leak["owner"]))
    assert (ended.status, ended.stderr) == (0, "")
    audit(cluster, node)
    assert len(node.records()) == 2
