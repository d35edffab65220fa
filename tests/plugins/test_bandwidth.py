"""bandwidth: what it sets, where, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.limited import LIMITS, Limited, qdiscs, redirects, root_of
from tests.plugins.runtime import VERSIONS, WITH_CHECK

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown
    from tests.pods import MakePod


@pytest.fixture(params=["bridge", "macvlan"])
def limited(request: pytest.FixtureRequest, node: Runtime, pod: Pod, inside: Shown) -> Limited:
    return Limited(node, pod, inside, request.param)


@pytest.fixture
def pair(node: Runtime, pod: Pod, inside: Shown) -> Limited:
    """On the node's end of a pair."""
    return Limited(node, pod, inside, "bridge")


@pytest.mark.parametrize("version", VERSIONS[2:])
@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
@pytest.mark.parametrize("where", ["config", "runtimeConfig"])
def test_both_ways_are_limited_checked_and_released(
    version: str, kind: str, where: str, node: Runtime, pod: Pod, inside: Shown
) -> None:
    limited = Limited(node, pod, inside, kind, version)
    before = limited.shown()
    config = limited.config(**(LIMITS if where == "config" else {"runtimeConfig": {"bandwidth": LIMITS}}))
    result = limited.add(config)
    ifb = limited.ifb()
    ways = ("ingress", "egress") if kind == "bridge" else ("egress", "ingress")
    for link, way in zip((limited.link, ifb), ways, strict=True):
        options = root_of(limited.place, link)["options"]
        assert options["rate"] == LIMITS[f"{way}Rate"] // 8
        assert abs(options["burst"] - LIMITS[f"{way}Burst"] // 8) < 10
    assert redirects(limited.place, limited.link) == [ifb]
    if version in WITH_CHECK:
        node.check(config, pod, result)
        node.check(limited.network, pod, result)
    for _ in range(2):
        node.delete(config, pod, result)
        assert limited.shown() == before


def test_the_result_has_the_ifb_of_the_node(pair: Limited) -> None:
    config, before = pair.config(**LIMITS), pair.previous["interfaces"]
    interfaces = pair.add(config)["interfaces"]
    ifb = pair.node.shown.link(pair.ifb())
    assert interfaces == [*before, {"name": ifb["ifname"], "mac": ifb["address"]}]
    assert ifb["mtu"] == pair.node.shown.link(pair.link)["mtu"]
    assert ifb["ifalias"] == "multus:blue:pod1:eth0"
    assert pair.node.shown.addresses(ifb["ifname"], link_local=True) == set()


def test_the_result_has_no_ifb_of_the_container(node: Runtime, pod: Pod, inside: Shown) -> None:
    """A runtime would take it for an interface that was asked for."""
    limited = Limited(node, pod, inside, "macvlan")
    assert limited.add(limited.config(**LIMITS)) == limited.previous
    assert inside.link(limited.ifb())["group"] == inside.link("eth0")["group"]


@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_one_way_leaves_the_other_alone(way: str, limited: Limited) -> None:
    before = limited.shown()
    config = limited.config(**{key: value for key, value in LIMITS.items() if key.startswith(way)})
    result = limited.add(config)
    by_ifb = (limited.place is limited.node.shown) == (way == "egress")
    assert bool(redirects(limited.place, limited.link)) == by_ifb
    assert (root_of(limited.place, limited.link)["kind"] == "tbf") != by_ifb
    limited.node.check(config, limited.pod, result)
    limited.node.delete(config, limited.pod, result)
    assert limited.shown() == before


@pytest.mark.parametrize("of_config", [{"ingressRate": 0}, dict.fromkeys(LIMITS, 0)])
def test_any_key_of_the_configuration_is_before_the_runtimes(of_config: dict[str, Any], limited: Limited) -> None:
    before = limited.shown()
    limited.add(limited.config(**of_config, runtimeConfig={"bandwidth": LIMITS}))
    assert limited.shown() == before


@pytest.mark.parametrize("keys", [{}, dict.fromkeys(LIMITS, 0), {"runtimeConfig": {}}, {"ingressRate": None}], ids=str)
def test_no_limit_passes_the_result_on(keys: dict[str, Any], limited: Limited) -> None:
    before, config = limited.shown(), limited.config(**keys)
    assert limited.add(config) == limited.previous
    limited.node.check(config, limited.pod, limited.previous)
    limited.node.delete(config, limited.pod, limited.previous)
    assert limited.shown() == before


@pytest.mark.parametrize("keys", [{}, LIMITS])
def test_it_must_follow_another_plugin(keys: dict[str, Any], pair: Limited) -> None:
    """BUG of the reference: without limits it crashes."""
    assert pair.node.ask("ADD", pair.config(**keys), pair.pod).failed(7).startswith("prevResult: ")


@pytest.mark.parametrize(
    ("keys", "code", "message"),
    [
        ({"ingressRate": 8000}, 7, "ingressBurst: if rate is set, burst must also be set"),
        ({"ingressBurst": 80000}, 7, "ingressRate: if burst is set, rate must also be set"),
        ({"egressRate": 8000}, 7, "egressBurst: if rate is set"),
        ({"egressRate": 8000, "egressBurst": 34359738360}, 7, "egressBurst: 34359738360 bits are more than 4 GB"),
        ({"egressRate": -1, "egressBurst": 8}, 7, "egressRate: -1"),
        ({"egressRate": 2**64, "egressBurst": 8}, 7, "egressRate: "),
        ({"egressRate": 7, "egressBurst": 80000}, 7, "egressRate: it is less than 8 bits"),
        ({"egressRate": "8M", "egressBurst": 8}, 6, "egressRate must be a whole number"),
        ({"egressRate": 1.5, "egressBurst": 8}, 6, "egressRate must be a whole number"),
        ({"egressRate": 8000, "egressBurst": 12000}, 7, "egressBurst: 12000 bits are less than a packet of "),
        ({"ingressRate": 8000, "ingressBurst": 12000}, 7, "ingressBurst: 12000 bits are less than a packet of "),
    ],
    ids=str,
)
@pytest.mark.parametrize("where", ["", "runtimeConfig.bandwidth."])
def test_what_is_wrong_is_told_with_its_path_before_anything_happens(
    keys: dict[str, Any], code: int, message: str, where: str, limited: Limited
) -> None:
    """BUG of the reference: of a burst below a packet nothing passes."""
    before = limited.shown()
    config = limited.config(**({"runtimeConfig": {"bandwidth": keys}} if where else keys))
    assert limited.node.ask("ADD", config, limited.pod, limited.previous).failed(code).startswith(where + message)
    assert limited.shown() == before
    limited.node.delete(config, limited.pod, limited.previous)


def test_the_longest_burst_is_taken(limited: Limited) -> None:
    config = limited.config(egressRate=8, egressBurst=34359738359, ingressRate=8, ingressBurst=34359738359)
    limited.node.check(config, limited.pod, limited.add(config))


def test_a_rate_of_more_than_32_bits_is_taken(limited: Limited) -> None:
    config = limited.config(egressRate=400 * 10**9, egressBurst=10**9)
    limited.node.check(config, limited.pod, limited.add(config))


def test_an_interface_that_is_not_there_is_told(pair: Limited) -> None:
    answer = pair.node.ask("ADD", pair.config(**LIMITS), pair.pod, pair.previous, CNI_IFNAME="net9")
    assert "net9" in answer.failed(4)


def test_the_end_of_the_node_needs_no_mention(pair: Limited) -> None:
    """BUG of the reference: a plugin before it that does not tell the end makes it fail."""
    previous = {**pair.previous, "interfaces": [pair.previous["interfaces"][2]], "ips": []}
    config = pair.config(**LIMITS)
    result = pair.node.ask("ADD", config, pair.pod, previous).succeeded().document
    assert root_of(pair.node.shown, pair.link)["kind"] == "tbf"
    pair.node.check(config, pair.pod, result)


def test_a_link_that_has_the_peers_index_by_chance_is_left_alone(
    node: Runtime, pod: Pod, inside: Shown, make_pod: MakePod
) -> None:
    """The pair is between two pods; two links of the node have the indexes that its ends have there."""
    other, third = make_pod("other"), make_pod("third")
    node.shown.run("ip link add name one index 500 type veth peer name two index 501")
    node.shown.run(f"ip link set dev two netns {third.netns}")
    inside.run("ip link add name eth0 index 501 up type veth peer name three index 500")
    inside.run(f"ip link set dev three netns {other.netns}")
    previous = {"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "sandbox": pod.netns}, {"name": "one"}]}
    config = {"cniVersion": "1.1.0", "name": "blue", "type": "bandwidth", **LIMITS}
    node.ask("ADD", config, pod, previous).succeeded()
    assert root_of(inside, "eth0")["kind"] == "tbf"
    assert all(one["kind"] != "tbf" for one in qdiscs(node.shown))


def test_two_interfaces_of_a_container_on_one_network_are_limited(node: Runtime, pod: Pod, inside: Shown) -> None:
    """BUG of the reference: the name of its ifb leaves the interface out, and the second ADD fails."""
    pair = Limited(node, pod, inside, "bridge")
    config = pair.config(**LIMITS)
    pair.add(config)
    second = node.add(pair.network, pod, CNI_IFNAME="net1")
    result = node.ask("ADD", config, pod, second, CNI_IFNAME="net1").succeeded().document
    ifbs = {name for name in node.links() if name.startswith("bwp")}
    assert len(ifbs) == 2
    node.delete(config, pod, result, CNI_IFNAME="net1")
    assert {name for name in node.links() if name.startswith("bwp")} == ifbs - {result["interfaces"][3]["name"]}


def test_who_looks_at_what_comes_in_already_goes_on(limited: Limited) -> None:
    """BUG of the reference: it fails where there is a clsact."""
    place, link = limited.place, limited.link
    place.run(f"tc qdisc add dev {link} clsact")
    place.run(f"tc filter add dev {link} ingress prio 1 protocol ip u32 match u32 0 0 flowid 1:1")
    place.run(f"tc filter add dev {link} egress prio 1 protocol ip u32 match u32 0 0 flowid 1:1")
    before = [place.run(f"tc filter show dev {link} {way}") for way in ("ingress", "egress")]
    config = limited.config(**LIMITS)
    result = limited.add(config)
    assert redirects(place, link) == [limited.ifb()]
    limited.node.check(config, limited.pod, result)
    limited.node.delete(config, limited.pod, result)
    assert [place.run(f"tc filter show dev {link} {way}") for way in ("ingress", "egress")] == before


def test_the_older_hook_of_somebody_serves(limited: Limited) -> None:
    limited.place.run(f"tc qdisc add dev {limited.link} ingress")
    limited.place.run(f"tc filter add dev {limited.link} ingress prio 1 protocol arp u32 match u32 0 0 flowid 1:1")
    before, config = limited.shown(), limited.config(**LIMITS)
    result = limited.add(config)
    limited.node.check(config, limited.pod, result)
    limited.node.delete(config, limited.pod, result)
    assert limited.shown() == before


def test_what_somebody_else_decided_is_not_replaced(limited: Limited) -> None:
    limited.place.run(f"tc qdisc add dev {limited.link} root handle 7: bfifo limit 100000")
    before = limited.shown()
    message = limited.node.ask("ADD", limited.config(**LIMITS), limited.pod, limited.previous).failed(7)
    assert message == f"{limited.link} has a bfifo (7:) of somebody else, which a limit would replace"
    assert limited.shown() == before
