"""conditionsV4 and conditionsV6: as iptables and as nft write them, read back by nft, and refused by their words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.portmapped import given, mapping, portmap, ruleset
from tests.plugins.runtime import WITH_CHECK

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime

DUAL = given("10.1.2.5/24", "2001:db8:1::5/64")

OF_MARK = "meta mark & 0x000000f0"
START, END = "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"

# What is refused a look, as nft writes it: a condition is what must hold for a packet to be led on.
OF_IPTABLES = [
    (["-s", "10.0.0.1"], ["ip saddr != 10.0.0.1"]),
    (["--source", "10.9.9.9/8"], ["ip saddr != 10.0.0.0/8"]),
    (["!", "-s", "10.0.0.0/8"], ["ip saddr 10.0.0.0/8"]),
    (["--src", "10.0.0.1,10.1.0.0/16"], ["ip saddr != 10.0.0.1 ip saddr != 10.1.0.0-10.1.255.255"]),
    (["!", "--src", "10.0.0.1,10.0.0.2"], ["ip saddr 10.0.0.1", "ip saddr 10.0.0.2"]),
    (["!", "-d", "192.0.2.0/24"], ["ip daddr 192.0.2.0/24"]),
    (["--destination", "192.0.2.1", "--dst", "0.0.0.0/0"], ["ip daddr != 192.0.2.1", "ip daddr != 0.0.0.0/0"]),
    (["-i", "ens5"], ['iifname != "ens5"']),
    (["!", "--in-interface", "ens5"], ['iifname "ens5"']),
    (["-i", "ens+"], ['iifname != "ens*"']),
    (["-o", "lo"], ['oifname != "lo"']),
    (["!", "--out-interface", "lo"], ['oifname "lo"']),
    (["-m", "mark", "--mark", "0x10"], ["meta mark != 0x00000010"]),
    (["-m", "mark", "!", "--mark", "0x10/0xf0"], ["meta mark & 0x000000f0 == 0x00000010"]),
    (["-m", "tcp", "--sport", "1024:65535"], ["th sport != 1024-65535"]),
    (["-m", "udp", "!", "--source-port", "53"], ["th sport 53"]),
    (["-m", "multiport", "--sports", "53,1000:2000"], ["th sport != 53 th sport != 1000-2000"]),
    (["--match", "multiport", "!", "--source-ports", "53,54"], ["th sport 53", "th sport 54"]),
    (["-m", "iprange", "--src-range", "10.0.0.1-10.0.0.9"], ["ip saddr != 10.0.0.1-10.0.0.9"]),
    (["-m", "iprange", "!", "--dst-range", "192.0.2.1-192.0.2.9"], ["ip daddr 192.0.2.1-192.0.2.9"]),
    (["-m", "comment", "--comment", "the office", "-s", "10.0.0.1"], ["ip saddr != 10.0.0.1"]),
]
OF_NFT = [
    (["ip", "saddr", "10.0.0.1"], ["ip saddr != 10.0.0.1"]),
    (["ip saddr == 10.0.0.0/8"], ["ip saddr != 10.0.0.0/8"]),
    (["ip", "saddr", "!=", "10.0.0.0/8"], ["ip saddr 10.0.0.0/8"]),
    (["ip saddr { 10.0.0.1, 10.1.0.0/16 }"], ["ip saddr != 10.0.0.1 ip saddr != 10.1.0.0-10.1.255.255"]),
    (["ip", "saddr", "!=", "{10.0.0.1,10.0.0.2}"], ["ip saddr 10.0.0.1", "ip saddr 10.0.0.2"]),
    (["ip daddr 192.0.2.1-192.0.2.9"], ["ip daddr != 192.0.2.1-192.0.2.9"]),
    (['iifname "ens5"'], ['iifname != "ens5"']),
    (["meta iifname != ens*"], ['iifname "ens*"']),
    (["oifname", "{", "lo", ",", "ens5", "}"], ['oifname != "lo" oifname != "ens5"']),
    (["meta", "mark", "0x10"], ["meta mark != 0x00000010"]),
    (["mark != 16"], ["meta mark 0x00000010"]),
    (["meta mark & 0xf0 == 0x10"], ["meta mark & 0x000000f0 != 0x00000010"]),
    (["meta mark and 0xf0 != 0x10"], ["meta mark & 0x000000f0 == 0x00000010"]),
    (["meta mark & 0xf0 { 0x10, 0x20 }"], [f"{OF_MARK} != 0x00000010 {OF_MARK} != 0x00000020"]),
    (["th sport { 53, 1000-2000 }"], ["th sport != 53 th sport != 1000-2000"]),
    (["tcp sport != 53"], ["meta l4proto != tcp", "th sport 53"]),
    (["ip saddr 10.0.0.0/8 iifname ens5"], ["ip saddr != 10.0.0.0/8", 'iifname != "ens5"']),
]
OF_IPV6 = [
    (["-s", "2001:db8::1"], ["ip6 saddr != 2001:db8::1"]),
    (["!", "-s", "2001:db8::/32,fd00::1"], ["ip6 saddr 2001:db8::/32", "ip6 saddr fd00::1"]),
    (["ip6 daddr != 2001:db8::1-2001:db8::9"], ["ip6 daddr 2001:db8::1-2001:db8::9"]),
    (["ip6", "saddr", "{", "2001:db8::/33,", "fd00::1", "}"], [f"ip6 saddr != {START}-{END} ip6 saddr != fd00::1"]),
]


def refused(node: Runtime, family: int) -> list[str]:
    """What is returned before anything else happens, without what says of which family it is."""
    lines = [line.strip() for line in ruleset(node).splitlines() if " return comment " in line]
    found = [line.partition(" return comment ")[0] for line in lines]
    own = f"meta nfproto ipv{family} "
    return [line.removeprefix(own) for line in found]


@pytest.mark.parametrize(("words", "written"), [*OF_IPTABLES, *OF_NFT], ids=" ".join)
def test_what_does_not_hold_is_not_led_on(words: list[str], written: list[str], node: Runtime, pod: Pod) -> None:
    config = portmap(mapping(8080), conditionsV4=words)
    node.ask("ADD", config, pod, DUAL).succeeded()
    assert refused(node, 4) == [line for line in written if line != "ip daddr != 0.0.0.0/0"] or "0.0.0.0/0" in words
    assert len(refused(node, 4)) == len(written)
    node.check(config, pod, DUAL)


@pytest.mark.parametrize(("words", "written"), OF_IPV6, ids=" ".join)
def test_the_same_of_ipv6(words: list[str], written: list[str], node: Runtime, pod: Pod) -> None:
    config = portmap(mapping(8080), conditionsV6=words)
    node.ask("ADD", config, pod, DUAL).succeeded()
    assert refused(node, 6) == written


def test_conditions_of_each_family_are_its_own(node: Runtime, pod: Pod) -> None:
    config = portmap(mapping(8080), conditionsV4=["ip saddr 10.0.0.1"], conditionsV6=["-s", "fd00::1"])
    node.ask("ADD", config, pod, given()).succeeded()
    assert refused(node, 4) == ["ip saddr != 10.0.0.1"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-p", "tcp"], "'-p'"),
        (["-j", "ACCEPT"], "'-j'"),
        (["-m", "recent", "--set"], "-m recent"),
        (["-m", "addrtype", "--src-type", "LOCAL"], "-m addrtype"),
        (["-s"], "missing"),
        (["!"], "missing"),
        (["-s", "!", "10.0.0.1"], "'!'"),
        (["-s", "example.org"], "'example.org'"),
        (["-s", "2001:db8::1"], "not of IPv4"),
        (["-s", "10.0.0.0/33"], "/33"),
        (["-s", "10.0.0.1", "LOG"], "'LOG'"),
        (["-i", "a/b"], "'a/b'"),
        (["-i", "+"], "'+'"),
        (["--mark", "red"], "'red'"),
        (["--mark", "0x100000000"], "'0x100000000'"),
        (["--sport", "domain"], "'domain'"),
        (["--sport", "65536"], "'65536'"),
        (["--sport", "20:10"], "20:10"),
        (["--src-range", "10.0.0.9-10.0.0.1"], "10.0.0.9-10.0.0.1"),
        (["ip6 saddr 2001:db8::1"], "ip6"),
        (["ip saddr 2001:db8::1"], "not of IPv4"),
        (["ip protocol tcp"], "'protocol'"),
        (["ip saddr"], "missing"),
        (["ip saddr @office"], "'@office'"),
        (["ip saddr { }"], "empty"),
        (["ip saddr { 10.0.0.1"], "missing"),
        (["ct state new"], "'ct'"),
        (["accept"], "'accept'"),
        (["; flush ruleset"], "';'"),
        (["meta l4proto tcp"], "'l4proto'"),
        (["tcp dport 80"], "'dport'"),
        (["ip saddr { " + "10.0.0.1, " * 65 + "}"], "65 values"),
        ([""], "it says nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_is_not_known_is_refused_by_its_name(words: list[str], named: str, node: Runtime, pod: Pod) -> None:
    message = node.ask("ADD", portmap(mapping(8080), conditionsV4=words), pod, DUAL).failed(7)
    assert message.startswith("conditionsV4: ")
    assert named in message
    assert ruleset(node) == ""


@pytest.mark.parametrize("version", WITH_CHECK)
def test_a_long_condition_is_checked_as_well(version: str, node: Runtime, pod: Pod) -> None:
    words = ["ip saddr { " + ", ".join(f"10.0.{number}.0/24" for number in range(60)) + " }"]
    config = portmap(mapping(8080), conditionsV4=words, version=version)
    node.ask("ADD", config, pod, {**given(), "cniVersion": version} if version != "0.4.0" else old()).succeeded()
    assert len(refused(node, 4)[0].split("!=")) == 61
    previous = {**given(), "cniVersion": version} if version != "0.4.0" else old()
    node.check(config, pod, previous)
    words[0] = words[0].replace("10.0.59.0/24", "10.0.58.0/24")
    assert node.difference({**config, "conditionsV4": words}, pod, previous)


def old() -> dict[str, object]:
    ips = [{**ip, "version": "4"} for ip in given()["ips"]]
    return {**given(), "cniVersion": "0.4.0", "ips": ips}


@pytest.mark.parametrize(
    ("words", "backend"), [(["-s", "10.0.0.1"], "iptables"), (["ip", "saddr", "10.0.0.1"], "nftables")]
)
def test_conditions_of_the_backend_are_taken(words: list[str], backend: str, node: Runtime, pod: Pod) -> None:
    node.ask("ADD", portmap(mapping(8080), conditionsV4=words, backend=backend), pod, given()).succeeded()
    assert refused(node, 4) == ["ip saddr != 10.0.0.1"]
