"""whereabouts as runtimes call it, on files: what ADD answers, and that the other verbs agree with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.ipam.runtime import leftovers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ipam.runtime import Ipam

DUAL = {"ipRanges": [{"range": "10.1.2.0/24"}, {"range": "fd00:1::/64"}]}


def pod(name: str, namespace: str = "blue", uid: str = "u1") -> str:
    return f"IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name};K8S_POD_UID={uid}"


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("192.168.1.1/24", {}, "192.168.1.1/24"),
        ("caa5::0/112", {}, "caa5::1/112"),
        ("::1/126", {}, "::1/126"),
        ("fd::1/116", {}, "fd::1/116"),
        ("100::2:1/126", {}, "100::2:1/126"),
        ("2001::1/116", {}, "2001::1/116"),
        ("192.168.1.5-192.168.1.25/24", {}, "192.168.1.5/24"),
        ("192.168.1.0/24", {"range_start": "192.168.1.5"}, "192.168.1.5/24"),
        ("2001:db8:480:603d:304:403::-2001:db8:480:603d:304:403:0:4/64", {}, "2001:db8:480:603d:304:403::/64"),
        ("fd00:0:0:10:0:0:3:1-fd00:0:0:10:0:0:3:6/64", {}, "fd00::10:0:0:3:1/64"),
        ("192.168.1.0/24", {"exclude": ["192.168.1.0/28", "192.168.1.16/28"]}, "192.168.1.32/24"),
        ("2001::/116", {"exclude": ["2001::/128", "2001::1/128", "2001::2/128"]}, "2001::3/116"),
        ("caa5::0/112", {"exclude": ["caa5::0/113"]}, "caa5::8000/112"),
        ("10.0.0.4/31", {}, "10.0.0.4/31"),
        ("fd00::7/128", {}, "fd00::7/128"),
        ("ffff:ffff:ffff:fff0::/60", {}, "ffff:ffff:ffff:fff0::1/60"),
    ],
    ids=str,
)
def test_the_first_address_is_given_again_once_it_was_given_back(
    whereabouts: Callable[..., Ipam], text: str, more: dict[str, Any], expected: str
) -> None:
    ipam = whereabouts(text, **more)
    for container in ("a", "b"):
        added = ipam.add(container)
        assert added.ips == [expected]
        ipam.check(added, container).succeeded()
        ipam.delete(container).succeeded()
    assert leftovers(ipam.data_dir) == []


def test_twelve_pods_one_after_the_other_have_the_addresses_in_order(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts("192.168.1.11-192.168.1.23/24")
    for number in range(12):
        arguments = pod(f"pod-{number}")
        for _ in range(2):
            assert ipam.add(f"c{number}", arguments=arguments).ip == f"192.168.1.{11 + number}"
        ipam.delete(f"c{number}").succeeded()
        assert ipam.add(f"c{number}", arguments=arguments).ip == f"192.168.1.{11 + number}"


def test_a_hole_is_filled_first(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts()
    assert [ipam.add(container).ip for container in "abc"] == ["10.1.2.1", "10.1.2.2", "10.1.2.3"]
    ipam.delete("b").succeeded()
    assert [ipam.add(container).ip for container in "de"] == ["10.1.2.2", "10.1.2.4"]


def test_the_last_address_is_given_and_then_the_range_is_full(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts("192.168.1.5-192.168.1.12/24")
    assert [ipam.add(f"c{number}").ip for number in range(8)] == [f"192.168.1.{5 + number}" for number in range(8)]
    ipam.add("ninth").failed(11, "192.168.1.0/24", "192.168.1.5", "192.168.1.12", "8")
    ipam.delete("c3").succeeded()
    assert ipam.add("ninth").ip == "192.168.1.8"


def test_a_pod_keeps_its_address_in_a_new_sandbox_and_a_late_delete_of_the_old_one_takes_nothing(
    whereabouts: Callable[..., Ipam],
) -> None:
    ipam = whereabouts()
    ipam.add("other").succeeded()
    assert ipam.add("old", arguments=pod("web-0")).ip == "10.1.2.2"
    added = ipam.add("new", arguments=pod("web-0"))
    assert added.ip == "10.1.2.2"
    ipam.delete("old", arguments=pod("web-0")).succeeded()
    ipam.check(added, "new", arguments=pod("web-0")).succeeded()
    assert ipam.add("third").ip == "10.1.2.3"


def test_two_interfaces_of_a_pod_have_an_address_each(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts()
    given = {ifname: ipam.add("c", ifname, arguments=pod("web-0")).ip for ifname in ("net1", "net2", "net3")}
    assert len(set(given.values())) == 3
    ipam.delete("c", "net1").succeeded()
    assert ipam.add("c", "net2", arguments=pod("web-0")).ip == given["net2"]
    assert ipam.add("d", arguments=pod("other")).ip == given["net1"]


def test_a_pod_of_the_same_name_that_is_another_one_has_another_address(whereabouts: Callable[..., Ipam]) -> None:
    """A StatefulSet's pod whose node is merely cut off, and the one that replaces it."""
    ipam = whereabouts()
    assert ipam.add("a", arguments=pod("web-0", uid="u1")).ip == "10.1.2.1"
    assert ipam.add("b", arguments=pod("web-0", uid="u2")).ip == "10.1.2.2"


def test_a_claim_keeps_its_addresses_whichever_pod_it_is_for(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts(**DUAL)
    claimed = ipam.with_keys(args={"cni": {"ipam-claim-reference": "vm-a.mynet"}})
    ipam.add("other").succeeded()
    expected = ["10.1.2.2/24", "fd00:1::2/64"]
    assert claimed.add("a", arguments=pod("launcher-1")).ips == expected
    claimed.delete("a", arguments=pod("launcher-1")).succeeded()
    assert ipam.add("third").ips == ["10.1.2.3/24", "fd00:1::3/64"]
    added = claimed.add("b", arguments=pod("launcher-2", uid="u2"))
    assert added.ips == expected
    claimed.check(added, "b", arguments=pod("launcher-2", uid="u2")).succeeded()
    claimed.collect().succeeded()
    assert claimed.add("c", arguments=pod("launcher-3", uid="u3")).ips == expected


def test_a_result_has_all_that_is_configured_in_order(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts(
        "192.168.1.33/28",
        gateway="192.168.10.1",
        ipRanges=[{"range": "fd00:7::/64", "gateway": "fd00:7::ffff"}],
        addresses=[
            {"address": "10.10.0.1/24", "gateway": "10.10.0.254"},
            {"address": "3ffe:ffff:0:01ff::1/64", "gateway": "3ffe:ffff:0::1"},
        ],
        routes=[{"dst": "0.0.0.0/0"}, {"dst": "192.168.0.0/16", "gw": "10.10.5.1"}, {"dst": "3ffe:ffff:0:01ff::1/64"}],
        dns={"nameservers": ["192.0.2.53"], "search": ["example.org"]},
    )
    added = ipam.add()
    assert added.succeeded().document == {
        "cniVersion": "1.1.0",
        "ips": [
            {"address": "192.168.1.33/28", "gateway": "192.168.10.1"},
            {"address": "fd00:7::1/64", "gateway": "fd00:7::ffff"},
            {"address": "10.10.0.1/24", "gateway": "10.10.0.254"},
            {"address": "3ffe:ffff:0:1ff::1/64", "gateway": "3ffe:ffff::1"},
        ],
        "routes": [
            {"dst": "0.0.0.0/0"},
            {"dst": "192.168.0.0/16", "gw": "10.10.5.1"},
            {"dst": "3ffe:ffff:0:1ff::1/64"},
        ],
        "dns": {"nameservers": ["192.0.2.53"], "search": ["example.org"]},
    }
    ipam.check(added).succeeded()


def test_a_gateway_of_ipv4_is_not_told_of_an_ipv6_address(whereabouts: Callable[..., Ipam]) -> None:
    ips = whereabouts(**DUAL, gateway="10.1.2.1").add().succeeded().document["ips"]
    assert ips == [{"address": "10.1.2.2/24", "gateway": "10.1.2.1"}, {"address": "fd00:1::1/64"}]


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_an_old_version_is_answered_in_its_own_form(whereabouts: Callable[..., Ipam], version: str) -> None:
    told = whereabouts(version=version, **DUAL).add().succeeded().document
    assert (told["ip4"]["ip"], told["ip6"]["ip"]) == ("10.1.2.1/24", "fd00:1::1/64")
    same = {"ipRanges": [{"range": "10.1.2.0/24"}, {"range": "10.1.3.0/24"}]}
    whereabouts(version=version, **same).add("b").failed(7, "one IPv4 address")


def test_of_two_families_both_are_given_or_none(whereabouts: Callable[..., Ipam]) -> None:
    narrow = {"ipRanges": [{"range": "10.1.2.0/24"}, {"range": "fd00:1::/127"}]}
    ipam = whereabouts(**narrow)
    assert ipam.add("a").ips == ["10.1.2.1/24", "fd00:1::/127"]
    assert ipam.add("b").ips == ["10.1.2.2/24", "fd00:1::1/127"]
    ipam.add("c").failed(11, "fd00:1::/127")
    ipam.delete("a").succeeded()
    assert ipam.add("d").ips == ["10.1.2.1/24", "fd00:1::/127"], "the third one kept nothing, the first one nothing"


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("10.1.2.0/24", "10.1.2.0/28", ["10.1.2.1", "10.1.2.2"]),
        ("fd00::1:0/124", "fd00::1:0/126", ["fd00::1:1", "fd00::1:2"]),
    ],
)
def test_networks_whose_ranges_overlap_give_an_address_once_unless_they_need_not(
    whereabouts: Callable[..., Ipam], wide: str, narrow: str, expected: list[str]
) -> None:
    one, other = whereabouts(wide, name="one"), whereabouts(narrow, name="other")
    assert [one.add("a").ip, other.add("b").ip] == expected
    apart = [
        whereabouts(text, name=name, network_name="x", enable_overlapping_ranges=False)
        for name, text in (("one", wide), ("other", narrow))
    ]
    assert [ipam.add("c").ip for ipam in apart] == [expected[0]] * 2


def test_networks_of_one_name_share_their_addresses_and_others_do_not(whereabouts: Callable[..., Ipam]) -> None:
    assert [
        whereabouts(name=f"n{number}", network_name=shared).add(f"c{number}").ip
        for number, shared in enumerate(["", "red", "red", "blue", "r-1", ""])
    ] == ["10.1.2.1", "10.1.2.1", "10.1.2.2", "10.1.2.1", "10.1.2.1", "10.1.2.2"]


def test_an_address_that_is_asked_for_is_given_or_refused(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts(**DUAL)
    assert ipam.add("a", runtimeConfig={"ips": ["10.1.2.77", "fd00:1::77/64"]}).ips == [
        "10.1.2.77/24",
        "fd00:1::77/64",
    ]
    ipam.add("b", runtimeConfig={"ips": ["10.1.2.77"]}).failed(11, "runtimeConfig.ips[0]", "10.1.2.77", "a")
    assert ipam.add("b", args={"cni": {"preferred-ip": "10.1.2.77"}}).ips == ["10.1.2.1/24", "fd00:1::1/64"]
    ipam.delete("a").succeeded()
    assert ipam.add("c", args={"cni": {"preferred-ip": "10.1.2.77"}}).ips == ["10.1.2.77/24", "fd00:1::2/64"]


def test_an_address_outside_the_ranges_is_one_attachments_at_a_time(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts(gateway="10.1.2.254")
    added = ipam.add("a", arguments="IP=192.168.7.7/25,10.1.2.9;GATEWAY=192.168.7.1")
    assert added.succeeded().document["ips"] == [
        {"address": "10.1.2.9/24", "gateway": "10.1.2.254"},
        {"address": "192.168.7.7/25", "gateway": "192.168.7.1"},
    ]
    ipam.check(added, "a", arguments="IP=192.168.7.7/25,10.1.2.9").succeeded()
    ipam.add("b", arguments="IP=192.168.7.7/25").failed(11, "192.168.7.7")
    ipam.delete("a").succeeded()
    assert ipam.add("b", arguments="IP=192.168.7.7/25").ips == ["10.1.2.1/24", "192.168.7.7/25"]


def test_with_the_policy_next_an_address_rests_before_it_is_anothers(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts("10.1.2.0/29", policy="next", cool_down=3600)
    given = []
    for number in range(6):
        given.append(ipam.add(f"c{number}").ip)
        ipam.delete(f"c{number}").succeeded()
    assert given == [f"10.1.2.{number}" for number in range(1, 7)]
    ipam.add("seventh").failed(11, "10.1.2.0/29")
    assert ipam.add("c2").ip == "10.1.2.3", "whose it was has it back"


def test_with_the_policy_spread_pods_begin_at_different_places(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts("10.1.0.0/16", policy="spread")
    given = {ipam.add(f"c{number}").ip for number in range(8)}
    assert len(given) == 8
    assert given != {f"10.1.0.{number}" for number in range(1, 9)}


def test_a_second_range_of_one_network_is_another_range(whereabouts: Callable[..., Ipam]) -> None:
    """The reference gives the same address twice."""
    ranges = [{"range": "10.1.2.0/24", "range_end": "10.1.2.9"}, {"range": "10.1.2.0/24", "range_start": "10.1.2.10"}]
    ipam = whereabouts(ipRanges=ranges)
    for container in ("a", "a"):
        assert ipam.add(container).ips == ["10.1.2.1/24", "10.1.2.10/24"]
    assert whereabouts(ipRanges=[{"range": "10.1.3.0/24"}] * 2, compat=True).add("b").ips == [
        "10.1.3.1/24",
        "10.1.3.2/24",
    ]


def test_addresses_of_any_distance_from_the_ranges_beginning_are_told_apart(whereabouts: Callable[..., Ipam]) -> None:
    """The reference keeps distances in 64 bits, of which a sign takes one."""
    for number, bits in enumerate((63, 64, 65, 100)):
        start = f"fd00:0:0:0:{1 << bits - 48:x}::" if bits < 64 else f"fd00:{1 << bits - 96:x}::" if bits > 95 else ""
        start = start or f"fd00:0:0:{1 << bits - 64:x}::"
        ipam = whereabouts("fd00::/16", range_start=start, name=f"n{number}", network_name=f"n{number}")
        addresses = [ipam.add(f"c{at}").ip for at in range(3)]
        assert len(set(addresses)) == 3
        ipam.delete("c1").succeeded()
        assert ipam.add("c3").ip == addresses[1]


def test_nothing_is_touched_by_what_is_refused(whereabouts: Callable[..., Ipam]) -> None:
    whereabouts("10.1.2.0/33").add().failed(7, "ipam.range")
    whereabouts(arguments=7, exclude=["x"]).add().failed(7, "ipam.exclude[0]")
    ipam = whereabouts()
    ipam.add(arguments="K8S_POD_NAME=x;Unknown=1").failed(4, "Unknown")
    assert not ipam.data_dir.exists()


def test_static_addresses_alone_are_told_and_need_no_files(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts(addresses=[{"address": "10.9.0.1/24"}])
    added = ipam.add()
    assert added.ips == ["10.9.0.1/24"]
    ipam.check(added).succeeded()
    ipam.delete().succeeded()
    ipam.call("STATUS").succeeded()


# DEL


@pytest.mark.parametrize(
    "changed",
    [
        {"range": "nonsense"},
        {"range": 7, "exclude": {}, "gateway": [], "policy": "x", "node_slice_size": "x"},
        {"kubernetes": {"kubeconfig": "/nonexistent"}, "datastore": None},
        {"configuration_path": "/nonexistent/x"},
        {"enable_overlapping_ranges": False, "network_name": "other"},
    ],
    ids=str,
)
def test_a_delete_needs_no_configuration(whereabouts: Callable[..., Ipam], changed: dict[str, Any]) -> None:
    ipam = whereabouts(**DUAL)
    ipam.add("a", arguments=pod("web-0")).succeeded()
    ipam.changed(**changed).delete("a", arguments="nonsense").succeeded()
    assert ipam.add("b").ips == ["10.1.2.1/24", "fd00:1::1/64"]


def test_a_delete_twice_or_of_nothing_succeeds(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts()
    ipam.delete("a").succeeded()
    assert not ipam.data_dir.exists()
    ipam.add("a").succeeded()
    ipam.delete("a").succeeded()
    ipam.delete("a").succeeded()
    ipam.with_keys(ipam={"type": "whereabouts", "dataDir": "x", "datastore": "file"}).delete("a").succeeded()


# CHECK


def test_a_check_names_what_is_not_as_it_was(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts(addresses=[{"address": "10.9.0.1/24"}])
    ipam = ipam.changed(range="10.1.2.0/24")
    added, other = ipam.add("a"), ipam.add("b")
    ipam.check(added, "a").succeeded()
    ipam.check(other, "a").failed(102, "10.1.2.2")
    ipam.check(added, "c").failed(102, "container c, eth0")
    ipam.delete("a").succeeded()
    ipam.check(added, "a").failed(102, "container a, eth0")
    ipam.changed(addresses=[{"address": "10.9.0.2/24"}]).check(other, "b").failed(
        102, "10.9.0.2/24 is not in prevResult"
    )
    ipam.changed(range="10.7.0.0/24").check(other, "b").failed(102, "prevResult has no address of 10.7.0.0/24")
    ipam.call("CHECK", "b").failed(7, "prevResult")


# STATUS


def test_status_is_well_until_an_add_would_fail(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts("10.1.2.0/30")
    ipam.call("STATUS").succeeded()
    assert not ipam.data_dir.exists()
    ipam.add("a").succeeded()
    ipam.call("STATUS").succeeded()
    ipam.add("b").succeeded()
    ipam.call("STATUS").failed(50, "mynet", "10.1.2.0/30")
    ipam.delete("a").succeeded()
    ipam.call("STATUS").succeeded()


def test_status_tells_that_nothing_can_be_kept(whereabouts: Callable[..., Ipam]) -> None:
    ipam = whereabouts()
    ipam.data_dir.write_text("in the way")
    ipam.call("STATUS").failed(50, str(ipam.data_dir))
    ipam.changed(range="x").call("STATUS").failed(7, "ipam.range")


# GC


def test_gc_gives_back_what_is_not_valid_of_this_network(whereabouts: Callable[..., Ipam]) -> None:
    ipam, other = whereabouts(), whereabouts(name="other", network_name="other")
    for container in "abc":
        ipam.add(container).succeeded()
    other.add("a").succeeded()
    ipam.changed(range="nonsense").collect(("b", "eth0"), ("c", "net9")).succeeded()
    assert [ipam.add(container).ip for container in "def"] == ["10.1.2.1", "10.1.2.3", "10.1.2.4"]
    assert other.add("b").ip == "10.1.2.2"
    ipam.call("GC").failed(7, "cni.dev/valid-attachments")


# Where the addresses are kept


def test_a_network_does_not_change_its_store_unasked(whereabouts: Callable[..., Ipam]) -> None:
    """A flat file that comes while pods have addresses in files: those could be given twice."""
    ipam = whereabouts()
    ipam.add("a").succeeded()
    named = ipam.changed(datastore=None, kubernetes={"kubeconfig": "/nonexistent"})
    named.add("b").failed(7, "ipam.datastore", "mynet", "from files", "a kubeconfig is named")
    named.call("STATUS").failed(50, "from files")
    named.changed(datastore="kubernetes").add("b").failed(5, "/nonexistent")
    named.delete("a").succeeded()
    named.add("b").failed(5, "/nonexistent")


def test_without_an_api_server_an_add_is_to_be_tried_again_and_a_delete_succeeds(
    whereabouts: Callable[..., Ipam], tmp_path: Any
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    ipam = whereabouts(datastore="kubernetes", kubernetes={"kubeconfig": str(kubeconfig)})
    ipam.add("a", arguments=pod("web-0")).failed(5, str(kubeconfig))
    ipam.delete("a").succeeded()
