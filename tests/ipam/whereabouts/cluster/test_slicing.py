"""Slices of a range as values: nothing is asked of anybody."""

from __future__ import annotations

import pytest

from cni_multus.cni.addressing import BITS, Cidr, Ip
from ipam.whereabouts.cluster.slicing import FULL, SPARE, Entry, Slicing, fits, within
from ipam.whereabouts.pool import Pool


def pool(cidr: str, size: int, first: str = "", last: str = "") -> Pool:
    network = Cidr.parse(cidr).network
    inner = 0 if BITS[network.family] - network.prefix <= 1 else 1
    low = Ip.parse(first).number if first else network.first + inner
    high = Ip.parse(last).number if last else network.last - inner
    made = Pool(network, low, high)
    made.slice_size = size
    return made


def listed(*entries: tuple[str, str], range_: str = "10.0.0.0/16", size: str = "/24") -> Slicing:
    return Slicing([Entry(node, text) for node, text in entries], range_, size)


def ranges(slicing: Slicing) -> list[str]:
    return [entry.text for entry in slicing.entries]


@pytest.mark.parametrize(
    ("range_", "size", "number"),
    [("10.0.0.0/8", 8, 1), ("10.0.0.0/8", 10, 4), ("10.0.0.0/8", 11, 8), ("10.0.0.0/10", 12, 4), ("fd00::/64", 66, 4)],
)
def test_a_range_has_as_many_slices_as_the_size_says(range_: str, size: int, number: int) -> None:
    slices = Slicing().refilled(pool(range_, size))
    assert len(slices.entries) == number
    assert all(entry.node == "" for entry in slices.entries)
    assert slices.size == f"/{size}"


def test_small_ranges_are_listed_in_full_and_in_their_order() -> None:
    slices = ranges(Slicing().refilled(pool("10.0.0.0/22", 24)))
    assert slices == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
    assert len(Slicing().refilled(pool("10.0.0.0/14", 24)).entries) == FULL


@pytest.mark.parametrize(("range_", "size"), [("10.0.0.0/8", 24), ("fd00::/48", 64), ("fd00::/32", 112)])
def test_of_a_range_with_many_slices_only_some_free_ones_are_listed(range_: str, size: int) -> None:
    slices = Slicing().refilled(pool(range_, size))
    assert len(slices.entries) == SPARE
    for entry in slices.entries[:40]:
        entry.node = "n"
    again = slices.refilled(pool(range_, size))
    assert len(again.entries) == 40 + SPARE
    assert len(set(ranges(again))) == 40 + SPARE


def test_what_a_node_has_stays_when_the_size_of_slices_changes() -> None:
    edited = listed(("a", "10.0.1.0/24"), ("", "10.0.2.0/24")).refilled(pool("10.0.0.0/21", 25))
    assert Entry("a", "10.0.1.0/24").to_json() in [entry.to_json() for entry in edited.entries]
    assert "10.0.1.0/25" not in ranges(edited)
    assert "10.0.1.128/25" not in ranges(edited)
    assert "10.0.2.0/24" not in ranges(edited)
    assert len(edited.entries) == 1 + 14
    assert edited.find_own("a", pool("10.0.0.0/21", 25)) is None


def test_slices_that_become_larger_pass_over_those_with_a_node_in_them() -> None:
    edited = listed(("a", "10.0.1.128/25"), ("b", "10.0.7.0/25")).refilled(pool("10.0.0.0/21", 23))
    assert [entry.text for entry in edited.entries if not entry.node] == ["10.0.2.0/23", "10.0.4.0/23"]


def test_what_a_node_has_stays_when_the_range_changes() -> None:
    edited = listed(("a", "10.0.1.0/24"), ("b", "10.9.1.0/24")).refilled(pool("10.0.0.0/22", 24))
    assert edited.find_own("a", pool("10.0.0.0/22", 24)) == Cidr.parse("10.0.1.0/24")
    assert edited.find_own("b", pool("10.0.0.0/22", 24)) is None
    assert ("b", "10.9.1.0/24") in [(entry.node, entry.text) for entry in edited.entries]


def test_a_slice_that_two_nodes_have_belongs_to_the_first_of_them() -> None:
    twice = listed(("a", "10.0.1.0/24"), ("b", "10.0.1.0/24"), ("b", "10.0.2.0/24"))
    assert twice.find_own("a", pool("10.0.0.0/16", 24)) == Cidr.parse("10.0.1.0/24")
    assert twice.find_own("b", pool("10.0.0.0/16", 24)) == Cidr.parse("10.0.2.0/24")


def test_a_free_member_that_overlaps_what_a_node_has_is_not_offered() -> None:
    confused = listed(
        ("a", "10.0.0.0/23"), ("", "10.0.1.0/24"), ("", "10.0.2.0/24"), ("", "nonsense"), ("", "fd00::/24")
    )
    assert confused.free(pool("10.0.0.0/16", 24)) == [2]


def test_slices_in_which_nothing_may_be_given_are_not_offered() -> None:
    bounded = pool("10.0.0.0/16", 24, "10.0.3.7", "10.0.5.9")
    assert ranges(Slicing().refilled(bounded)) == ["10.0.3.0/24", "10.0.4.0/24", "10.0.5.0/24"]
    bounded.take_out(Cidr.parse("10.0.4.0/24").first, Cidr.parse("10.0.4.0/24").last)
    assert ranges(Slicing().refilled(bounded)) == ["10.0.3.0/24", "10.0.5.0/24"]
    far = pool("10.0.0.0/8", 28, "10.200.0.1", "10.200.0.20")
    assert ranges(Slicing().refilled(far)) == ["10.200.0.0/28", "10.200.0.16/28"]


def test_exclusions_and_bounds_hold_inside_a_slice() -> None:
    whole = pool("10.0.0.0/16", 24, "10.0.1.10")
    whole.take_out(Ip.parse("10.0.1.16").number, Ip.parse("10.0.1.31").number)
    part = within(whole, Cidr.parse("10.0.1.0/24"))
    assert part.size == 254 - 9 - 16
    assert not part.may_give(Ip.parse("10.0.1.20"))
    assert not part.may_give(Ip.parse("10.0.1.9"))
    assert not part.may_give(Ip.parse("10.0.2.1"))
    assert part.may_give(Ip.parse("10.0.1.254"))
    assert str(part) == "10.0.0.0/16 (10.0.1.10 to 10.0.1.254)"
    assert whole.may_give(Ip.parse("10.0.2.1"))


@pytest.mark.parametrize(
    ("range_", "slice_", "size"),
    [("10.0.0.0/24", "10.0.0.8/30", 2), ("10.0.0.0/24", "10.0.0.8/31", 2), ("10.0.0.0/24", "10.0.0.9/32", 1),
     ("fd00::/64", "fd00::1:0/112", 65534), ("fd00::/64", "fd00::2/127", 2), ("fd00::/64", "fd00::2/128", 1)],
)  # fmt: skip
def test_first_and_last_address_of_a_slice_are_given_only_where_there_is_nothing_else(
    range_: str, slice_: str, size: int
) -> None:
    assert within(pool(range_, Cidr.parse(slice_).prefix), Cidr.parse(slice_)).size == size


def test_a_slice_is_aligned_and_of_the_configured_size() -> None:
    whole = pool("10.0.0.0/16", 24)
    assert fits(Cidr.parse("10.0.1.0/24"), whole)
    assert not fits(Cidr.parse("10.0.1.1/24"), whole)
    assert not fits(Cidr.parse("10.0.1.0/25"), whole)
    assert not fits(Cidr.parse("10.1.1.0/24"), whole)
    assert not fits(Cidr.parse("fd00::/24"), whole)


def test_documents_that_others_wrote_are_read_as_far_as_they_go() -> None:
    odd: dict[str, object] = {
        "spec": {"range": "10.0.0.0/16", "sliceSize": "24"},
        "status": {"allocations": [None, {"nodeName": "a", "sliceRange": "10.0.0.0/24"}, {"sliceRange": "x"}]},
    }
    read = Slicing.parse(odd)
    assert read.says(pool("10.0.0.0/16", 24))
    assert read.find_own("a", pool("10.0.0.0/16", 24)) == Cidr.parse("10.0.0.0/24")
    assert Slicing.parse({}).entries == []
    assert Slicing.parse({"status": {"allocations": "none"}}).entries == []
    assert len(read.refilled(pool("10.0.0.0/16", 24)).entries) == 256
