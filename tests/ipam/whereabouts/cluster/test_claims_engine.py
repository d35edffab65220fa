"""Addresses of IPAMClaims through the engine: they outlive sandboxes, nodes and pods, and go with the claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import ApiFailure, TryAgainLater
from tests.cluster.cluster import rule
from tests.ipam.whereabouts.cluster.nodes import RANGE, Node, allocations, reservations
from tests.ipam.whereabouts.cluster.reconciling import Scene, told

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster

BOTH = (RANGE, "fd00:1::/64")
POOL = "10.1.2.0-24"


class Machines:
    """Two nodes between which a virtual machine moves."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.scene = Scene(cluster)
        self.here, self.there = (
            Node(directory / name, cluster.kubeconfig(), name=name, ranges=BOTH) for name in ("here", "there")
        )

    @property
    def ref(self) -> str:
        return f"{self.cluster.namespace}/vm"

    def add_claim(self) -> str:
        spec = {"network": "mynet", "interface": "net1"}
        return str(self.cluster.create("ipamclaims", "vm", spec=spec)["metadata"]["uid"])

    def delete_claim(self) -> None:
        self.cluster.api.delete(self.cluster.path("ipamclaims", "vm")).expect(200)

    def ips(self) -> list[str]:
        found: list[str] = self.cluster.objects("ipamclaims")["vm"].get("status", {}).get("ips", [])
        return found

    def start(self, node: Node, sandbox: str) -> list[str]:
        return node.add(sandbox, claim=self.ref)


@pytest.fixture
def machines(cluster: Cluster, tmp_path: Path) -> Machines:
    return Machines(cluster, tmp_path)


def test_a_claim_has_addresses_and_not_its_sandbox(machines: Machines) -> None:
    uid = machines.add_claim()
    assert machines.start(machines.here, "one") == ["10.1.2.1", "fd00:1::1"]
    assert machines.ips() == ["10.1.2.1/24", "fd00:1::1/64"]
    entry = {"id": uid, "podref": machines.ref, "ifname": "net1"}
    assert list(allocations(machines.cluster).values()) == [entry, entry]
    reserved = reservations(machines.cluster)
    spec = {"podref": machines.ref, "ifname": "net1", "containerid": uid}
    assert reserved == {"10.1.2.1": spec, "fd00-1--1": spec}


def test_addresses_outlive_sandboxes_and_nodes(machines: Machines) -> None:
    machines.add_claim()
    first = machines.start(machines.here, "one")
    before = allocations(machines.cluster), reservations(machines.cluster)
    assert machines.start(machines.here, "two") == first, "the sandbox was made anew"
    for sandbox in ("one", "two", "two"):
        machines.here.delete(sandbox)
    assert machines.here.records() == []
    machines.here.add("other")
    assert machines.start(machines.there, "three") == first
    machines.here.delete("other")
    assert (allocations(machines.cluster), reservations(machines.cluster)) == before


def test_a_machine_that_moves_has_its_addresses_on_both_nodes(machines: Machines) -> None:
    machines.add_claim()
    first = machines.start(machines.here, "source")
    assert machines.start(machines.there, "target") == first
    assert machines.here.check("source", *first, claim=machines.ref) == []
    assert machines.there.check("target", *first, claim=machines.ref) == []
    machines.here.delete("source")
    assert len(allocations(machines.cluster)) == 2
    assert machines.there.check("target", *first, claim=machines.ref) == []


def test_a_delete_without_a_journal_takes_nothing_from_a_claim(machines: Machines) -> None:
    machines.add_claim()
    machines.start(machines.here, "one")
    before = allocations(machines.cluster), reservations(machines.cluster)
    assert not machines.there.delete("one")
    assert (allocations(machines.cluster), reservations(machines.cluster)) == before


def test_garbage_collection_takes_nothing_from_a_claim(machines: Machines) -> None:
    machines.add_claim()
    machines.start(machines.here, "one")
    machines.here.collect()
    assert machines.here.records() == []
    assert len(allocations(machines.cluster)) == 2


def test_a_missing_claim_touches_nothing(machines: Machines) -> None:
    with pytest.raises(TryAgainLater, match=r"there is no IPAMClaim .*/vm"):
        machines.start(machines.here, "one")
    assert allocations(machines.cluster) == {}
    assert reservations(machines.cluster) == {}
    assert machines.here.records() == []


def test_addresses_that_an_administrator_wrote_are_taken(machines: Machines) -> None:
    machines.add_claim()
    path = f"{machines.cluster.path('ipamclaims', 'vm')}/status"
    wanted = ["10.1.2.77/24", "fd00:1::77/64"]
    machines.cluster.api.merge_patch(path, {"status": {"ips": wanted}}).expect(200)
    assert machines.start(machines.here, "one") == ["10.1.2.77", "fd00:1::77"]
    assert machines.ips() == wanted


def test_a_claim_that_was_made_anew_has_addresses_of_its_own(machines: Machines) -> None:
    machines.add_claim()
    machines.start(machines.here, "one")
    machines.here.delete("one")
    machines.delete_claim()
    uid = machines.add_claim()
    given = machines.start(machines.there, "two")
    assert [text.partition("/")[0] for text in machines.ips()] == given
    machines.scene.reconcile()
    assert [entry["id"] for entry in allocations(machines.cluster).values()] == [uid, uid]
    assert len(reservations(machines.cluster)) == 2
    assert machines.there.check("two", *given, claim=machines.ref) == []


def test_addresses_go_with_the_claim(machines: Machines) -> None:
    machines.add_claim()
    machines.start(machines.here, "one")
    machines.here.delete("one")
    assert told(machines.scene.reconcile()) == []
    machines.delete_claim()
    assert [row[1:] for row in told(machines.scene.reconcile())] == [
        ("10.1.2.1", "there is no such claim"),
        ("fd00:1::1", "there is no such claim"),
    ]
    assert allocations(machines.cluster) == {}
    assert reservations(machines.cluster) == {}


def test_an_account_that_may_not_write_the_status_is_told_and_nothing_is_lost(machines: Machines) -> None:
    machines.add_claim()
    all_of = "get,list,create,patch,delete"
    kinds = [rule("ippools", all_of), rule("overlappingrangeipreservations", all_of), rule("ipamclaims", "get")]
    right, machines.here.kubeconfig = (
        machines.here.kubeconfig,
        machines.cluster.kubeconfig(token=machines.cluster.token(*kinds)),
    )
    with pytest.raises(ApiFailure) as refused:
        machines.start(machines.here, "one")
    assert "resources [ipamclaims/status], verbs [patch]" in refused.value.details
    assert allocations(machines.cluster) == {}
    assert reservations(machines.cluster) == {}
    machines.here.kubeconfig = right
    assert machines.start(machines.here, "one") == ["10.1.2.1", "fd00:1::1"]


def test_an_address_that_somebody_else_has_is_not_replaced_silently(machines: Machines) -> None:
    machines.add_claim()
    machines.start(machines.here, "one")
    machines.here.delete("one")
    stolen: Any = {"id": "c", "podref": "default/thief", "ifname": "net1"}
    path = machines.cluster.path("ippools", POOL)
    machines.cluster.api.json_patch(path, [{"op": "replace", "path": "/spec/allocations/1", "value": stolen}]).expect(
        200
    )
    machines.cluster.api.delete(machines.cluster.path("overlappingrangeipreservations", "10.1.2.1")).expect(200)
    with pytest.raises(TryAgainLater, match=r"10\.1\.2\.1"):
        machines.start(machines.there, "two")
    assert machines.ips() == ["10.1.2.1/24", "fd00:1::1/64"]
    assert allocations(machines.cluster)[f"{POOL} 10.1.2.1"] == stolen
