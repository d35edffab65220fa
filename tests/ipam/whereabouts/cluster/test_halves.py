"""What is done of two, or half of it: two ranges, a pool and its reservations, an owner and another."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import ApiFailure, CniError, IoFailure, TryAgainLater
from tests.cluster.disturbances import refusal
from tests.ipam.whereabouts.cluster.nodes import allocations, audit, reservations

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster
    from tests.ipam.conftest import Mounts
    from tests.ipam.whereabouts.cluster.making import MakeNode
    from tests.ipam.whereabouts.cluster.nodes import Node

ROOT = Path(__file__).parents[4]
DUAL = ("10.1.2.0/24", "fd00::/64")


@pytest.mark.parametrize("failing", [0, 1])
def test_without_protection_an_address_that_is_not_in_its_pool_is_not_given(
    cluster: Cluster, make_node: MakeNode, failing: int
) -> None:
    road = cluster.road()
    node = make_node(*DUAL, exclusive=False, kubeconfig=cluster.kubeconfig(server=road.url))
    node.add("first")
    road.disturb("PATCH", skip=failing, answer=refusal(400))
    with pytest.raises(ApiFailure, match="400"):
        node.add("c1")
    audit(cluster, node)
    assert len(allocations(cluster)) == 2


@pytest.mark.parametrize("lost", DUAL)
def test_del_goes_on_behind_a_range_that_has_nothing(cluster: Cluster, make_node: MakeNode, lost: str) -> None:
    node = make_node(*DUAL)
    node.add("c1")
    name = lost.replace(":", "-").replace("/", "-")
    cluster.api.merge_patch(cluster.path("ippools", name), {"spec": {"allocations": {"1": None}}}).expect(200)
    assert node.delete("c1")
    audit(cluster, node)
    assert allocations(cluster) == reservations(cluster) == {}


@pytest.mark.parametrize("lost", [["10.1.2.1"], ["fd00--1"], ["10.1.2.1", "fd00--1"]])
def test_a_pod_that_comes_again_has_every_reservation_again(
    cluster: Cluster, make_node: MakeNode, lost: list[str]
) -> None:
    node = make_node(*DUAL)
    given = node.add("c1", pod="default/a", uid="1")
    for name in lost:
        cluster.api.delete(cluster.path("overlappingrangeipreservations", name)).expect(200)
    assert node.add("c2", pod="default/a", uid="1") == given
    audit(cluster, node)
    assert set(reservations(cluster)) == {"10.1.2.1", "fd00--1"}


def test_an_add_that_was_refused_takes_nothing_from_anybody(cluster: Cluster, make_node: MakeNode) -> None:
    """Nor does the runtime's DEL of it."""
    node, other = make_node(), make_node("10.1.0.0/16", name="other")
    node.add("c1", wanted="10.1.2.9")
    for who in (node, other):
        with pytest.raises(TryAgainLater, match="held by"):
            who.add("c2", wanted="10.1.2.9")
        who.delete("c2")
    audit(cluster, node, other)
    assert list(reservations(cluster)) == ["10.1.2.9"]


def test_an_address_of_another_is_not_released_by_a_late_del(cluster: Cluster, make_node: MakeNode) -> None:
    """It was released by hand, and given to somebody else since."""
    node, other = make_node(), make_node(name="other")
    node.add("c1")
    cluster.api.merge_patch(cluster.path("ippools", "10.1.2.0-24"), {"spec": {"allocations": {"1": None}}}).expect(200)
    cluster.api.delete(cluster.path("overlappingrangeipreservations", "10.1.2.1")).expect(200)
    assert other.add("c2") == ["10.1.2.1"]
    assert node.delete("c1")
    audit(cluster, other)
    assert len(allocations(cluster)) == 1


def test_a_pool_that_somebody_deletes_is_made_again(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node()
    node.add("c1", pod="default/a", uid="1")
    cluster.api.delete(cluster.path("ippools", "10.1.2.0-24")).expect(200)
    assert node.add("c2") == ["10.1.2.2"]
    assert node.add("c3", pod="default/a", uid="1") == ["10.1.2.1"]
    audit(cluster, node)


def test_a_journal_that_is_lost(cluster: Cluster, make_node: MakeNode) -> None:
    """The pod's address is found by the API, and so is what a DEL is to release."""
    node = make_node()
    node.add("c1", pod="default/a", uid="1")
    node.add("c2")
    subprocess.run(["rm", "-r", node.data_dir], check=True)
    assert node.add("c3", pod="default/a", uid="1") == ["10.1.2.1"]
    assert not node.delete("c2")
    audit(cluster, node)
    assert len(allocations(cluster)) == 1


@pytest.mark.parametrize("left", [0, 40, -3])
def test_a_record_that_is_damaged(cluster: Cluster, make_node: MakeNode, left: int) -> None:
    """The last line that is whole counts; where none is, the API is looked at, and the file stays for fsck."""
    node = make_node()
    node.add("c1", pod="default/a", uid="1")
    (path,) = (path for path in (node.data_dir / "journal" / "holder").rglob("*") if path.is_file())
    path.write_bytes(path.read_bytes()[:left] or b"rubbish")
    assert node.check("c1", "10.1.2.1", pod="default/a", uid="1") != []
    assert node.add("c2", pod="default/a", uid="1") == ["10.1.2.1"]
    audit(cluster, node)
    path.write_bytes(b"rubbish")
    assert not node.delete("c2")
    assert allocations(cluster) == reservations(cluster) == {}
    assert node.journal.unreadable() == [str(path)]


def run(node: Node, mounts: Mounts, verb: str, container: str) -> str:
    """A verb among the mounts; what it complains of."""
    done = subprocess.run(
        [*mounts.enter, *node.command(verb, container)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def test_a_disk_that_cannot_be_written(cluster: Cluster, make_node: MakeNode, mounts: Mounts) -> None:
    """ADD asks the API for nothing; DEL works."""
    node = make_node(kubeconfig=cluster.kubeconfig(style="json"))
    node.add("c1")
    mounts.run("mount", "--bind", str(node.data_dir), str(node.data_dir))
    mounts.run("mount", "-o", "remount,ro,bind", str(node.data_dir))
    assert "read-only" in run(node, mounts, "add", "c2")
    audit(cluster, node)
    mounts.run("umount", str(node.data_dir))
    assert run(node, mounts, "delete", "c1") == ""
    audit(cluster, node)


def test_a_disk_that_is_full(cluster: Cluster, make_node: MakeNode, mounts: Mounts) -> None:
    node = make_node(kubeconfig=cluster.kubeconfig(style="json"))
    node.data_dir.mkdir()
    mounts.run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(node.data_dir))
    assert run(node, mounts, "add", "c1") == ""
    mounts.run("sh", "-c", f"cat /dev/zero > {node.data_dir}/filler || true")
    assert "no space left" in run(node, mounts, "add", "c2")
    assert len(allocations(cluster)) == len(reservations(cluster)) == 1
    assert run(node, mounts, "delete", "c1") == ""
    assert allocations(cluster) == reservations(cluster) == {}


def test_data_dir_below_a_file_is_told(cluster: Cluster, make_node: MakeNode, tmp_path: Path) -> None:
    node = make_node()
    node.data_dir.write_text("")
    with pytest.raises(IoFailure, match=r"a file of that name is in the way|not a directory"):
        node.add("c1")
    assert allocations(cluster) == reservations(cluster) == {}


def test_a_kubeconfig_that_is_gone_delays_a_release(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node()
    node.add("c1")
    saved = node.kubeconfig.read_bytes()
    node.kubeconfig.unlink()
    with pytest.raises(CniError):
        node.add("c2")
    assert node.delete("c1")
    assert len(allocations(cluster)) == 1
    node.kubeconfig.write_bytes(saved)
    assert node.engine().work_off() == []
    audit(cluster, node)
    assert allocations(cluster) == {}
