"""Ranges of whereabouts: what they mean, in whichever way they are spelt; netaddr is the witness of the arithmetic."""

from __future__ import annotations

from itertools import islice
from typing import Any

import netaddr
import pytest
from hypothesis import given as everything
from hypothesis import strategies as st

from tests.ipam.whereabouts.parsed import given, parsed, pool, refused, window

# Which addresses a range has: test vectors 16 to 22 and 26 to 31 of the reference's own suite, put together anew.


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("192.168.1.0/24", "192.168.1.1", "192.168.1.254"),
        ("192.168.1.1/24", "192.168.1.1", "192.168.1.254"),
        ("192.168.2.225/28", "192.168.2.225", "192.168.2.238"),
        ("192.168.0.0/30", "192.168.0.1", "192.168.0.2"),
        ("10.0.0.0/23", "10.0.0.1", "10.0.1.254"),
        ("0.0.0.0/0", "0.0.0.1", "255.255.255.254"),
        ("caa5::0/112", "caa5::1", "caa5::fffe"),
        ("::1/126", "::1", "::2"),
        ("fd::1/116", "fd::1", "fd::ffe"),
        ("100::2:1/126", "100::2:1", "100::2:2"),
        ("2001:db8::/64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:fffe"),
        ("2001:0db8:0000::/64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:fffe"),
        ("2001:db8::/30", "2001:db8::1", "2001:dbb:ffff:ffff:ffff:ffff:ffff:fffe"),
        ("::/0", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"),
        ("010.030.012.000/24", "10.30.12.1", "10.30.12.254"),
        ("::ffff:10.0.0.0/120", "10.0.0.1", "10.0.0.254"),
    ],
)
def test_a_range_has_all_addresses_but_the_networks_own(text: str, first: str, last: str) -> None:
    assert window(pool(text)) == (first, last)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("10.0.0.4/31", ["10.0.0.4", "10.0.0.5"]),
        ("10.0.0.5/32", ["10.0.0.5"]),
        ("fd00::4/127", ["fd00::4", "fd00::5"]),
        ("fd00::5/128", ["fd00::5"]),
        ("10.0.0.4-10.0.0.4/31", ["10.0.0.4"]),
    ],
)
def test_of_the_smallest_ranges_every_address_serves(text: str, addresses: list[str]) -> None:
    assert list(given(pool(text))) == addresses


@pytest.mark.parametrize("text", ["10.0.0.0/29", "fd00::/125"])
def test_where_packets_are_routed_to_each_address_all_of_them_serve(text: str) -> None:
    assert len(list(given(pool(text, enable_l3=True)))) == 8
    assert len(list(given(parsed({"ipRanges": [{"range": text, "enable_l3": True}]}).pools[0]))) == 8
    assert len(list(given(parsed({"ipRanges": [{"range": text}]}).pools[0]))) == 6


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("192.168.1.5-192.168.1.25/24", {}, ("192.168.1.5", "192.168.1.25")),
        ("192.168.1.5-192.168.1.25/24", {"range_start": "192.168.1.5"}, ("192.168.1.5", "192.168.1.25")),
        ("00192.168.1.5-192.168.001.25/24", {}, ("192.168.1.5", "192.168.1.25")),
        ("fd00:0:0:10:0:0:3:1-fd00:0:0:10:0:0:3:6/64", {}, ("fd00::10:0:0:3:1", "fd00::10:0:0:3:6")),
        (
            "2001:db8:480:603d:304:403::-2001:db8:480:603d:304:403:0:4/64",
            {},
            ("2001:db8:480:603d:304:403::", "2001:db8:480:603d:304:403:0:4"),
        ),
        ("192.168.0.0-192.168.0.255/24", {}, ("192.168.0.1", "192.168.0.254")),
        ("192.168.1.0/24", {"range_start": "192.168.1.100"}, ("192.168.1.100", "192.168.1.254")),
        ("192.168.1.44/24", {"range_start": "192.168.1.100"}, ("192.168.1.100", "192.168.1.254")),
        ("192.168.1.0/24", {"range_end": "192.168.001.008"}, ("192.168.1.1", "192.168.1.8")),
        ("192.168.1.0/24", {"range_start": "192.168.1.8", "range_end": "192.168.1.8"}, ("192.168.1.8",) * 2),
        ("192.168.1.0/24", {"range_start": "192.168.1.0", "range_end": ""}, ("192.168.1.1", "192.168.1.254")),
        ("192.168.1.0/24", {"range_end": "192.168.1.255"}, ("192.168.1.1", "192.168.1.254")),
        ("fd00::/64", {"range_start": "fd00::00ff", "range_end": "fd00::1:0"}, ("fd00::ff", "fd00::1:0")),
        ("10.0.0.0/16", {"range_start": "10.0.0.255", "range_end": "10.0.1.0"}, ("10.0.0.255", "10.0.1.0")),
    ],
    ids=str,
)
def test_bounds_may_be_spelt_in_two_ways(text: str, more: dict[str, str], expected: tuple[str, str]) -> None:
    assert window(pool(text, **more)) == expected
    assert window(parsed({"ipRanges": [{"range": text, **more}]}).pools[0]) == expected


@pytest.mark.parametrize(
    ("text", "exclude", "first"),
    [
        ("192.168.0.0/29", ["192.168.0.0/30"], ["192.168.0.4", "192.168.0.5", "192.168.0.6"]),
        ("192.168.0.0/29", ["192.168.0.1"], ["192.168.0.2"]),
        ("192.168.0.0/29", ["192.168.000.001/32"], ["192.168.0.2"]),
        ("100::2:1/125", ["100::2:1/126"], ["100::2:4"]),
        ("100::2:1/125", ["100::2:1"], ["100::2:2"]),
        ("2001:db8::/30", ["2001:db8::/32"], ["2001:db9::"]),
        ("caa5::0/112", ["caa5::0/113"], ["caa5::8000"]),
        ("192.168.0.0/28", ["192.168.0.8/31", "192.168.0.0/29"], ["192.168.0.10"]),
        ("192.168.0.0/28", ["192.168.0.0/29", "192.168.0.8/31", "192.168.0.4/30"], ["192.168.0.10"]),
        ("192.168.1.0/24", ["192.168.1.0/28", "192.168.1.16/28"], ["192.168.1.32"]),
        ("192.168.2.225/28", ["192.168.2.229/30", "192.168.2.236/32"], ["192.168.2.225"]),
        ("192.168.0.0/29", ["10.0.0.0/8", "fd00::/8"], ["192.168.0.1"]),
        ("10.0.0.0/30", ["10.0.0.1", "10.0.0.1"], ["10.0.0.2"]),
    ],
    ids=str,
)
def test_what_is_excluded_is_passed_over(text: str, exclude: list[str], first: list[str]) -> None:
    assert list(islice(given(pool(text, exclude=exclude)), len(first))) == first
    assert list(islice(given(parsed({"ipRanges": [{"range": text, "exclude": exclude}]}).pools[0]), 1)) == first[:1]


def test_an_exclusion_outside_the_ranges_counts_for_all_of_them_one_inside_for_its_own() -> None:
    ranges = [{"range": "10.0.0.0/30"}, {"range": "10.0.1.0/30", "exclude": ["10.0.1.1"]}]
    pools = parsed({"exclude": ["10.0.0.1", "10.0.2.1"], "range": "10.0.2.0/30", "ipRanges": ranges}).pools
    assert [list(given(one)) for one in pools] == [["10.0.2.2"], ["10.0.0.2"], ["10.0.1.2"]]


def test_dot_zero_and_dot_255_inside_a_network_are_addresses_like_any_other() -> None:
    assert {"10.0.0.255", "10.0.1.0"} <= set(given(pool("10.0.0.0/22")))


@pytest.mark.parametrize(
    ("ipam", "words"),
    [
        ({"range": "10.0.0.0"}, ["ipam.range", "prefix length"]),
        ({"range": "10.0.0.0/33"}, ["ipam.range", "/33"]),
        ({"range": "fd00::/129"}, ["ipam.range", "/129"]),
        ({"range": "nonsense"}, ["ipam.range", "nonsense"]),
        ({"range": "10.0.0/24"}, ["ipam.range", "10.0.0"]),
        ({"range": "10.0.0.0/24 "}, ["ipam.range"]),
        ({"range": "10.0.0.256/24"}, ["ipam.range"]),
        ({"range": "0x10.0.0.1/24"}, ["ipam.range"]),
        ({"range": "fd00::1::/64"}, ["ipam.range"]),
        ({"range": "10.0.0.5-10.0.0.9"}, ["ipam.range", "prefix length"]),
        ({"range": "-10.0.0.9/24"}, ["ipam.range"]),
        ({"range": "10.0.1.5-10.0.0.9/24"}, ["ipam.range", "10.0.1.5 is not in 10.0.0.0/24"]),
        ({"range": "fd00::1-10.0.0.9/24"}, ["ipam.range", "fd00::1 is not in 10.0.0.0/24"]),
        ({"range": "10.0.0.9-10.0.0.5/24"}, ["ipam.range", "10.0.0.5", "comes before 10.0.0.9"]),
        ({"range": "10.0.0.5-10.0.0.9/24", "range_start": "10.0.0.6"}, ["ipam.range_start", "contradicts ipam.range"]),
        ({"range": "10.0.0.5-10.0.0.9/24", "range_end": "10.0.0.8"}, ["ipam.range_end", "which says 10.0.0.9"]),
        ({"range": "10.0.0.0/24", "range_start": "10.0.0.x"}, ["ipam.range_start", "10.0.0.x"]),
        ({"range": "10.0.0.0/24", "range_start": "10.0.1.1"}, ["ipam.range_start", "10.0.1.1 is not in 10.0.0.0/24"]),
        ({"range": "10.0.0.0/24", "range_end": "fd00::1"}, ["ipam.range_end", "fd00::1 is not in 10.0.0.0/24"]),
        ({"range": "10.0.0.0/24", "range_start": "10.0.0.9", "range_end": "10.0.0.5"}, ["ipam.range_end", "10.0.0.5"]),
        ({"range": "10.0.0.0/24", "range_start": "10.0.0.255"}, ["ipam.range_start", "10.0.0.254"]),
        ({"range": "10.0.0.0/24", "range_end": "10.0.0.0"}, ["ipam.range_end", "comes before 10.0.0.1"]),
        ({"range": "192.168.0.0/24", "exclude": ["192.168.0.1/123"]}, ["ipam.exclude[0]", "/123"]),
        ({"range": "100::/64", "exclude": ["100::1", "100::2::1"]}, ["ipam.exclude[1]", "100::2::1"]),
        ({"range": "10.0.0.0/30", "exclude": ["10.0.0.0/30"]}, ["ipam.range", "10.0.0.0/30", "nothing is left"]),
        ({"range": "10.0.0.0/30", "exclude": ["10.0.0.0/8"]}, ["nothing is left"]),
        ({"range": "fd00::/126", "exclude": ["fd00::1", "fd00::2"]}, ["nothing is left"]),
        ({"range": "10.0.0.0/30", "exclude": ["10.0.0.1"], "gateway": "10.0.0.2"}, ["nothing is left but gateways"]),
        ({"ipRanges": [{"range": "10.0.0.0/24"}, {}]}, ["ipam.ipRanges[1].range", "missing"]),
        ({"ipRanges": [{"range": "10.0.0.0/24"}], "range_start": "10.0.0.9"}, ["ipam.range_start", "no ipam.range"]),
        ({"ipRanges": [{"range": "10.0.0.0/24", "range_start": "x"}]}, ["ipam.ipRanges[0].range_start"]),
        ({"ipRanges": [{"range": "10.0.0.0/24", "exclude": ["x"]}]}, ["ipam.ipRanges[0].exclude[0]"]),
        (
            {"ipRanges": [{"range": "10.0.0.0/24"}, {"range": "10.0.0.0/24"}]},
            ["ipam.ipRanges[1].range", "overlaps ipam.ipRanges[0].range"],
        ),
        (
            {"range": "10.0.0.9-10.0.0.20/24", "ipRanges": [{"range": "10.0.0.0/16", "range_end": "10.0.0.9"}]},
            ["ipam.ipRanges[0].range", "overlaps ipam.range", "10.0.0.0/24 (10.0.0.9 to 10.0.0.20)"],
        ),
    ],
    ids=str,
)
def test_a_range_that_cannot_be_meant_is_refused(ipam: dict[str, Any], words: list[str]) -> None:
    refused(ipam, 7, *words)


@pytest.mark.parametrize(
    ("ipam", "words"),
    [
        ({"range": 7}, ["ipam.range must be a string"]),
        ({"range": "10.0.0.0/24", "exclude": "10.0.0.1"}, ["ipam.exclude must be a list"]),
        ({"ipRanges": {"range": "10.0.0.0/24"}}, ["ipam.ipRanges must be a list"]),
        ({"ipRanges": ["10.0.0.0/24"]}, ["ipam.ipRanges[0] must be an object"]),
        ({"range": "10.0.0.0/24", "enable_l3": "yes"}, ["ipam.enable_l3 must be a boolean"]),
    ],
    ids=str,
)
def test_a_key_of_another_type_is_told(ipam: dict[str, Any], words: list[str]) -> None:
    refused(ipam, 6, *words)


def test_two_parts_of_one_network_do_not_overlap() -> None:
    ranges = [{"range": "10.0.0.0/24", "range_end": "10.0.0.99"}, {"range": "10.0.0.100-10.0.0.150/24"}]
    assert [window(one) for one in parsed({"ipRanges": ranges}).pools] == [
        ("10.0.0.1", "10.0.0.99"),
        ("10.0.0.100", "10.0.0.150"),
    ]


@pytest.mark.parametrize(
    ("ipam", "expected"),
    [
        ({"range": "10.0.0.0/24", "range_start": "x"}, [("10.0.0.1", "10.0.0.254")]),
        ({"range": "10.0.0.0/24", "range_start": "10.0.1.1"}, [("10.0.0.1", "10.0.0.254")]),
        ({"range": "10.0.0.0/24", "range_start": "10.0.0.255"}, [("10.0.0.1", "10.0.0.254")]),
        ({"range": "10.0.0.0/24", "range_end": "fd00::1"}, [("10.0.0.1", "10.0.0.254")]),
        ({"range": "10.0.0.9-10.0.0.5/24"}, [("10.0.0.9", "10.0.0.254")]),
        ({"range": "10.0.0.5-10.0.0.9/24", "range_start": "10.0.0.7"}, [("10.0.0.5", "10.0.0.9")]),
        ({"range": "10.0.0.0/24", "gateway": "fd00::1"}, [("10.0.0.1", "10.0.0.254")]),
        ({"ipRanges": [{"range": "10.0.0.0/24"}] * 2}, [("10.0.0.1", "10.0.0.254")] * 2),
        ({"ipRanges": [{"range": "10.0.0.0/24"}], "range_end": "10.0.0.9"}, [("10.0.0.1", "10.0.0.254")]),
        ({}, []),
    ],
    ids=str,
)
def test_compat_means_what_whereabouts_makes_of_it(ipam: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    refused(ipam, 7)
    assert [window(one) for one in parsed({**ipam, "compat": True}).pools] == expected


# Gateways


def test_a_gateway_is_told_and_never_given() -> None:
    found = pool("192.168.20.0/29", gateway="192.168.020.003")
    assert str(found.gateway) == "192.168.20.3"
    assert list(given(found)) == [f"192.168.20.{number}" for number in (1, 2, 4, 5, 6)]


def test_a_gateway_may_lie_outside_every_range() -> None:
    assert str(pool("192.168.2.225/28", gateway="192.168.2.1").gateway) == "192.168.2.1"
    assert str(pool("2001::0/116", gateway="2001::f:1").gateway) == "2001::f:1"


def test_a_gateway_is_of_the_ranges_it_lies_in_else_of_its_family() -> None:
    ranges = [{"range": "10.0.0.0/24"}, {"range": "10.0.1.0/24"}, {"range": "fd00::/64"}]
    gateways = {
        key: [str(one.gateway) for one in parsed({"ipRanges": ranges, "gateway": key}).pools]
        for key in ("10.0.1.1", "192.0.2.1", "fd00::1")
    }
    assert gateways == {
        "10.0.1.1": ["None", "10.0.1.1", "None"],
        "192.0.2.1": ["192.0.2.1", "192.0.2.1", "None"],
        "fd00::1": ["None", "None", "fd00::1"],
    }


def test_each_range_may_have_its_own_gateway() -> None:
    ranges = [{"range": "10.0.0.0/24", "gateway": "10.0.0.254"}, {"range": "fd00::/64", "gateway": "fd00::1"}]
    found = parsed({"range": "10.0.1.0/24", "gateway": "10.0.1.1", "ipRanges": ranges}).pools
    assert [str(one.gateway) for one in found] == ["10.0.1.1", "10.0.0.254", "fd00::1"]


def test_no_range_gives_what_is_the_gateway_of_another_or_the_next_hop_of_a_route() -> None:
    ranges = [{"range": "10.0.0.0/29", "gateway": "10.0.1.2"}, {"range": "10.0.1.0/29"}]
    ipam = {
        "ipRanges": ranges,
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.0.1.1"}],
        "addresses": [{"address": "10.0.1.3/29", "gateway": "10.0.1.4"}],
    }
    assert list(given(parsed(ipam).pools[1])) == ["10.0.1.5", "10.0.1.6"]
    assert list(given(parsed({**ipam, "exclude_gateway": False}).pools[1])) == [
        f"10.0.1.{number}" for number in (1, 2, 4, 5, 6)
    ]


@pytest.mark.parametrize(
    ("ipam", "words"),
    [
        ({"range": "10.0.0.0/24", "gateway": "fd00::1"}, ["ipam.gateway", "fd00::1 is IPv6, and no range is"]),
        ({"range": "10.0.0.0/24", "gateway": "10.0.0"}, ["ipam.gateway", "10.0.0"]),
        ({"ipRanges": [{"range": "10.0.0.0/24", "gateway": "fd00::1"}]}, ["ipam.ipRanges[0].gateway", "family"]),
    ],
    ids=str,
)
def test_a_gateway_that_no_address_can_have_is_refused(ipam: dict[str, Any], words: list[str]) -> None:
    refused(ipam, 7, *words)


# The arithmetic as a whole

NETWORKS = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1).map(netaddr.IPAddress), st.integers(24, 32)),
    st.tuples(st.integers(2**64, 2**128 - 1).map(netaddr.IPAddress), st.integers(120, 128)),
)


@everything(
    network=NETWORKS,
    start=st.one_of(st.none(), st.integers(0, 255)),
    length=st.one_of(st.none(), st.integers(0, 255)),
    holes=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 8)), max_size=4),
    gateway=st.one_of(st.none(), st.integers(0, 255)),
    enable_l3=st.booleans(),
)
def test_a_pool_gives_what_netaddr_says(
    network: tuple[netaddr.IPAddress, int],
    start: int | None,
    length: int | None,
    holes: list[tuple[int, int]],
    gateway: int | None,
    enable_l3: bool,
) -> None:
    cidr = netaddr.IPNetwork(f"{network[0]}/{network[1]}")
    inner = [cidr[number % cidr.size] for number in (start, gateway) if number is not None]
    ipam: dict[str, Any] = {"range": str(cidr), "enable_l3": enable_l3}
    expected = {int(ip) for ip in cidr}
    if cidr.size > 2 and not enable_l3:
        expected -= {cidr.first, cidr.last}
    if start is not None:
        ipam["range_start"] = str(inner[0])
        expected = {number for number in expected if number >= int(inner[0])}
        if length is not None:
            end = min(int(inner[0]) + length, cidr.last)
            ipam["range_end"] = str(netaddr.IPAddress(end, cidr.version))
            expected = {number for number in expected if number <= end}
    bits = 32 if cidr.version == 4 else 128
    ipam["exclude"] = [f"{cidr[offset % cidr.size]}/{bits - size}" for offset, size in holes]
    for text in ipam["exclude"]:
        expected -= {
            number for number in expected if netaddr.IPAddress(number, cidr.version) in netaddr.IPNetwork(text)
        }
    if gateway is not None:
        ipam["gateway"] = str(inner[-1])
        expected -= {int(inner[-1])}
    if not expected:
        refused(ipam, 7)
        return
    found = pool(**{"text": ipam.pop("range"), **ipam})
    assert {number for low, high in found.spans for number in range(low, high + 1)} == expected
    assert found.spans == sorted(found.spans)
    assert found.size == len(expected)
