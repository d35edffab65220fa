"""ipMasq: packets that leave a pod's own networks leave the node under its address, whichever backend does it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import pools
from tests.plugins.datagrams import GROUPS, NODE, OUTSIDE, make_outside, source_seen
from tests.plugins.masqueraded import (
    DEFAULTS,
    FAMILIES,
    SUBNETS,
    address,
    garbage,
    given,
    links_of,
    masquerade_directly,
    rules,
)

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown
    from tests.pods import MakePod

MANY = 12
BACKENDS = ["", "nftables", "iptables"]


@pytest.fixture(params=BACKENDS, ids=["by default", "nftables", "iptables"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def config(backend: str, node: Runtime) -> dict[str, Any]:
    of_backend = {"ipMasqBackend": backend} if backend else {}
    ipam = pools(node, *SUBNETS, routes=DEFAULTS)
    return {"cniVersion": "1.1.0", "name": "blue", "type": "ptp", "ipMasq": True, "ipam": ipam, **of_backend}


@pytest.fixture
def outside(netns: MakeNamespace, node: Runtime) -> str:
    return make_outside(netns, node.host.path)


def test_packets_to_elsewhere_come_from_the_node(config: dict[str, Any], node: Runtime, pod: Pod, outside: str) -> None:
    result = node.add(config, pod)
    for family in FAMILIES:
        assert source_seen(pod.netns, outside, OUTSIDE[family]) == NODE[family]
    node.check(config, pod, result)
    node.delete(config, pod, result)
    assert rules(node) == ""


def test_without_it_they_come_from_the_pod(config: dict[str, Any], node: Runtime, pod: Pod, outside: str) -> None:
    result = node.add({**config, "ipMasq": False}, pod)
    for family in FAMILIES:
        assert source_seen(pod.netns, outside, OUTSIDE[family]) == address(result, family)
    assert rules(node) == ""


def test_packets_within_the_network_stay_as_they_are(config: dict[str, Any], node: Runtime, make_pod: MakePod) -> None:
    first, second = make_pod("first"), make_pod("second")
    sender, receiver = node.add(config, first), node.add(config, second)
    for family in FAMILIES:
        assert source_seen(first.netns, second.netns, address(receiver, family)) == address(sender, family)


def test_multicast_stays_as_it_is(backend: str, node: Runtime, outside: str) -> None:
    """No address of the node could answer; the pod's own address is on the node here, since nobody routes groups."""
    addresses = ["10.1.2.5/24", "2001:db8:1::5/64"]
    node.shown.run("ip link add pod0 up type bridge; ip addr add 10.1.2.5/24 dev pod0")
    node.shown.run("ip addr add 2001:db8:1::5/64 dev pod0 nodad")
    masquerade_directly(node, addresses, backend)
    for family, source in zip(FAMILIES, ("10.1.2.5", "2001:db8:1::5"), strict=True):
        assert source_seen(node.host.path, outside, OUTSIDE[family], source) == NODE[family]
        assert source_seen(node.host.path, outside, GROUPS[family], source, "out0") == source


@pytest.mark.parametrize("path", ["", "/nowhere/to/be/found"])
def test_neither_namespace_nor_result_is_needed(path: str, config: dict[str, Any], node: Runtime, pod: Pod) -> None:
    """BUG of the reference: without addresses, which it reads from the link, the rules stay."""
    node.add(config, pod)
    assert "blue" in rules(node)
    for _ in range(2):
        node.delete(config, pod, CNI_NETNS=path)
        assert rules(node) == ""


def test_an_interface_that_is_gone_is_not_needed(
    config: dict[str, Any], node: Runtime, pod: Pod, inside: Shown
) -> None:
    """The same bug."""
    node.add(config, pod)
    inside.run("ip link del eth0")
    node.delete(config, pod)
    assert rules(node) == ""


def test_it_is_forgotten_even_if_the_backend_is_named_no_more(config: dict[str, Any], node: Runtime, pod: Pod) -> None:
    node.add(config, pod)
    node.delete({**config, "ipMasqBackend": "nonsense"}, pod)
    assert rules(node) == ""


def test_two_interfaces_of_a_pod_on_one_network_do_not_share(
    config: dict[str, Any], node: Runtime, pod: Pod, outside: str
) -> None:
    """BUG of the reference: they have one chain of iptables, and who goes first takes it away from the other."""
    result = node.add(config, pod)
    node.add({**config, "ipam": pools(node, *SUBNETS)}, pod, CNI_IFNAME="net1")
    node.delete(config, pod, CNI_IFNAME="net1")
    node.check(config, pod, result)
    for family in FAMILIES:
        assert source_seen(pod.netns, outside, OUTSIDE[family], address(result, family)) == NODE[family]


def test_an_address_that_is_reused_early_is_its_new_owners(
    config: dict[str, Any], node: Runtime, make_pod: MakePod, outside: str
) -> None:
    """BUG of the reference: the late DEL of the old owner may take the new one's rules, and its route, away."""
    old, new = make_pod("old"), make_pod("new")
    config["ipam"] = {"type": "given"}
    given(node, DEFAULTS)
    node.add(config, old)
    result = node.add(config, new)
    for family, own in ((4, "10.1.2.5"), (6, "2001:db8:1::5")):
        assert source_seen(new.netns, outside, OUTSIDE[family]) == NODE[family]
        assert source_seen(outside, new.netns, own) == OUTSIDE[family]
    node.delete(config, old, CNI_NETNS="")
    node.check(config, new, result)
    for family, own in ((4, "10.1.2.5"), (6, "2001:db8:1::5")):
        assert source_seen(new.netns, outside, OUTSIDE[family]) == NODE[family]
        assert source_seen(outside, new.netns, own) == OUTSIDE[family]
    node.delete(config, new)
    assert rules(node) == ""


def test_a_failed_add_gives_a_reused_address_back(
    config: dict[str, Any], node: Runtime, make_pod: MakePod, outside: str
) -> None:
    old, new = make_pod("old"), make_pod("new")
    config["ipam"] = {"type": "given"}
    given(node, DEFAULTS)
    result = node.add(config, old)
    before = (rules(node), node.shown.everything())
    given(node, [{"dst": "10.9.0.0/16", "scope": 255}])
    node.ask("ADD", config, new).failed(100)
    assert (rules(node), node.shown.everything()) == before
    node.check(config, old, result)
    for family in FAMILIES:
        assert source_seen(old.netns, outside, OUTSIDE[family]) == NODE[family]


def test_an_attachment_that_was_killed_half_way_is_made_anew(backend: str, node: Runtime) -> None:
    for addresses in (["10.1.2.5/24"], ["10.1.2.6/24", "2001:db8:1::6/64"]):
        masquerade_directly(node, addresses, backend)
    assert "10.1.2.5" not in rules(node)
    assert "10.1.2.6" in rules(node)


def test_garbage_of_the_network_goes_and_no_other(config: dict[str, Any], node: Runtime, make_pod: MakePod) -> None:
    red = {**config, "name": "red", "ipam": pools(node, "10.7.2.0/24", "2001:db8:7::/64")}
    stays, goes, other = make_pod("stays"), make_pod("goes"), make_pod("other")
    kept = node.add(config, stays)
    before = rules(node)
    node.add(config, goes)
    kept_other = node.add(red, other)
    node.ask("GC", garbage(config, "stays")).succeeded()
    assert links_of(node) == {kept["interfaces"][0]["name"], kept_other["interfaces"][0]["name"]}
    node.check(config, stays, kept)
    node.check(red, other, kept_other)
    node.ask("GC", garbage(red)).succeeded()
    assert rules(node) == before
    node.ask("GC", garbage({**config, "ipMasq": False})).succeeded()
    assert rules(node) == ""
    assert links_of(node) == set()
    assert node.reserved("blue") == {}


def test_many_at_once_lose_nothing(config: dict[str, Any], node: Runtime, make_pod: MakePod) -> None:
    pods = [make_pod(f"pod{number}") for number in range(MANY)]
    with ThreadPoolExecutor(MANY) as threads:
        results = list(threads.map(lambda pod: node.add(config, pod), pods))
        for pod, result in zip(pods, results, strict=True):
            node.check(config, pod, result)
        list(threads.map(lambda pod: node.delete(config, pod), pods[::2]))
        for pod, result in zip(pods[1::2], results[1::2], strict=True):
            node.check(config, pod, result)
        list(threads.map(lambda pod: node.delete(config, pod), pods))
    assert rules(node) == ""
