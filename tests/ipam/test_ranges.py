"""The arithmetic of ranges, against Python's own `ipaddress`."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_multus.cni.addressing import Ip
from cni_multus.cni.config import Section
from ipam.host_local.ranges import Range, RangeSet


def parse(subnet: str, **more: str) -> Range:
    return Range.parse(Section({"subnet": subnet, **more}, "ipam.ranges[0][0]"))


def bounds(one: Range) -> tuple[str, str, str]:
    family = one.subnet.family
    return str(Ip(family, one.first)), str(Ip(family, one.last)), str(one.gateway)


@pytest.mark.parametrize(
    ("subnet", "expected"),
    [
        ("192.0.2.0/24", ("192.0.2.1", "192.0.2.254", "192.0.2.1")),
        ("192.0.2.0/25", ("192.0.2.1", "192.0.2.126", "192.0.2.1")),
        ("192.0.2.128/25", ("192.0.2.129", "192.0.2.254", "192.0.2.129")),
        ("2001:db8:1::/64", ("2001:db8:1::1", "2001:db8:1:0:ffff:ffff:ffff:ffff", "2001:db8:1::1")),
        ("10.0.0.0/31", ("10.0.0.0", "10.0.0.1", "None")),
        ("10.0.0.7/32", ("10.0.0.7", "10.0.0.7", "None")),
        ("0.0.0.0/0", ("0.0.0.1", "255.255.255.254", "0.0.0.1")),
    ],
)
def test_bounds_and_gateway_have_defaults(subnet: str, expected: tuple[str, str, str]) -> None:
    assert bounds(parse(subnet)) == expected


def test_all_that_is_given_is_kept() -> None:
    one = parse("192.0.2.0/24", rangeStart="192.0.2.40", rangeEnd="192.0.2.50", gateway="192.0.2.254")
    assert bounds(one) == ("192.0.2.40", "192.0.2.50", "192.0.2.254")
    assert str(one) == "192.0.2.40-192.0.2.50 of 192.0.2.0/24"


def test_both_bounds_are_members() -> None:
    for subnet, low, high in (
        ("192.0.2.0/24", "192.0.2.40", "192.0.2.50"),
        ("2001:db8::/64", "2001:db8::40", "2001:db8::50"),
    ):
        one = parse(subnet, rangeStart=low, rangeEnd=high)
        first, last = ip_address(low), ip_address(high)
        members = [one.contains(Ip.parse(str(address))) for address in (first - 1, first, last, last + 1)]
        assert members == [False, True, True, False]


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (parse("192.0.2.0/24"), parse("192.0.4.0/24"), False),
        (parse("192.0.2.0/24"), parse("2001:db8::/64"), False),
        (parse("192.0.2.0/24"), parse("192.0.2.0/24"), True),
        (parse("192.0.0.0/20"), parse("192.0.2.0/24"), True),
        (parse("192.0.2.0/24", rangeEnd="192.0.2.127"), parse("192.0.2.0/24", rangeStart="192.0.2.128"), False),
        (parse("192.0.2.0/24", rangeEnd="192.0.2.128"), parse("192.0.2.0/24", rangeStart="192.0.2.128"), True),
    ],
    ids=["disjoint", "families", "same", "inside", "halves", "halves-that-meet"],
)
def test_overlapping_is_seen_from_either_side(one: Range, other: Range, overlap: bool) -> None:
    assert one.overlaps(other) is other.overlaps(one) is overlap


@given(
    prefix=st.integers(24, 32),
    last=st.one_of(st.none(), st.integers(0, 255)),
    holes=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 40)), max_size=4),
)
def test_the_search_meets_every_address_once_beginning_after_the_last(
    prefix: int, last: int | None, holes: list[tuple[int, int]]
) -> None:
    subnets = [ip_network(f"10.0.0.0/{prefix}"), ip_network(f"10.0.1.0/{prefix}")]
    ranges = RangeSet([parse(str(subnet)) for subnet in subnets], "ipam.ranges[0]")
    base = int(ip_address("10.0.0.0"))
    for start, length in holes:
        for one in ranges.ranges:
            one.take_out(4, base + start, base + start + length)
    usable = [number for one in ranges.ranges for number in range(one.first, one.last + 1)]
    free = [number for number in usable if not any(0 <= number - base - start <= length for start, length in holes)]
    searched = [
        number
        for low, high in ranges.spans_after(None if last is None else Ip(4, base + last))
        for number in range(low, high + 1)
    ]
    at = usable.index(base + last) + 1 if last is not None and base + last in usable else 0
    assert searched == [number for number in usable[at:] + usable[:at] if number in free]
    assert ranges.size == len(free)
