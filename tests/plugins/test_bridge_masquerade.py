"""bridge: ipMasq, as a plugin that owns a bridge does it; tests/plugins/test_masquerade.py has the whole of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.configs import bridge, pools
from tests.plugins.datagrams import NODE, OUTSIDE, make_outside, source_seen
from tests.plugins.masqueraded import FAMILIES, SUBNETS, address, garbage, rules

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

BACKENDS = ["", "nftables", "iptables"]


@pytest.fixture(params=BACKENDS, ids=["by default", "nftables", "iptables"])
def config(request: pytest.FixtureRequest, node: Runtime) -> dict[str, Any]:
    of_backend = {"ipMasqBackend": request.param} if request.param else {}
    return bridge(isDefaultGateway=True, ipMasq=True, ipam=pools(node, *SUBNETS), **of_backend)


@pytest.fixture
def outside(netns: MakeNamespace, node: Runtime) -> str:
    return make_outside(netns, node.host.path)


def test_packets_to_elsewhere_come_from_the_node(
    config: dict[str, Any], node: Runtime, make_pod: MakePod, outside: str
) -> None:
    first, second = make_pod("first"), make_pod("second")
    sender, receiver = node.add(config, first), node.add(config, second)
    for family in FAMILIES:
        assert source_seen(first.netns, outside, OUTSIDE[family]) == NODE[family]
        assert source_seen(first.netns, second.netns, address(receiver, family)) == address(sender, family)
    node.check(config, first, sender)


@pytest.mark.parametrize("path", ["the pod's", "", "/nowhere/to/be/found"])
def test_delete_forgets_it(path: str, config: dict[str, Any], node: Runtime, pod: Pod) -> None:
    """BUG of the reference: without the namespace it knows no addresses, and the rules stay."""
    node.add(config, pod)
    assert rules(node)
    for _ in range(2):
        node.delete(config, pod, **({} if path == "the pod's" else {"CNI_NETNS": path}))
        assert rules(node) == ""


def test_gc_forgets_what_is_not_valid(config: dict[str, Any], node: Runtime, make_pod: MakePod, outside: str) -> None:
    keep, lose = make_pod("keep"), make_pod("lose")
    for pod in (keep, lose):
        node.add(config, pod)
    node.ask("GC", garbage(config, "keep")).succeeded()
    assert "keep" in rules(node)
    assert "lose" not in rules(node)
    assert source_seen(keep.netns, outside, OUTSIDE[4]) == NODE[4]


def test_check_misses_it(config: dict[str, Any], node: Runtime, pod: Pod) -> None:
    result = node.add(config, pod)
    node.shown.run("nft flush ruleset; iptables -t nat -F; ip6tables -t nat -F")
    assert "eth0 is not as it was attached" in node.difference(config, pod, result)


def test_a_failed_add_leaves_none(config: dict[str, Any], node: Runtime, make_pod: MakePod) -> None:
    node.add(config, make_pod("first"))
    before, known = node.shown.everything(), rules(node)
    rival = {**config, "ipam": pools(node, "10.9.0.0/24")}
    node.ask("ADD", rival, make_pod("second")).failed(7)
    assert (node.shown.everything(), rules(node)) == (before, known)


def test_without_addresses_there_is_nothing_to_masquerade(node: Runtime, pod: Pod) -> None:
    config = bridge(ipMasq=True)
    result = node.add(config, pod)
    assert rules(node) == ""
    node.check(config, pod, result)


def test_a_backend_that_is_none_is_refused_before_anything_happens(node: Runtime, pod: Pod) -> None:
    """BUG of the reference: it is told after addresses and links are there, which stay."""
    before = node.shown.everything()
    config = bridge(ipMasq=True, ipMasqBackend="ebtables", ipam=node.given("10.1.2.3/24"))
    assert node.ask("ADD", config, pod).failed(7).startswith("ipMasqBackend: ")
    assert node.shown.everything() == before
    assert node.verbs() == []
