"""host-local's configuration: where ranges and requested addresses come from, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.result import Dns
from ipam.host_local.resolvconf import parse_dns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ipam.runtime import Ipam

V4, V6 = {"subnet": "10.1.2.0/24"}, {"subnet": "2001:db8:1::/64"}


def test_the_inline_range_is_a_set(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(subnet="10.1.2.0/24", rangeStart="10.1.2.9", rangeEnd="10.1.2.20", gateway="10.1.2.30")
    assert ipam.add().document["ips"] == [{"address": "10.1.2.9/24", "gateway": "10.1.2.30"}]


def test_the_runtime_s_ranges_come_first_then_the_inline_one(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([{"subnet": "11.1.2.0/24"}, {"subnet": "11.3.2.0/24"}], subnet="10.1.2.0/24")
    ipam = ipam.with_keys(runtimeConfig={"ipRanges": [[{"subnet": "12.1.3.0/24"}], [{"subnet": "2001:db8::/48"}]]})
    assert ipam.add().ips == ["12.1.3.2/24", "2001:db8::2/48", "10.1.2.2/24", "11.1.2.2/24"]


@pytest.mark.parametrize(
    ("version", "sets", "path"),
    [
        ("0.2.0", [[V4], [{"subnet": "10.1.3.0/24"}]], "ipam.ranges[1]"),
        ("0.1.0", [[V6], [V4], [{"subnet": "2001:db8:2::/64"}]], "ipam.ranges[2]"),
        ("", [[V4], [{"subnet": "10.1.3.0/24"}]], "ipam.ranges[1]"),
    ],
)
def test_old_versions_can_tell_one_set_of_a_family(
    host_local: Callable[..., Ipam], version: str, sets: list[object], path: str
) -> None:
    host_local(*sets, version=version).add().failed(7, path, f"cniVersion {version or '0.1.0'}", "is the second")


def test_old_versions_can_tell_one_set_of_each_family(host_local: Callable[..., Ipam]) -> None:
    told = host_local([V4], [V6], version="0.2.0").add().succeeded().document
    assert (told["ip4"]["ip"], told["ip6"]["ip"]) == ("10.1.2.2/24", "2001:db8:1::2/64")


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"subnet": "192.0.2.12/24"}, ["ipam.ranges[0][0].subnet", "host bits", "192.0.2.0/24"]),
        ({"subnet": "2001:db8::1/64"}, ["ipam.ranges[0][0].subnet", "host bits"]),
        ({"subnet": "2001:db8:0:1::/63"}, ["host bits", "2001:db8::/63"]),
        ({"subnet": "192.0.3.0/23"}, ["host bits", "192.0.2.0/23"]),
        ({"subnet": "10.1.2.0"}, ["ipam.ranges[0][0].subnet", "10.1.2.0"]),
        ({}, ["ipam.ranges[0][0].subnet", "missing"]),
        ({**V4, "rangeStart": "10.1.3.1"}, ["ipam.ranges[0][0].rangeStart", "10.1.3.1 is not in 10.1.2.0/24"]),
        ({**V4, "rangeEnd": "10.1.3.1"}, ["ipam.ranges[0][0].rangeEnd"]),
        ({**V4, "rangeStart": "2001:db8::1"}, ["rangeStart"]),
        ({**V4, "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.8"}, ["10.1.2.9 is after rangeEnd 10.1.2.8"]),
        ({**V4, "rangeStart": "nonsense"}, ["ipam.ranges[0][0].rangeStart", "nonsense"]),
        ({**V4, "gateway": "2001:db8::1"}, ["ipam.ranges[0][0].gateway", "family"]),
        ({**V4, "gateway": "10.1.2"}, ["ipam.ranges[0][0].gateway"]),
        ({**V4, "rangeStart": "10.1.2.1", "rangeEnd": "10.1.2.1"}, ["ipam.ranges[0]", "gateways and exclusions"]),
    ],
    ids=str,
)
def test_a_range_that_cannot_be_is_refused(
    host_local: Callable[..., Ipam], ranges: dict[str, object], words: list[str]
) -> None:
    ipam = host_local([ranges])
    ipam.add().failed(7, *words)
    assert not ipam.data_dir.exists()


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ([[V4, V4]], ["ipam.ranges[0][1]", "overlaps ipam.ranges[0][0]", "10.1.2.1-10.1.2.254 of 10.1.2.0/24"]),
        ([[V4], [{"subnet": "10.1.0.0/16"}]], ["ipam.ranges[1][0]", "overlaps ipam.ranges[0][0]", "sets 0 and 1"]),
        ([[V4, V6]], ["ipam.ranges[0][1].subnet", "not of the family of 10.1.2.0/24"]),
        ([[]], ["ipam.ranges[0]", "empty"]),
        (["nonsense"], ["ipam.ranges[0]", "list of objects"]),
    ],
    ids=str,
)
def test_sets_that_cannot_be_are_refused(host_local: Callable[..., Ipam], sets: list[object], words: list[str]) -> None:
    host_local(*sets).add().failed(7, *words)


@pytest.mark.parametrize("sets", [[["nonsense"]], [[7]]], ids=str)
def test_ranges_of_another_type_are_refused(host_local: Callable[..., Ipam], sets: list[object]) -> None:
    host_local(*sets).add().failed(6, "ipam.ranges[0][0] must be an object")


def test_parts_of_one_subnet_do_not_overlap(host_local: Callable[..., Ipam]) -> None:
    low, high = {**V4, "rangeEnd": "10.1.2.127"}, {**V4, "rangeStart": "10.1.2.128"}
    assert host_local([low], [high]).add().ips == ["10.1.2.2/24", "10.1.2.128/24"]


def test_without_ranges_there_is_nothing_to_give(host_local: Callable[..., Ipam]) -> None:
    host_local(routes=[]).add().failed(7, "ipam.ranges", "no addresses to give")


def test_network_and_broadcast_address_are_given_where_the_range_names_them(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([{"subnet": "10.0.0.0/30", "rangeStart": "10.0.0.0", "rangeEnd": "10.0.0.3"}])
    assert [ipam.add(f"c{at}").ip for at in range(3)] == ["10.0.0.0", "10.0.0.2", "10.0.0.3"]


def test_a_gateway_may_lie_outside_the_subnet(host_local: Callable[..., Ipam]) -> None:
    told = host_local([{**V4, "gateway": "192.0.2.1"}]).add().document["ips"]
    assert told == [{"address": "10.1.2.1/24", "gateway": "192.0.2.1"}]


def test_keys_are_read_in_any_case_and_unknown_ones_are_not(host_local: Callable[..., Ipam]) -> None:
    assert (
        host_local([{"Subnet": "10.1.2.0/24", "RANGESTART": "10.1.2.7", "foo": 7}], gateway=None).add().ip == "10.1.2.7"
    )


def test_a_relative_data_dir_is_refused(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([V4], dataDir="networks")
    ipam.add().failed(7, "ipam.dataDir", "absolute")
    ipam.delete().failed(7, "ipam.dataDir", "absolute")


# Requested addresses: CNI_ARGS, args.cni.ips, runtimeConfig.ips.


@pytest.mark.parametrize("wanted", ["10.1.2.88", "10.1.2.88/24", "10.1.2.88/11"])
def test_an_address_is_asked_for_with_or_without_a_prefix(host_local: Callable[..., Ipam], wanted: str) -> None:
    ipam = host_local([V4])
    assert ipam.add("a", arguments=f"IP={wanted}").ips == ["10.1.2.88/24"]
    ipam.delete("a").succeeded()
    assert ipam.add("b", args={"cni": {"ips": [wanted]}}).ips == ["10.1.2.88/24"]
    ipam.delete("b").succeeded()
    assert ipam.add("c", runtimeConfig={"ips": [wanted]}).ips == ["10.1.2.88/24"]


def test_the_address_after_one_that_was_asked_for_is_next(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([V4])
    ipam.add("a", arguments="IP=10.1.2.88").succeeded()
    assert ipam.add("b").ip == "10.1.2.89"


@pytest.mark.parametrize("version", ["0.2.0", "0.3.1", "1.1.0"])
def test_addresses_are_asked_for_from_several_sets(host_local: Callable[..., Ipam], version: str) -> None:
    ipam = host_local([V4, {"subnet": "10.1.3.0/24"}], [{"subnet": "2001:db8:1::/64"}], version=version)
    answer = ipam.add(args={"cni": {"ips": ["10.1.3.50/24", "2001:db8:1::999/64"]}}).succeeded().document
    if version == "0.2.0":
        assert (answer["ip4"]["ip"], answer["ip6"]["ip"]) == ("10.1.3.50/24", "2001:db8:1::999/64")
    else:
        assert [ip["address"] for ip in answer["ips"]] == ["10.1.3.50/24", "2001:db8:1::999/64"]


def test_a_set_that_nothing_was_asked_of_gives_its_next(host_local: Callable[..., Ipam]) -> None:
    assert host_local([V4], [V6]).add(arguments="IP=2001:db8:1::9").ips == ["10.1.2.2/24", "2001:db8:1::9/64"]


def test_all_three_sources_are_asked_and_an_address_counts_once(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([V4], [V6], [{"subnet": "10.1.3.0/24"}])
    keys: dict[str, Any] = {
        "args": {"cni": {"ips": ["10.1.3.7", "10.1.2.5/24"]}},
        "runtimeConfig": {"ips": ["2001:db8:1::7"]},
    }
    given = ipam.add(arguments="IP=10.1.2.5,10.1.3.7", **keys).ips
    assert given == ["10.1.2.5/24", "2001:db8:1::7/64", "10.1.3.7/24"]


def test_of_two_addresses_for_one_set_the_first_is_taken_and_the_rest_is_an_error(
    host_local: Callable[..., Ipam],
) -> None:
    ipam = host_local([V4, {"subnet": "10.1.3.0/24"}])
    message = ipam.add(arguments="IP=10.1.2.7", args={"cni": {"ips": ["10.1.3.8"]}}).failed(
        7, "10.1.3.8 (args.cni.ips[0])"
    )
    assert message.startswith("failed to allocate all requested IPs")
    assert not ipam.data_dir.exists()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("10.1.9.9", ["failed to allocate all requested IPs", "10.1.9.9 (CNI_ARGS: IP)"]),
        ("10.1.2.9", ["failed to allocate all requested IPs"]),
        ("10.1.2.21", ["failed to allocate all requested IPs"]),
        ("10.1.2.12", ["CNI_ARGS: IP", "10.1.2.12 is a gateway"]),
        ("10.1.2.15", ["CNI_ARGS: IP", "10.1.2.15 is excluded"]),
    ],
)
def test_what_a_set_does_not_give_cannot_be_asked_for(
    host_local: Callable[..., Ipam], wanted: str, words: list[str]
) -> None:
    ranges = {**V4, "rangeStart": "10.1.2.10", "rangeEnd": "10.1.2.20", "gateway": "10.1.2.12"}
    host_local([ranges], exclude=["10.1.2.15/32"]).add(arguments=f"IP={wanted}").failed(7, *words)


def test_an_address_that_somebody_has_cannot_be_asked_for(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([V4], [V6])
    ipam.add("first", arguments="IP=10.1.2.88").succeeded()
    before = ipam.addresses()
    words = "CNI_ARGS: IP", "10.1.2.88", "10.1.2.0/24", "container first, interface eth0"
    ipam.add("second", arguments="IP=10.1.2.88").failed(11, *words)
    assert ipam.addresses() == before


def test_what_is_asked_for_must_be_addresses(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([V4])
    ipam.add(arguments="IP=nonsense").failed(4, "CNI_ARGS: IP", "nonsense")
    ipam.add(arguments="IP=10.1.2.3/99").failed(4, "CNI_ARGS: IP")
    ipam.add(args={"cni": {"ips": ["nonsense"]}}).failed(7, "args.cni.ips[0]", "nonsense")
    ipam.add(runtimeConfig={"ips": ["10.1.2.9", "nonsense"]}).failed(7, "runtimeConfig.ips[1]", "nonsense")
    ipam.add(runtimeConfig={"ips": "10.1.2.9"}).failed(6, "runtimeConfig.ips must be a list")


# resolvConf


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver 192.0.2.0\nnameserver 192.0.2.1\n", Dns(("192.0.2.0", "192.0.2.1"))),
        ("nameserver 192.0.2.0 # comment\n#nameserver 192.0.2.1\n;nameserver 2\n", Dns(("192.0.2.0",))),
        (
            "domain example.com\ndomain example.net\nsearch a b\nsearch c\noptions one two\noptions three\n",
            Dns((), "example.net", ("a", "b", "c"), ("one", "two", "three")),
        ),
        ("  \n\nnameserver\nsearch\nfoo bar\n\tnameserver\t192.0.2.3\r\n", Dns(("192.0.2.3",))),
        ("", Dns()),
    ],
)
def test_resolv_conf_is_read_as_the_reference_reads_it(text: str, expected: Dns) -> None:
    assert parse_dns(text).to_json() == expected.to_json()


def test_a_resolv_conf_that_cannot_be_read_is_an_error(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    host_local([V4], resolvConf=str(tmp_path / "none")).add().failed(5, "resolvConf", "none", "no such file")
    host_local([V4], resolvConf=str(tmp_path)).add().failed(5, str(tmp_path), "is a directory")


def test_a_resolv_conf_may_be_a_link(host_local: Callable[..., Ipam], tmp_path: Path) -> None:
    (tmp_path / "real").write_text("search example.org\n")
    (tmp_path / "link").symlink_to("real")
    assert host_local([V4], resolvConf=str(tmp_path / "link")).add().document["dns"] == {"search": ["example.org"]}
