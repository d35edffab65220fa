"""Addresses from a real API server: given once, the same to the same holder, and given back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import InvalidNetworkConfig, TryAgainLater
from ipam.whereabouts.cluster.naming import is_podless
from ipam.whereabouts.names import wrong_with_object_name
from ipam.whereabouts.policy import NEXT, SPREAD
from tests.ipam.whereabouts.cluster.nodes import allocations, audit, reservations

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster
    from tests.ipam.whereabouts.cluster.making import MakeNode


def test_an_address_is_taken_and_given_back(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node()
    assert node.add("c1") == ["10.1.2.1"]
    assert allocations(cluster) == {"10.1.2.0-24 10.1.2.1": {"id": "c1", "podref": "default/c1", "ifname": "net1"}}
    assert reservations(cluster) == {"10.1.2.1": {"podref": "default/c1", "ifname": "net1", "containerid": "c1"}}
    assert node.check("c1", "10.1.2.1") == []
    audit(cluster, node)
    assert node.delete("c1")
    assert not node.delete("c1")
    assert allocations(cluster) == {}
    audit(cluster, node)


def test_a_quiet_add_is_two_calls_and_so_is_its_del(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node()
    node.add("c1")
    node.calls.clear()
    assert node.add("c2") == ["10.1.2.2"]
    node.delete("c2")
    assert node.calls == [2, 2]
    bare = make_node("10.9.0.0/24", name="node2", exclusive=False)
    bare.add("c3")
    bare.calls.clear()
    bare.add("c4")
    bare.delete("c4")
    assert bare.calls == [1, 1]


def test_dual_stack(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node("10.1.2.0/24", "fd00::/64")
    assert node.add("c1") == ["10.1.2.1", "fd00::1"]
    assert node.add("c2") == ["10.1.2.2", "fd00::2"]
    assert set(cluster.objects("ippools")) == {"10.1.2.0-24", "fd00---64"}
    assert set(reservations(cluster)) == {"10.1.2.1", "fd00--1", "10.1.2.2", "fd00--2"}
    audit(cluster, node)
    node.delete("c1")
    node.delete("c2")
    audit(cluster, node)


def test_the_same_pod_keeps_its_address(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node()
    assert node.add("c1", pod="default/web-0", uid="1234") == ["10.1.2.1"]
    assert node.add("c2", pod="default/web-0", uid="1234") == ["10.1.2.1"]
    assert node.calls[-1] == 2
    assert allocations(cluster)["10.1.2.0-24 10.1.2.1"]["id"] == "c2"
    assert node.delete("c1")
    assert len(allocations(cluster)) == 1
    audit(cluster, node)
    assert node.delete("c2")
    audit(cluster, node)
    assert allocations(cluster) == {}


def test_another_pod_of_the_name_gets_another_address(cluster: Cluster, make_node: MakeNode) -> None:
    """The old one may be alive on a node that nobody reaches."""
    old, new = make_node(name="old"), make_node(name="new")
    assert old.add("c1", pod="default/web-0", uid="1") == ["10.1.2.1"]
    assert new.add("c2", pod="default/web-0", uid="2") == ["10.1.2.2"]
    audit(cluster, old, new)
    assert old.delete("c1")
    audit(cluster, old, new)


def test_two_interfaces_of_a_pod_have_an_address_each(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node()
    assert [node.add("c1", ifname) for ifname in ("net1", "net2", "net3")] == [["10.1.2.1"], ["10.1.2.2"], ["10.1.2.3"]]
    wider = make_node("10.1.2.0/28", name="node2", network="wider")
    (fourth,) = wider.add("c1", "net4")
    node.delete("c1", "net2")
    audit(cluster, node, wider)
    assert sorted(reservations(cluster)) == sorted({"10.1.2.1", "10.1.2.3", fourth})
    assert len(allocations(cluster)) == 3


def test_two_windows_of_one_range_give_two_addresses(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node("10.1.2.10-10.1.2.20/24", "10.1.2.30-10.1.2.40/24")
    assert node.add("c1", pod="default/a") == ["10.1.2.10", "10.1.2.30"]
    assert node.add("c2", pod="default/a", uid="uid-of-c1") == ["10.1.2.10", "10.1.2.30"]
    assert list(cluster.objects("ippools")) == ["10.1.2.0-24"]
    node.delete("c2")
    audit(cluster, node)


def test_networks_of_different_names_share_nothing(cluster: Cluster, make_node: MakeNode) -> None:
    red, blue = make_node(name="red", network_name="red"), make_node(name="blue", network_name="blue-1")
    assert red.add("c1") == blue.add("c2") == ["10.1.2.1"]
    assert sorted(reservations(cluster)) == ["blue-1-10.1.2.1", "red-10.1.2.1"]
    assert sorted(cluster.objects("ippools")) == ["blue-1-10.1.2.0-24", "red-10.1.2.0-24"]
    audit(cluster, red, blue)


def test_without_protection_ranges_that_overlap_give_the_same_address(cluster: Cluster, make_node: MakeNode) -> None:
    one, other = (make_node(text, name=text[-2:], exclusive=False) for text in ("10.1.2.0/24", "10.1.2.0/25"))
    assert one.add("c1") == other.add("c2") == ["10.1.2.1"]
    assert reservations(cluster) == {}
    audit(cluster, one, other)


def test_ranges_that_overlap_give_different_addresses(cluster: Cluster, make_node: MakeNode) -> None:
    one, other = make_node("10.1.2.0/24", name="a"), make_node("10.1.2.0/28", name="b")
    given = [node.add(f"c{at}")[0] for at, node in enumerate((one, other, other, one, other, one))]
    assert len(set(given)) == 6
    audit(cluster, one, other)


def test_what_is_asked_for_is_given_or_refused(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node()
    assert node.add("c1", wanted="10.1.2.77") == ["10.1.2.77"]
    with pytest.raises(TryAgainLater, match=r"10\.1\.2\.77, asked for by the test, is held by pod default/c1 \(net1"):
        node.add("c2", wanted="10.1.2.77")
    assert node.add("c3", preferred="10.1.2.77") == ["10.1.2.1"]
    assert node.add("c4", preferred="10.1.2.78") == ["10.1.2.78"]
    audit(cluster, node)


def test_what_another_range_has_reserved_is_named_too(cluster: Cluster, make_node: MakeNode) -> None:
    node, other = make_node(), make_node("10.1.0.0/16", name="other")
    assert other.add("c1", wanted="10.1.2.77") == ["10.1.2.77"]
    with pytest.raises(TryAgainLater, match=r"held by pod default/c1 \(net1\)"):
        node.add("c2", wanted="10.1.2.77")
    audit(cluster, node, other)


def test_a_container_without_a_pod_has_an_address_too(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node()
    assert node.add("ABC_1", pod="", uid="") == ["10.1.2.1"]
    assert node.add("abc-1", pod="", uid="") == ["10.1.2.2"]
    podrefs = {each["podref"] for each in allocations(cluster).values()}
    assert len(podrefs) == 2
    assert all(is_podless(each) and not wrong_with_object_name(each.partition("/")[2]) for each in podrefs)
    node.delete("ABC_1")
    node.delete("abc-1")
    audit(cluster, node)
    assert allocations(cluster) == {}


def test_policies(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node(policy=NEXT)
    assert [node.add(f"c{at}") for at in range(3)] == [["10.1.2.1"], ["10.1.2.2"], ["10.1.2.3"]]
    node.delete("c0")
    assert node.add("c4") == ["10.1.2.4"]
    far, away = (make_node("fd00::/64", name=name, policy=SPREAD).add(name)[0] for name in ("far", "away"))
    assert far != away


def test_an_exhausted_pool_says_who_has_it(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node("10.1.2.0/29")
    for at in range(6):
        node.add(f"c{at}", pod=f"{'web' if at else 'db'}/p{at}")
    with pytest.raises(TryAgainLater) as told:
        node.add("c7")
    pool = f"IPPool {cluster.namespace}/10.1.2.0-29"
    assert told.value.message == f"no address of 10.1.2.0/29 is free: 6 of 6 are held in {pool}"
    assert "web: 5, db: 1 (namespaces)" in told.value.details
    assert node.status().startswith("no address of 10.1.2.0/29 is free")
    audit(cluster, node)
    node.delete("c3")
    assert node.status() == ""
    assert node.add("c7") == ["10.1.2.4"]


def test_a_pool_that_others_emptied_is_not_exhausted(cluster: Cluster, make_node: MakeNode) -> None:
    node, other = make_node("10.1.2.0/29"), make_node("10.1.2.0/29", name="other")
    for at in range(6):
        other.add(f"c{at}")
    with pytest.raises(TryAgainLater):
        node.add("x")
    other.delete("c3")
    assert node.add("x") == ["10.1.2.4"]


def test_all_or_nothing(cluster: Cluster, make_node: MakeNode) -> None:
    """The second range is exhausted: the first gets its address back."""
    full = make_node("fd00::/127", name="full")
    full.add("c1")
    full.add("c2")
    node = make_node("10.1.2.0/24", "fd00::/127")
    with pytest.raises(TryAgainLater, match="no address of fd00::/127"):
        node.add("c3")
    audit(cluster, node, full)
    assert len(allocations(cluster)) == 2
    full.delete("c2")
    assert node.add("c3") == ["10.1.2.1", "fd00::1"]


@pytest.mark.parametrize(
    ("text", "given"),
    [("10.1.2.4/31", ["10.1.2.4", "10.1.2.5"]), ("10.1.2.9/32", ["10.1.2.9"]), ("fd00::8/127", ["fd00::8", "fd00::9"])],
)
def test_small_ranges(cluster: Cluster, make_node: MakeNode, text: str, given: list[str]) -> None:
    node = make_node(text)
    assert [node.add(f"c{at}")[0] for at in range(len(given))] == given
    with pytest.raises(TryAgainLater):
        node.add("more")
    audit(cluster, node)


def test_offsets_that_peers_cannot_read_are_not_given(cluster: Cluster, make_node: MakeNode) -> None:
    last = Ip(6, Ip.parse("fd00::").number + (1 << 63) - 1)
    node = make_node(f"{last}-fd00::ffff:ffff:ffff:ffff/64")
    assert node.add("c1") == [str(last)]
    with pytest.raises(TryAgainLater, match="no address of"):
        node.add("c2")
    beyond = make_node("fd00::8000:0:0:0-fd00::9000:0:0:0/64", name="beyond")
    with pytest.raises(InvalidNetworkConfig, match=r"ipam\.range: .* begins beyond fd00::7fff:ffff:ffff:ffff"):
        beyond.add("c3")
    audit(cluster, node)


def test_an_edited_range_leaves_pods_what_they_have(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node("10.1.2.10-10.1.2.20/24")
    assert node.add("c1", pod="default/a", uid="1") == ["10.1.2.10"]
    edited = make_node("10.1.2.50-10.1.2.60/24")
    assert edited.add("c2", pod="default/a", uid="1") == ["10.1.2.10"]
    assert edited.add("c3") == ["10.1.2.50"]
    moved = make_node("10.7.0.0/24")
    assert moved.add("c4", pod="default/a", uid="1") == ["10.7.0.1"]
    audit(cluster, moved)
    assert sorted(reservations(cluster)) == ["10.1.2.50", "10.7.0.1"]


def test_one_container_with_another_pod(cluster: Cluster, make_node: MakeNode) -> None:
    """The runtime told no pod the first time: nothing is left of that."""
    node = make_node()
    node.add("c1", pod="", uid="")
    node.add("c1", pod="default/a", uid="1")
    assert len(allocations(cluster)) == 1
    audit(cluster, node)
    node.delete("c1")
    assert allocations(cluster) == {}


def test_garbage(cluster: Cluster, make_node: MakeNode) -> None:
    node, other = make_node(), make_node("10.9.0.0/24", network="other")
    for name in ("c1", "c2", "c3"):
        node.add(name)
    other.add("c4")
    node.collect("c2")
    assert {each["id"] for each in allocations(cluster).values()} == {"c2", "c4"}
    audit(cluster, node)
    node.collect()
    assert {each["id"] for each in allocations(cluster).values()} == {"c4"}
    pointers = [path for path in (node.data_dir / "journal" / "attachment").rglob("*") if path.is_symlink()]
    assert len(pointers) == 1


def test_a_released_address_cools_down(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node("10.1.2.4/31", cool_down=0.5)
    assert node.add("c1", pod="default/a", uid="1") == ["10.1.2.4"]
    node.delete("c1")
    assert node.add("c2") == ["10.1.2.5"]
    with pytest.raises(TryAgainLater):
        node.add("c3")
    assert node.add("c4", pod="default/a", uid="1") == ["10.1.2.4"]
    audit(cluster, node)
    node.delete("c4")
    time.sleep(0.6)
    assert node.add("c3") == ["10.1.2.4"]


def test_check_finds_what_is_wrong(cluster: Cluster, make_node: MakeNode) -> None:
    node = make_node("10.1.2.0/24", "fd00::/64")
    node.add("c1")
    assert node.check("c1", "10.1.2.1", "fd00::1") == []
    assert node.check("c1", "10.1.2.1") == ["fd00::1/64 is on record, and not in prevResult"]
    assert "10.1.2.9/24 is not on record" in node.check("c1", "10.1.2.9", "fd00::1")[0]
    assert "nothing is on record" in node.check("c9", "10.1.2.1")[0]
    cluster.api.delete(cluster.path("overlappingrangeipreservations", "10.1.2.1")).expect(200)
    assert node.check("c1", "10.1.2.1", "fd00::1") == []
    audit(cluster, node)
    cluster.api.delete(cluster.path("ippools", "fd00---64")).expect(200)
    assert node.check("c1", "10.1.2.1", "fd00::1") == [f"fd00::1/64: IPPool {cluster.namespace}/fd00---64 is gone"]
