"""host-local's ADD, DEL and CHECK: who gets which address, and what is on disk then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ipam.runtime import Ipam

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
DUAL = ([{"subnet": "10.1.2.0/24"}], [{"subnet": "2001:db8:1::/64"}])


def mode(path: os.PathLike[str]) -> str:
    return oct(os.stat(path).st_mode & 0o7777)


def spans(ipam: Ipam, count: int) -> list[str]:
    """The addresses that so many containers get, one after another."""
    return [ipam.add(f"c{at}").ip for at in range(count)]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_add_gives_one_address_of_each_set(
    host_local: Callable[..., Ipam], tmp_path: os.PathLike[str], version: str
) -> None:
    resolv = os.path.join(tmp_path, "resolv.conf")
    with open(resolv, "w") as file:
        file.write("nameserver 192.0.2.3\n")
    first = [{"subnet": "10.1.2.0/24"}, {"subnet": "10.2.2.0/24"}]
    routes = [{"dst": "0.0.0.0/0"}, {"dst": "192.168.0.0/16", "gw": "1.1.1.1"}, {"dst": "2001:db8:2::0/64"}]
    ipam = host_local(first, DUAL[1], version=version, resolvConf=resolv, routes=routes)
    answer = ipam.add().succeeded().document
    if version < "0.3":
        assert answer["ip4"] == {"ip": "10.1.2.2/24", "gateway": "10.1.2.1", "routes": routes[:2]}
        assert answer["ip6"] == {
            "ip": "2001:db8:1::2/64",
            "gateway": "2001:db8:1::1",
            "routes": [{"dst": "2001:db8:2::/64"}],
        }
    else:
        assert [(ip["address"], ip["gateway"]) for ip in answer["ips"]] == [
            ("10.1.2.2/24", "10.1.2.1"),
            ("2001:db8:1::2/64", "2001:db8:1::1"),
        ]
        assert answer["routes"] == [*routes[:2], {"dst": "2001:db8:2::/64"}]
    assert answer["dns"] == {"nameservers": ["192.0.2.3"]}
    assert ipam.addresses() == {"10.1.2.2": "dummy\r\neth0", "2001:db8:1::2": "dummy\r\neth0"}
    assert (ipam.network / "last_reserved_ip.0").read_text() == "10.1.2.2"
    assert (ipam.network / "last_reserved_ip.1").read_text() == "2001:db8:1::2"
    ipam.delete().succeeded()
    assert ipam.addresses() == {}


def test_files_have_the_reference_s_modes(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.add().succeeded()
    assert mode(ipam.data_dir) == mode(ipam.network) == "0o755"
    assert mode(ipam.network / "10.1.2.2") == mode(ipam.network / "last_reserved_ip.0") == "0o600"
    assert mode(ipam.network / "lock") == "0o750"
    assert (ipam.network / "lock").read_bytes() == b""


def test_what_is_ours_is_outside_the_tree_of_the_reference(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.add().succeeded()
    assert sorted(os.listdir(ipam.network)) == ["10.1.2.2", "last_reserved_ip.0", "lock"]
    assert sorted(os.listdir(ipam.data_dir)) == [".multus", "mynet"]
    assert mode(ipam.data_dir / ".multus" / "mynet" / "owners") == "0o700"


@pytest.mark.parametrize("version", VERSIONS)
def test_networks_and_interfaces_of_a_container_are_told_apart(host_local: Callable[..., Ipam], version: str) -> None:
    blue, red = host_local(version=version, name="blue"), host_local(version=version, name="red")
    for ipam, ifname in ((blue, "eth0"), (blue, "eth1"), (red, "eth0")):
        ipam.add(ifname=ifname).succeeded()
    assert blue.addresses() == {"10.1.2.2": "dummy\r\neth0", "10.1.2.3": "dummy\r\neth1"}
    blue.delete(ifname="eth0").succeeded()
    assert blue.addresses() == {"10.1.2.3": "dummy\r\neth1"}
    assert red.addresses() == {"10.1.2.2": "dummy\r\neth0"}


@pytest.mark.parametrize("version", VERSIONS)
def test_an_attachment_gets_its_address_once(host_local: Callable[..., Ipam], version: str) -> None:
    ipam = host_local(version=version)
    ipam.add().succeeded()
    ipam.add().failed(4, "CNI_CONTAINERID dummy", "CNI_IFNAME eth0", "10.1.2.2")
    ipam.add("other").succeeded()
    ipam.add().failed(4)
    assert list(ipam.addresses()) == ["10.1.2.2", "10.1.2.3"]
    ipam.delete().succeeded()
    ipam.delete("other").succeeded()
    assert ipam.addresses() == {}


def test_an_attachment_gets_its_address_once_even_if_it_asks_for_another(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.add().succeeded()
    ipam.add(arguments="IP=10.1.2.88").failed(4, "10.1.2.2 already")
    assert list(ipam.addresses()) == ["10.1.2.2"]


def test_an_attachment_may_have_addresses_of_other_sets(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.add().succeeded()
    other = host_local([{"subnet": "10.9.0.0/24"}])
    assert other.add().ip == "10.9.0.2"
    ipam.delete().succeeded()
    assert ipam.addresses() == {}


def test_an_unknown_container_is_deleted_and_nothing_is_made(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.delete().succeeded()
    assert not ipam.data_dir.exists()
    ipam.add("other").succeeded()
    ipam.delete().succeeded()
    assert ipam.addresses() == {"10.1.2.2": "other\r\neth0"}


def test_a_second_delete_succeeds(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(*DUAL)
    ipam.add().succeeded()
    ipam.delete().succeeded()
    ipam.delete().succeeded()


@pytest.mark.parametrize("content", ["dummy", "dummy\n", " dummy "])
def test_a_reservation_of_old_releases_is_released(host_local: Callable[..., Ipam], content: str) -> None:
    ipam = host_local()
    ipam.network.mkdir(parents=True)
    (ipam.network / "10.1.2.9").write_text(content)
    ipam.delete(ifname="net1").succeeded()
    assert ipam.addresses() == {}


def test_a_reservation_of_old_releases_outlives_the_delete_of_one_that_names_its_interface(
    host_local: Callable[..., Ipam],
) -> None:
    ipam = host_local()
    ipam.network.mkdir(parents=True)
    (ipam.network / "10.1.2.9").write_text("dummy")
    (ipam.network / "10.1.2.10").write_text("dummy\r\neth0")
    ipam.delete().succeeded()
    assert ipam.addresses() == {"10.1.2.9": "dummy"}


def test_white_space_around_an_owner_is_not_looked_at(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.network.mkdir(parents=True)
    (ipam.network / "10.1.2.9").write_bytes(b"  dummy\r\neth0\n")
    ipam.delete().succeeded()
    assert ipam.addresses() == {}


def test_a_container_whose_name_begins_like_another_keeps_its_address(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.add("dummy-2").succeeded()
    ipam.add("dummy", "eth01").succeeded()
    ipam.delete("dummy", "eth0").succeeded()
    assert len(ipam.addresses()) == 2


@pytest.mark.parametrize(
    "broken",
    [
        {"ranges": []},
        {"ranges": [[{"subnet": "10.1.2.3/24"}]]},
        {"ranges": [[{"subnet": "nonsense"}]]},
        {"ranges": "nonsense"},
        {"ranges": [[{"subnet": "10.9.0.0/24"}]]},
        {"resolvConf": "/nonexistent", "routes": "nonsense"},
    ],
    ids=str,
)
def test_a_delete_needs_no_valid_ranges(host_local: Callable[..., Ipam], broken: dict[str, Any]) -> None:
    ipam = host_local()
    ipam.add().succeeded()
    ipam.changed(**broken).delete().succeeded()
    assert ipam.addresses() == {}


def test_a_delete_needs_no_valid_arguments_and_no_runtime_config(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local().with_keys(runtimeConfig={"ipRanges": [[{"subnet": "10.7.0.0/24"}]]})
    assert ipam.add().ips[0] == "10.7.0.2/24"
    ipam.with_keys(runtimeConfig={"ips": ["nonsense"]}).delete(arguments="IP=nonsense;foo;bar=1", netns="").succeeded()
    assert ipam.addresses() == {}


def test_addresses_are_given_in_turn(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    assert ipam.add("a").ip == "10.1.2.2"
    ipam.delete("a").succeeded()
    assert ipam.add("b").ip == "10.1.2.3"


def test_the_last_reserved_address_is_remembered_without_reservations(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.network.mkdir(parents=True)
    (ipam.network / "last_reserved_ip.0").write_text("10.1.2.40")
    assert ipam.add().ip == "10.1.2.41"


@pytest.mark.parametrize("content", ["", "nonsense", "10.9.9.9", "2001:db8::1", "10.1.2.255"])
def test_a_last_reserved_address_that_is_none_means_the_beginning(
    host_local: Callable[..., Ipam], content: str
) -> None:
    ipam = host_local()
    ipam.network.mkdir(parents=True)
    (ipam.network / "last_reserved_ip.0").write_text(content)
    assert ipam.add().ip == "10.1.2.2"


# The reference's own table: ranges, what is taken, what was given last, what comes next.
ROUND_ROBIN = [
    pytest.param(["10.0.0.0/29"], [], "", "10.0.0.2", id="fresh"),
    pytest.param(["2001:db8:1::/64"], [], "", "2001:db8:1::2", id="fresh-v6"),
    pytest.param(["10.0.0.0/30"], [], "", "10.0.0.2", id="smallest"),
    pytest.param(["10.0.0.0/29"], ["10.0.0.2"], "", "10.0.0.3", id="occupied"),
    pytest.param(["10.0.0.0/29"], [], "10.0.0.5", "10.0.0.6", id="after-last"),
    pytest.param(["10.0.0.0/29"], [], "10.0.0.6", "10.0.0.2", id="wraps"),
    pytest.param(["10.0.0.0/29"], [], "10.0.0.128", "10.0.0.2", id="last-outside"),
    pytest.param(
        ["10.0.0.0/29"],
        ["10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"],
        "10.0.0.3",
        "10.0.0.3",
        id="only-last-is-free",
    ),
    pytest.param(["10.0.0.0/30", "10.0.1.0/30"], [], "", "10.0.0.2", id="two-first"),
    pytest.param(["10.0.0.0/30", "10.0.1.0/30"], ["10.0.0.2"], "", "10.0.1.2", id="two-second"),
    pytest.param(["10.0.0.0/30", "10.0.1.0/30"], [], "10.0.0.2", "10.0.1.2", id="two-advance"),
    pytest.param(["10.0.0.0/30", "10.0.1.0/30", "10.0.2.0/30"], ["10.0.2.2"], "10.0.1.2", "10.0.0.2", id="roll-over"),
]


@pytest.mark.parametrize(("subnets", "taken", "last", "expected"), ROUND_ROBIN)
def test_the_next_address_is_the_reference_s(
    host_local: Callable[..., Ipam], subnets: list[str], taken: list[str], last: str, expected: str
) -> None:
    ipam = host_local([{"subnet": subnet} for subnet in subnets])
    ipam.network.mkdir(parents=True)
    for address in taken:
        (ipam.network / address).write_text("somebody\r\neth0")
    if last:
        (ipam.network / "last_reserved_ip.0").write_text(last)
    assert ipam.add().ip == expected


def test_gateways_and_the_broadcast_address_are_never_given(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([{"subnet": "192.168.1.0/29", "gateway": "192.168.1.4"}])
    given = ["192.168.1.1", "192.168.1.2", "192.168.1.3", "192.168.1.5", "192.168.1.6"]
    assert spans(ipam, 5) == given
    ipam.add("one-more").failed(11)


def test_iteration_starts_in_the_middle_and_ends_with_the_last(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([{"subnet": "192.168.1.0/29", "rangeStart": "192.168.1.3"}])
    ipam.network.mkdir(parents=True)
    (ipam.network / "last_reserved_ip.0").write_text("192.168.1.4")
    assert spans(ipam, 4) == ["192.168.1.5", "192.168.1.6", "192.168.1.3", "192.168.1.4"]


def test_the_range_after_the_one_that_ended_is_next(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(
        [
            {"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.10", "rangeEnd": "10.0.0.11"},
            {"subnet": "10.0.1.0/24", "rangeStart": "10.0.1.20", "rangeEnd": "10.0.1.20"},
        ]
    )
    assert spans(ipam, 3) == ["10.0.0.10", "10.0.0.11", "10.0.1.20"]
    ipam.delete("c1").succeeded()
    assert ipam.add("again").ip == "10.0.0.11"


@pytest.mark.parametrize(
    "ranges",
    [
        [{"subnet": "10.0.0.0/29"}],
        [{"subnet": "10.0.0.0/30"}, {"subnet": "10.0.1.0/30"}],
        [{"subnet": "2001:db8:1::/126"}],
    ],
    ids=["one", "two", "v6"],
)
def test_an_exhausted_pool_says_so_and_may_be_tried_again(
    host_local: Callable[..., Ipam], ranges: list[object]
) -> None:
    ipam = host_local(ranges)
    count = 0
    while (answer := ipam.add(f"c{count}")).status == 0:
        count += 1
    message = answer.failed(11, f"all {count} are reserved")
    assert message.startswith("no IP addresses available in range set 0")
    assert "10.0.0." in message or "2001:db8:1::" in message
    ipam.delete("c0").succeeded()
    ipam.add("later").succeeded()


def test_no_set_gives_an_address_unless_all_do(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([{"subnet": "10.1.2.0/24"}], [{"subnet": "10.0.0.0/30"}])
    ipam.add("first").succeeded()
    before = ipam.addresses()
    ipam.add("second").failed(11, "range set 1")
    assert ipam.addresses() == before
    assert (ipam.network / "last_reserved_ip.0").read_text() == "10.1.2.2"


@pytest.mark.parametrize(
    ("subnet", "expected", "gateway"),
    [
        ("10.0.0.4/31", ["10.0.0.4/31", "10.0.0.5/31"], None),
        ("10.0.0.4/32", ["10.0.0.4/32"], None),
        ("2001:db8::6/127", ["2001:db8::6/127", "2001:db8::7/127"], None),
        ("2001:db8::6/128", ["2001:db8::6/128"], None),
        ("10.0.0.4/30", ["10.0.0.6/30"], "10.0.0.5"),
        ("2001:db8::4/126", ["2001:db8::6/126", "2001:db8::7/126"], "2001:db8::5"),
    ],
)
def test_the_smallest_subnets_give_all_they_have(
    host_local: Callable[..., Ipam], subnet: str, expected: list[str], gateway: str | None
) -> None:
    ipam = host_local([{"subnet": subnet}])
    answers = [ipam.add(f"c{at}") for at in range(len(expected))]
    assert [answer.ips[0] for answer in answers] == expected
    assert {answer.document["ips"][0].get("gateway") for answer in answers} == {gateway}
    ipam.add("one-more").failed(11)


def test_a_gateway_of_a_point_to_point_subnet_is_not_given(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([{"subnet": "10.0.0.4/31", "gateway": "10.0.0.4"}])
    assert ipam.add().document["ips"] == [{"address": "10.0.0.5/31", "gateway": "10.0.0.4"}]
    ipam.add("other").failed(11)


def test_excluded_addresses_are_not_given(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(
        [{"subnet": "10.0.0.0/28"}], exclude=["10.0.0.2/31", "10.0.0.8/29", "2001:db8::/64", "10.0.0.5/32"]
    )
    assert spans(ipam, 3) == ["10.0.0.4", "10.0.0.6", "10.0.0.7"]
    ipam.add("one-more").failed(11, "all 3")


def test_a_pool_of_a_large_ipv6_subnet_works(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([{"subnet": "2001:db8::/32"}])
    ipam.network.mkdir(parents=True)
    (ipam.network / "last_reserved_ip.0").write_text("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")
    assert spans(ipam, 2) == ["2001:db8::2", "2001:db8::3"]
    assert ipam.add("far", arguments="IP=2001:db8:1234:5678::abcd").ip == "2001:db8:1234:5678::abcd"
    assert ipam.add("next").ip == "2001:db8:1234:5678::abce"


def test_a_pool_that_spans_blocks_is_searched_to_its_end(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local([{"subnet": "10.0.0.0/8", "rangeStart": "10.0.255.254", "rangeEnd": "10.1.0.1"}])
    assert spans(ipam, 4) == ["10.0.255.254", "10.0.255.255", "10.1.0.0", "10.1.0.1"]
    ipam.add("one-more").failed(11)
    ipam.delete("c2").succeeded()
    assert ipam.add("again").ip == "10.1.0.0"


def test_a_check_wants_every_address_reserved_for_the_attachment(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local(*DUAL)
    added = ipam.add().succeeded()
    ipam.check(added).succeeded()
    (ipam.network / "10.1.2.2").unlink()
    ipam.check(added).failed(102, "10.1.2.2 is not reserved")
    (ipam.network / "10.1.2.2").write_text("other\r\neth0")
    ipam.check(added).failed(102, "10.1.2.2 is reserved for container other, interface eth0")
    (ipam.network / "10.1.2.2").write_text("dummy")
    ipam.check(added).succeeded()


def test_a_check_of_an_address_that_is_another_s_fails_though_the_attachment_has_one(
    host_local: Callable[..., Ipam],
) -> None:
    ipam = host_local()
    ipam.add("other").succeeded()
    added = ipam.add().succeeded()
    told = added.document
    told["ips"][0]["address"] = "10.1.2.2/24"
    ipam.call("CHECK", prevResult=told).failed(102, "container other")


def test_a_check_wants_an_address_of_the_network(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.add().succeeded()
    ipam.call("CHECK", prevResult={"cniVersion": "1.1.0", "ips": [{"address": "172.16.0.1/24"}]}).failed(
        102, "no address"
    )
    ipam.call("CHECK").failed(7, "prevResult")


def test_a_check_of_what_was_never_added_fails_and_makes_nothing(host_local: Callable[..., Ipam]) -> None:
    ipam = host_local()
    ipam.call("CHECK", prevResult={"cniVersion": "1.1.0", "ips": [{"address": "10.1.2.2/24"}]}).failed(102)
    assert not ipam.data_dir.exists()
