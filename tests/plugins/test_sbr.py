"""sbr: rules, tables, and the main table, from ADD to DEL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.plugins.routed import Routed
from tests.plugins.runtime import VERSIONS

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

MAIN = ["10.1.0.0/24 dev eth0 src 10.1.0.2", "default via 10.1.0.1 dev eth0"]


@pytest.fixture
def routed(node: Runtime, pod: Pod, inside: Shown) -> Routed:
    return Routed(node, pod, inside, "sbr")


def test_what_operators_are_promised(routed: Routed) -> None:
    routed.address("21.0.111.1/21", "21.0.111.254")
    before = routed.everything()
    assert {**routed.add(), "routes": []} == routed.previous
    assert routed.rules() == ["from 21.0.111.1 lookup 100"]
    assert routed.table(100) == ["21.0.104.0/21 dev net1 src 21.0.111.1", "default via 21.0.111.254 dev net1"]
    assert routed.table() == MAIN
    routed.check()
    routed.delete(previous=False)
    assert routed.everything() == before


def test_a_default_route_that_the_interface_has_is_not_doubled(routed: Routed) -> None:
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.inside.run("ip route add default via 10.2.0.1 dev net1 metric 4096")
    routed.add()
    assert routed.table(100) == ["10.2.0.0/24 dev net1 src 10.2.0.2", "default via 10.2.0.1 dev net1 metric 4096"]
    assert routed.table() == MAIN
    routed.delete()
    assert routed.table() == sorted(
        [*MAIN, "10.2.0.0/24 dev net1 src 10.2.0.2", "default via 10.2.0.1 dev net1 metric 4096"]
    )


def test_each_address_has_a_table_and_what_is_nobodys_is_in_both(routed: Routed) -> None:
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.address("10.3.0.2/24", "10.3.0.1")
    routed.inside.run(
        "ip route add 10.4.0.0/16 dev net1; ip route add 10.5.0.0/16 via 10.2.0.9; "
        "ip route add 10.6.0.0/16 via 10.3.0.9; ip route add 10.7.0.0/16 via 192.0.2.1 dev net1 onlink mtu 1400"
    )
    before = routed.everything()
    routed.add()
    assert routed.rules(priorities=True) == [
        "32000:\tfrom 10.2.0.2 lookup 100",
        "32001:\tfrom 10.3.0.2 lookup 101",
    ]
    nobodys = ["10.4.0.0/16 dev net1", "10.7.0.0/16 via 192.0.2.1 dev net1 onlink mtu 1400"]
    assert [line.replace("mtu 1400 onlink", "onlink mtu 1400") for line in routed.table(100)] == sorted(
        [
            *nobodys,
            "10.2.0.0/24 dev net1 src 10.2.0.2",
            "10.5.0.0/16 via 10.2.0.9 dev net1",
            "default via 10.2.0.1 dev net1",
        ]
    )
    assert [line.replace("mtu 1400 onlink", "onlink mtu 1400") for line in routed.table(101)] == sorted(
        [
            *nobodys,
            "10.3.0.0/24 dev net1 src 10.3.0.2",
            "10.6.0.0/16 via 10.3.0.9 dev net1",
            "default via 10.3.0.1 dev net1",
        ]
    )
    assert routed.table() == MAIN
    routed.check()
    routed.delete()
    assert routed.everything() == before


def test_a_table_has_routes_of_its_family_only(routed: Routed) -> None:
    """BUG of the reference: IPv6 routes go into the table of an IPv4 address."""
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.address("2001:db8:2::2/64", "2001:db8:2::1")
    before = routed.everything()
    routed.add()
    assert routed.rules() == ["from 10.2.0.2 lookup 100", "from 2001:db8:2::2 lookup 101"]
    assert routed.table(100) == ["10.2.0.0/24 dev net1 src 10.2.0.2", "default via 10.2.0.1 dev net1"]
    assert (routed.table(100, 6), routed.table(101)) == ([], [])
    assert routed.table(101, 6) == [
        "2001:db8:2::/64 dev net1 metric 256",
        "default via 2001:db8:2::1 dev net1 metric 1024",
        "fe80::/64 dev net1 metric 256",
    ]
    routed.check()
    routed.delete()
    assert routed.everything() == before


def test_link_local_networks_stay_in_the_main_table(routed: Routed) -> None:
    """BUG of the reference: nothing reaches a link-local neighbour any more."""
    routed.address("2001:db8:2::2/64", "fe80::1")
    routed.add()
    assert [line for line in routed.table("main", 6) if "net1" in line] == ["fe80::/64 dev net1 metric 256"]
    assert "default via fe80::1 dev net1 metric 1024" in [line.replace(" onlink", "") for line in routed.table(100, 6)]
    assert "multicast ff00::/8 dev net1 table local" in routed.inside.run("ip -6 route show table all")


def test_routes_of_a_family_without_address_stay(routed: Routed) -> None:
    """BUG of the reference: all of the interface's routes go, whether or not a table has them."""
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.inside.run("ip addr add 2001:db8:2::2/64 dev net1 nodad")
    before = routed.table("main", 6)
    routed.add()
    assert routed.table("main", 6) == before


def test_a_route_that_two_interfaces_share_is_parted(routed: Routed) -> None:
    routed.address("2001:db8:2::2/64", "2001:db8:2::1")
    routed.inside.run("ip addr add 2001:db8:1::2/64 dev eth0 nodad; ip -6 route add default via 2001:db8:1::1")
    routed.inside.run("ip -6 route append default via 2001:db8:2::1 dev net1")
    before = routed.everything()
    routed.add()
    assert [line for line in routed.table("main", 6) if line.startswith("default")] == [
        "default via 2001:db8:1::1 dev eth0 metric 1024"
    ]
    assert "default via 2001:db8:2::1 dev net1 metric 1024" in routed.table(100, 6)
    routed.delete()
    after = routed.everything()
    assert sorted(after["routes"]) == sorted(before["routes"])


def test_an_address_without_a_network(routed: Routed) -> None:
    routed.address("10.2.0.2/32", "169.254.1.1")
    routed.inside.run("ip route add default via 169.254.1.1 dev net1 onlink metric 4096")
    routed.add()
    assert routed.table(100) == ["default via 169.254.1.1 dev net1 metric 4096 onlink"]
    assert routed.table() == MAIN
    routed.check()


def test_a_gateway_outside_of_the_network_is_on_the_link(routed: Routed) -> None:
    routed.address("10.2.0.2/32", "169.254.1.1")
    routed.add()
    assert routed.table(100) == ["default via 169.254.1.1 dev net1 onlink"]


@pytest.mark.parametrize(
    ("taken", "tables"),
    [
        ("ip rule add from 10.9.9.9 lookup 100", (101, 102)),
        ("ip -6 rule add from 2001:db8:9::9 lookup 101", (100, 102)),
        ("ip route add 10.9.0.0/16 dev eth0 table 100", (101, 102)),
        ("ip -6 route add 2001:db8:9::/64 dev eth0 table 101", (100, 102)),
    ],
)
def test_a_table_that_somebody_uses_is_passed_over(routed: Routed, taken: str, tables: tuple[int, int]) -> None:
    """BUG of the reference: it looks for routes in the main table only, and joins those of others."""
    routed.inside.run(taken)
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.address("10.3.0.2/24", "10.3.0.1")
    routed.add()
    first, second = tables
    rules = routed.rules()
    assert f"from 10.2.0.2 lookup {first}" in rules
    assert f"from 10.3.0.2 lookup {second}" in rules


def test_added_twice_is_added_once(routed: Routed) -> None:
    """BUG of the reference: the second ADD fails, and leaves a second rule."""
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.address("2001:db8:2::2/64", "2001:db8:2::1")
    before = routed.everything()
    routed.add()
    once = routed.everything()
    routed.add()
    assert routed.everything() == once
    routed.delete()
    assert routed.everything() == before


def test_another_add_keeps_its_tables_though_lower_ones_are_free_by_now(routed: Routed) -> None:
    routed.inside.run("ip rule add from 10.9.9.9 lookup 100")
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.add()
    routed.inside.run("ip rule del from 10.9.9.9 lookup 100")
    once = routed.everything()
    routed.add()
    assert routed.everything() == once
    assert routed.rules() == ["from 10.2.0.2 lookup 101"]


def test_an_address_that_went_takes_its_rule_with_the_next_add(routed: Routed) -> None:
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.address("10.3.0.2/24", "10.3.0.1")
    routed.add()
    routed.ips.pop(0)
    routed.add()
    assert routed.rules() == ["from 10.3.0.2 lookup 101"]
    routed.check()
    routed.delete()
    assert routed.rules() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_it_must_follow_another_plugin(node: Runtime, pod: Pod, version: str) -> None:
    config = {"cniVersion": version, "name": "blue", "type": "sbr"}
    assert "must follow another" in node.ask("ADD", config, pod).failed(7)


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_it_passes_on_the_result_in_every_version(routed: Routed, version: str) -> None:
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.config["cniVersion"] = version
    result = routed.add()
    assert result["cniVersion"] == version
    assert [ip["address"] for ip in result["ips"]] == ["10.2.0.2/24"]
    assert routed.rules() == ["from 10.2.0.2 lookup 100"]


def test_attachments_at_once_have_tables_of_their_own(routed: Routed) -> None:
    for at in range(4):
        routed.inside.run(f"ip link add many{at} up type veth peer name ynam{at}; ip link set ynam{at} up")
        routed.inside.run(f"ip addr add 10.7.{at}.2/24 dev many{at}")

    def add(at: int) -> None:
        told = {
            "cniVersion": "1.1.0",
            "interfaces": [{"name": f"many{at}", "sandbox": routed.pod.netns}],
            "ips": [{"address": f"10.7.{at}.2/24", "interface": 0}],
        }
        routed.node.ask("ADD", routed.config, routed.pod, told, CNI_IFNAME=f"many{at}").succeeded()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    assert sorted(rule.rpartition(" ")[2] for rule in routed.rules()) == ["100", "101", "102", "103"]


# With a table of one's own.


def test_with_a_table_nothing_but_rules_are_added(routed: Routed) -> None:
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.address("10.3.0.2/24", "10.3.0.1")
    before = routed.everything()
    routed.add(table=5000)
    assert routed.rules(priorities=True) == [
        "32000:\tfrom 10.2.0.2 lookup 5000",
        "32001:\tfrom 10.3.0.2 lookup 5000",
    ]
    assert routed.everything()["routes"] == before["routes"]
    routed.config["table"] = 5000
    routed.check()
    routed.delete()
    assert routed.everything() == before


def test_with_a_table_added_twice_is_added_once(routed: Routed) -> None:
    """BUG of the reference: every ADD adds the rules again."""
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.config["table"] = 5000
    routed.add()
    once = routed.everything()
    routed.add()
    assert routed.everything() == once


def test_several_attachments_share_a_table(routed: Routed) -> None:
    routed.config["table"] = 5000
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.add()
    other = {"interfaces": [{"name": "eth0", "sandbox": routed.pod.netns}], "ips": [{"address": "10.1.0.2/24"}]}
    routed.node.ask("ADD", routed.config, routed.pod, {"cniVersion": "1.1.0", **other}).succeeded()
    assert sorted(routed.rules()) == ["from 10.1.0.2 lookup 5000", "from 10.2.0.2 lookup 5000"]
    routed.delete()
    assert routed.rules() == ["from 10.1.0.2 lookup 5000"]


def test_a_table_that_is_configured_later_puts_the_routes_back(routed: Routed) -> None:
    routed.address("10.2.0.2/24", "10.2.0.1")
    before = routed.table()
    routed.add()
    routed.add(table=5000)
    assert routed.rules() == ["from 10.2.0.2 lookup 5000"]
    assert routed.table() == before
    assert routed.table(100) == []


# Which gateway.


def test_the_configured_gateway_serves_an_address_without_one(routed: Routed) -> None:
    routed.address("10.2.0.2/24")
    routed.add(gateway="10.2.0.77")
    assert "default via 10.2.0.77 dev net1" in routed.table(100)


@pytest.mark.parametrize(
    ("told", "made", "gateway"),
    [
        ([{"dst": "0.0.0.0/0", "gw": "10.2.0.5"}, {"dst": "10.9.0.0/16", "gw": "10.2.0.7"}], "", "10.2.0.5"),
        ([{"dst": "10.9.0.0/16", "gw": "10.2.0.7"}], "", "10.2.0.7"),
        ([{"dst": "10.9.0.0/16", "gw": "10.7.0.7"}], "ip route add 10.8.0.0/16 via 10.2.0.9", "10.2.0.9"),
    ],
)
def test_an_address_without_gateway_inherits_one_of_its_network(
    routed: Routed, told: list[dict[str, str]], made: str, gateway: str
) -> None:
    """With the capability `ips` the reference has no gateway, and so no default route."""
    routed.address("10.2.0.2/24")
    routed.routes = told
    routed.inside.run(made)
    routed.add()
    assert f"default via {gateway} dev net1" in routed.table(100)


def test_an_address_inherits_the_gateway_of_another_in_its_network(routed: Routed) -> None:
    routed.address("10.2.0.2/24", "10.2.0.1")
    routed.address("10.2.0.3/24")
    routed.add()
    assert "default via 10.2.0.1 dev net1" in routed.table(101)


def test_without_any_gateway_the_network_alone_is_in_the_table(routed: Routed) -> None:
    routed.address("10.2.0.2/24")
    routed.add()
    assert routed.table(100) == ["10.2.0.0/24 dev net1 src 10.2.0.2"]


# Which addresses.


def test_an_address_of_no_interface_counts_and_one_of_another_does_not(routed: Routed) -> None:
    routed.address("10.2.0.2/24", "10.2.0.1", interface=None)
    routed.ips.append({"address": "10.77.0.1/24", "interface": 0})
    routed.add()
    assert routed.rules() == ["from 10.2.0.2 lookup 100"]
