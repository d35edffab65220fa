"""Addresses and prefixes, held against the standard ipaddress and against netaddr."""

from __future__ import annotations

import ipaddress

import netaddr
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cni_multus.cni.addressing import BITS, Cidr, Ip, parse_mac

NUMBERS = {4: st.integers(0, 2**32 - 1), 6: st.integers(0, 2**128 - 1) | st.integers(0, 2**50)}
STANDARD = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}
IPS = st.one_of(*(st.builds(STANDARD[family], numbers) for family, numbers in NUMBERS.items()))
TYPED = st.text("0123456789abcdefF.:%/ x\0", max_size=24) | st.text(max_size=6)


def plain(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """IPv4 written as IPv6 is IPv4 to CNI."""
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def standard_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """What the standard module reads; zones are left out, since CNI knows none."""
    try:
        return None if "%" in text else plain(ipaddress.ip_address(text))
    except ValueError:
        return None


@given(IPS | st.sampled_from([ipaddress.ip_address("::ffff:10.0.0.1"), ipaddress.ip_address("::")]))
@example(ipaddress.ip_address("::102:304"))
@example(ipaddress.ip_address("::ffff:0:0"))
@example(ipaddress.ip_address("::1"))
@example(ipaddress.ip_address("::ffff"))
@example(ipaddress.ip_address("::1:0"))
@example(ipaddress.ip_address("64:ff9b::192.0.2.1"))
@example(ipaddress.ip_address("1:0:2:0:3:0:4:0"))
def test_every_address_is_read_and_printed_as_elsewhere(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    expected, ours = plain(ip), Ip(ip.version, int(ip))
    for text in (str(ip), ip.exploded, str(ip).upper()):
        assert Ip.parse(text) == ours
        assert (ours.family, ours.number) == (expected.version, int(expected))
        assert str(ours) == str(expected)
        assert ours.packed == expected.packed
    assert Ip.parse(str(ours)) == ours
    assert hash(Ip.parse(str(ours))) == hash(ours)
    assert int(netaddr.IPAddress(str(ours))) == ours.number


@given(TYPED)
@example("10.0.0.01")
@example("10.0.0")
@example("10.0.0.1.")
@example("0x0a.0.0.1")
@example("010.0.0.1")
@example("fe80::1%eth0")
@example("::1%1")
@example("1::2::3")
@example(":::")
@example("1:2:3:4:5:6:7:8:9")
@example("12345::")
@example("::256.0.0.1")
@example("1:2:3:4:5:6:7:1.2.3.4")
@example("٣.0.0.1")
@example("10.0.0.1\n")
@example("\ud800")
def test_what_is_no_address_elsewhere_is_none_here(text: str) -> None:
    expected = standard_ip(text)
    if expected is None:
        with pytest.raises(ValueError, match="is not an IP address"):
            Ip.parse(text)
    else:
        assert str(Ip.parse(text)) == str(expected)


@pytest.mark.parametrize(("family", "number"), [(4, -1), (4, 2**32), (6, -1), (6, 2**128)])
def test_a_number_beyond_the_family_is_refused(family: int, number: int) -> None:
    with pytest.raises(ValueError, match=f"is not an IPv{family} address"):
        Ip(family, number)


def test_addresses_of_two_families_are_never_equal() -> None:
    assert Ip(4, 1) != Ip(6, 1)
    assert Ip(4, 1) == Ip.parse("0.0.0.1")
    assert Ip(4, 1) != "0.0.0.1"
    assert Cidr(Ip(4, 1), 8) != Cidr(Ip(4, 1), 9)
    assert Cidr(Ip(4, 1), 8) != Ip(4, 1)
    assert repr(Cidr(Ip(4, 1), 8)) == "Cidr(0.0.0.1/8)"
    assert repr(Ip(4, 1)) == "Ip(0.0.0.1)"


PREFIXES = IPS.flatmap(lambda ip: st.tuples(st.just(ip), st.integers(0, ip.max_prefixlen)))


@given(PREFIXES, st.one_of(*(st.tuples(st.just(family), numbers) for family, numbers in NUMBERS.items())))
@example((ipaddress.ip_address("0.0.0.0"), 0), (4, 2**32 - 1))
@example((ipaddress.ip_address("::"), 0), (6, 2**128 - 1))
@example((ipaddress.ip_address("10.0.0.1"), 32), (4, 0x0A000001))
@example((ipaddress.ip_address("::fffe:ffff:ffff"), 80), (6, 0xFFFE_FFFF_FFFF))
def test_every_prefix_spans_what_it_spans_elsewhere(
    pair: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int], other: tuple[int, int]
) -> None:
    ip, prefix = pair
    if plain(ip) != ip:
        return  # see the test of those
    text = f"{ip}/{prefix}"
    standard, ours = ipaddress.ip_interface(text), Cidr.parse(text)
    span = netaddr.IPNetwork(text)
    assert str(ours) == str(standard)
    assert (ours.family, ours.prefix) == (standard.version, standard.network.prefixlen)
    assert ours.first == int(standard.network.network_address) == span.first
    assert ours.last == int(standard.network.broadcast_address) == span.last
    assert str(ours.network) == str(standard.network) or plain(standard.network.network_address) != standard.network[0]
    stranger = Ip(*other)
    assert ours.contains(ours.ip)
    assert ours.contains(stranger) == (netaddr.IPAddress(stranger.number, stranger.family) in span)
    assert ours == Cidr.parse(str(ours))
    assert hash(ours) == hash(Cidr.parse(str(ours)))


@given(NUMBERS[4], st.integers(0, 128))
def test_a_prefix_of_ipv4_written_as_ipv6_is_one_of_ipv4(number: int, prefix: int) -> None:
    text = f"::ffff:{ipaddress.IPv4Address(number)}/{prefix}"
    if prefix < 96:
        with pytest.raises(ValueError, match="no prefix length of an IPv4 address"):
            Cidr.parse(text)
    else:
        assert Cidr.parse(text) == Cidr(Ip(4, number), prefix - 96)


@given(st.builds("{}/{}".format, IPS, st.integers(-2, 300) | st.text("0123456789 +-_.x٣", max_size=3)) | TYPED)
@example("10.0.0.1")
@example("10.0.0.1/")
@example("/8")
@example("10.0.0.1/33")
@example("10.0.0.1/8/8")
@example("10.0.0.1/255.0.0.0")
@example("10.0.0.1/ 8")
@example("10.0.0.1/+8")
@example("10.0.0.1/1_0")
@example("::1/129")
@example("10.0.0.1/²")
def test_what_is_no_prefix_elsewhere_is_none_here(text: str) -> None:
    address, _, length = text.partition("/")
    is_decimal = length.isascii() and length.isdecimal() and len(length) < 4  # the standard module takes netmasks too
    expected = standard_ip(address)
    mapped = expected is not None and ":" in address and expected.version == 4
    if expected is None or not is_decimal or not 0 <= int(length) - 96 * mapped <= expected.max_prefixlen:
        with pytest.raises(ValueError):
            Cidr.parse(text)
    else:
        assert str(Cidr.parse(text)) == f"{expected}/{int(length) - 96 * mapped}"


@pytest.mark.parametrize(("family", "prefix"), [(4, -1), (4, 33), (6, -1), (6, 129)])
def test_a_length_beyond_the_family_is_refused(family: int, prefix: int) -> None:
    with pytest.raises(ValueError, match=f"no prefix length of an IPv{family} address"):
        Cidr(Ip(family, 1), prefix)


def test_the_families_have_their_bits() -> None:
    assert {4: ipaddress.IPv4Address(0).max_prefixlen, 6: ipaddress.IPv6Address(0).max_prefixlen} == BITS


# MAC addresses.

DIALECTS = [netaddr.mac_unix_expanded, netaddr.mac_eui48, netaddr.mac_cisco]


@given(st.integers(1, 2**48 - 1), st.sampled_from(DIALECTS), st.booleans())
def test_a_mac_is_read_in_every_spelling(number: int, dialect: type[netaddr.mac_eui48], upper: bool) -> None:
    text = str(netaddr.EUI(number, dialect=dialect))
    text = text.upper() if upper else text.lower()
    if number >> 40 & 1:
        with pytest.raises(ValueError, match="multicast"):
            parse_mac(text)
    else:
        assert parse_mac(text) == str(netaddr.EUI(number, dialect=netaddr.mac_unix_expanded))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a MAC"),
        ("02", "is not a MAC"),
        ("020000000001", "is not a MAC"),
        ("02:00:00:00:00", "not a 48-bit MAC"),
        ("02:00:00:00:00:00:01", "not a 48-bit MAC"),
        ("02:00:00:00:00:00:00:01", "not a 48-bit MAC"),
        ("2:0:0:0:0:1", "is not a MAC"),
        ("02:00:00:00:00:0g", "not a 48-bit MAC"),
        ("02:00:00:00:00:0٣", "not a 48-bit MAC"),
        ("02:00:00-00:00:01", "is not a MAC"),
        ("0200.0000.0001.", "is not a MAC"),
        ("0200.0000", "not a 48-bit MAC"),
        (" 02:00:00:00:00:01", "is not a MAC"),
        ("02:00:00:00:00:01\n", "is not a MAC"),
        ("+2:00:00:00:00:01", "not a 48-bit MAC"),
        ("ff:ff:ff:ff:ff:ff", "multicast"),
        ("01:00:5e:00:00:01", "multicast"),
        ("00:00:00:00:00:00", "zero"),
    ],
)
def test_what_is_no_mac_of_an_interface_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_mac(text)


@given(st.text("0123456789abcdefABCDEF:-. g", max_size=20))
def test_a_mac_is_read_to_its_one_spelling_or_refused(text: str) -> None:
    try:
        mac = parse_mac(text)
    except ValueError:
        return
    assert parse_mac(mac) == mac == str(netaddr.EUI(text, dialect=netaddr.mac_unix_expanded))
