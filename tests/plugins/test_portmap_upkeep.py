"""portmap: DEL, CHECK, STATUS and GC, as nft shows what they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.portmapped import (
    CHAIN,
    MINE,
    add,
    chains,
    garbage,
    given,
    held,
    mapping,
    portmap,
    ruleset,
    targets,
    told,
    ways,
)

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

WEB = mapping(8080)
DUAL = given("10.1.2.5/24", "2001:db8:1::5/64")


@pytest.mark.parametrize("bare", [True, False], ids=["knowing nothing", "knowing all"])
def test_a_delete_twice_leaves_the_table_and_nothing_in_it(bare: bool, node: Runtime, pod: Pod) -> None:
    """BUG of the reference: a DEL without runtimeConfig leaves everything."""
    node.delete(portmap(), pod)
    assert ruleset(node) == ""
    config = portmap(WEB, mapping(53, "udp", "127.0.0.1"))
    add(node, pod, WEB, mapping(53, "udp", "127.0.0.1"), previous=DUAL)
    if bare:
        del config["runtimeConfig"]
        for _ in range(2):
            node.delete(config, pod, None, CNI_NETNS="", CNI_ARGS="")
    else:
        for _ in range(2):
            node.delete(config, pod, DUAL)
    assert (held(node), chains(node)) == ([], [])


@pytest.mark.parametrize(
    "nonsense",
    [
        {"backend": "ipchains"},
        {"markMasqBit": 99},
        {"conditionsV4": ["?"]},
        {"runtimeConfig": {"portMappings": [{}]}},
        {"prevResult": {"ips": "none"}},
    ],
    ids=str,
)
def test_a_delete_does_not_read_what_it_does_not_need(nonsense: dict[str, Any], node: Runtime, pod: Pod) -> None:
    add(node, pod, WEB)
    node.delete({**portmap(), **nonsense}, pod)
    assert (held(node), chains(node)) == ([], [])


def test_a_delete_leaves_the_containers_other_networks_alone(node: Runtime, pod: Pod) -> None:
    """BUG of the reference: its nftables backend deletes all rules of the container, of every network."""
    add(node, pod, WEB)
    add(node, pod, mapping(8081), name="red")
    node.ask("ADD", portmap(mapping(8082)), pod, given(), CNI_IFNAME="net1")
    node.delete(portmap(), pod)
    assert [key.split(" of ")[0] for key in held(node)] == ["tcp . 8081"]
    node.delete(portmap(name="red"), pod)
    assert held(node) == []


def test_two_interfaces_of_a_network_have_ports_of_their_own(node: Runtime, pod: Pod) -> None:
    """BUG of the reference: the interface is no part of its chains' names."""
    of_net1 = {**given("10.1.2.6/24"), "interfaces": [{"name": "net1", "sandbox": "/somewhere"}]}
    add(node, pod, WEB)
    node.ask("ADD", portmap(mapping(8081)), pod, of_net1, CNI_IFNAME="net1").succeeded()
    node.delete(portmap(), pod)
    assert [key.split(" of ")[0] for key in held(node)] == ["tcp . 8081"]
    node.check(portmap(mapping(8081)), pod, of_net1, CNI_IFNAME="net1")


def test_an_add_again_replaces_what_a_killed_one_left(node: Runtime, pod: Pod) -> None:
    """BUG of the reference: its nftables backend adds the rules twice, its iptables one keeps the old ones."""
    add(node, pod, WEB, mapping(8081), mapping(8082, address="192.0.2.1"))
    add(node, pod, WEB, mapping(8083), previous=given("10.1.2.9/24"), markMasqBit=4)
    assert held(node) == [f"tcp . 8080 of {MINE}", f"tcp . 8083 of {MINE}"]
    assert targets(node.shown) == ["10.1.2.9 . 80"]
    assert told(node) == ["tcp 0.0.0.0:8080 -> 10.1.2.9:80", "tcp 0.0.0.0:8083 -> 10.1.2.9:80"]


def test_what_somebody_emptied_by_hand_can_be_added_and_deleted(node: Runtime, pod: Pod, make_pod: MakePod) -> None:
    add(node, pod, WEB)
    node.shown.run(f"nft flush chain inet multus_hostports {CHAIN}")
    add(node, pod, mapping(8081))
    assert held(node) == [f"tcp . 8081 of {MINE}"]
    node.shown.run(f"nft flush chain inet multus_hostports {CHAIN}")
    node.delete(portmap(), pod)
    assert (held(node), chains(node)) == ([], [])
    add(node, pod, WEB)
    node.shown.run("nft delete table inet multus_hostports")
    node.delete(portmap(), pod)
    add(node, make_pod("next"), WEB)


def test_an_element_that_somebody_else_has_now_is_left_to_him(node: Runtime, pod: Pod, make_pod: MakePod) -> None:
    add(node, pod, WEB, mapping(8081))
    for name in ("any4", "any4to"):
        node.shown.run(f"nft 'delete element inet multus_hostports {name} {{ tcp . 8080 }}'")
    add(node, make_pod("next"), WEB)
    node.delete(portmap(), pod)
    assert [key.split(" of ")[0] for key in held(node)] == ["tcp . 8080"]


def test_a_failing_add_leaves_what_was_there(node: Runtime, pod: Pod, make_pod: MakePod) -> None:
    add(node, make_pod("other"), mapping(8081))
    before = ruleset(node)
    node.ask("ADD", portmap(WEB, mapping(8081), mapping(8082)), pod, given()).failed(11)
    assert ruleset(node) == before


CHANGES = {
    f"nft flush chain inet multus_hostports {CHAIN}": CHAIN,
    "nft 'delete element inet multus_hostports any4 { tcp . 8080 }'": "tcp 0.0.0.0:8080 of the node leads nowhere",
    "nft 'delete element inet multus_hostports any4to { tcp . 8080 }'": "tcp 0.0.0.0:8080 of the node leads nowhere",
    "nft delete table inet multus_hostports": "leads nowhere",
    "nft flush chain inet multus_hostports $(nft list chains inet | grep -o 'way4-[0-9a-f]*')": "chain way4-",
    "nft 'delete element inet multus_hostports any4to { tcp . 8080 };"
    " add element inet multus_hostports any4to { tcp . 8080 : 10.1.2.6 . 80 }'": "leads somewhere else",
    "nft flush chain inet multus_hostports hostports": "chain hostports",
    "nft flush chain inet multus_hostports guard": "chain guard",
    "nft flush chain inet multus_hostports output": "chain output",
    "nft flush chain inet multus_hostports postrouting": "bit 13",
    "echo 0 > /proc/sys/net/ipv4/conf/up0/route_localnet": "route_localnet of up0",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_check_sees_what_somebody_changed(change: str, node: Runtime, pod: Pod) -> None:
    """The reference looks at its chain, and at rules' numbers, and makes the chains that it does not find."""
    node.shown.run("ip addr add 10.1.2.1/24 dev up0")
    config = portmap(WEB)
    assert "leads nowhere" in node.difference(config, pod, given())
    assert ruleset(node) == ""
    add(node, pod, WEB)
    node.check(config, pod, given())
    node.shown.run(change)
    shown = ruleset(node)
    assert CHANGES[change] in node.difference(config, pod, given())
    assert ruleset(node) == shown


@pytest.mark.parametrize(
    "other",
    [
        {"snat": False},
        {"markMasqBit": 3},
        {"masqAll": True},
        {"conditionsV4": ["ip", "saddr", "10.0.0.1"]},
        {"runtimeConfig": {"portMappings": [mapping(8080, to=81)]}},
        {"runtimeConfig": {"portMappings": [mapping(8081)]}},
    ],
    ids=str,
)
def test_a_check_sees_what_is_not_as_configured(other: dict[str, Any], node: Runtime, pod: Pod) -> None:
    add(node, pod, WEB)
    assert node.difference({**portmap(WEB), **other}, pod, given())
    node.delete(portmap(WEB), pod)
    assert node.difference(portmap(WEB), pod, given())


def test_ports_of_equal_conditions_and_networks_go_one_way(node: Runtime, make_pod: MakePod) -> None:
    pods = [make_pod(f"pod{number}") for number in range(4)]
    add(node, pods[0], mapping(8000), previous=DUAL)
    add(node, pods[1], mapping(8001), previous=given("10.1.2.6/24", "2001:db8:1::6/64"))
    assert len(ways(node)) == 2
    add(node, pods[2], mapping(8002), previous=given("10.1.3.6/24"))
    add(node, pods[3], mapping(8003), conditionsV4=["ip saddr 10.0.0.1"])
    assert len(ways(node)) == 4


def test_a_way_that_somebody_emptied_is_made_again(node: Runtime, make_pod: MakePod) -> None:
    add(node, make_pod("first"), WEB)
    whole = ruleset(node)
    node.shown.run(f"nft flush chain inet multus_hostports {ways(node)[0]}")
    second = make_pod("second")
    add(node, second, mapping(8081))
    node.delete(portmap(), second)
    assert ruleset(node) == whole


def test_a_check_names_who_has_the_port(node: Runtime, pod: Pod, make_pod: MakePod) -> None:
    add(node, make_pod("other"), WEB)
    assert "eth0 of container other in network blue" in node.difference(portmap(WEB), pod, given())


def test_a_check_needs_prevresult(node: Runtime, pod: Pod) -> None:
    assert node.ask("CHECK", portmap(WEB), pod).failed(7).startswith("prevResult: ")


def test_status_asks_the_kernel_and_changes_nothing(node: Runtime, pod: Pod) -> None:
    node.ask("STATUS", portmap()).succeeded()
    assert node.shown.run("nft list ruleset") == ""
    add(node, pod, WEB)
    node.ask("STATUS", portmap()).succeeded()
    assert held(node) == [f"tcp . 8080 of {MINE}"]


def test_garbage_goes_and_what_is_valid_stays(node: Runtime, make_pod: MakePod) -> None:
    for number, name in enumerate(("kept", "lost", "gone")):
        add(node, make_pod(name), mapping(8000 + number), mapping(8000 + number, "udp", "127.0.0.1"))
    add(node, make_pod("elsewhere"), mapping(9000), name="red")
    add(node, make_pod("similar"), mapping(9001), name="blue2")
    assert node.ask("GC", garbage(portmap(), "kept")).succeeded().stdout == b""
    assert sorted(key.split(" of ")[0] for key in held(node)) == [
        "tcp . 8000",
        "tcp . 9000",
        "tcp . 9001",
        "udp . 8000 . 127.0.0.1",
    ]
    assert len(chains(node)) == 3
    node.ask("GC", garbage(portmap())).succeeded()
    node.ask("GC", garbage(portmap())).succeeded()
    assert [key.split(" of ")[0] for key in held(node)] == ["tcp . 9000", "tcp . 9001"]
    assert len(ways(node)) == 1


def test_ways_that_nobody_goes_are_garbage(node: Runtime, make_pod: MakePod) -> None:
    first, second = make_pod("first"), make_pod("second")
    add(node, first, WEB, masqAll=True)
    add(node, second, mapping(8081))
    node.delete(portmap(), first)
    assert len(ways(node)) == 2
    node.ask("GC", garbage(portmap(), "second")).succeeded()
    assert len(ways(node)) == 1
    node.check(portmap(mapping(8081)), second, given())
    add(node, first, WEB, masqAll=True)


def test_garbage_collection_needs_the_list_and_no_table(node: Runtime, pod: Pod) -> None:
    assert "cni.dev/valid-attachments" in node.ask("GC", portmap()).failed(7)
    node.ask("GC", garbage(portmap())).succeeded()
    assert ruleset(node) == ""
