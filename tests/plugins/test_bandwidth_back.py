"""bandwidth: what it takes back, whatever is missing; CHECK, STATUS and GC."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import LIBC, MNT_DETACH
from tests.plugins.limited import LIMITS, Limited, root_of
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod


@pytest.fixture(params=["bridge", "macvlan"])
def limited(request: pytest.FixtureRequest, node: Runtime, pod: Pod, inside: Shown) -> Limited:
    return Limited(node, pod, inside, request.param)


@pytest.fixture
def pair(node: Runtime, pod: Pod, inside: Shown) -> Limited:
    """On the node's end of a pair."""
    return Limited(node, pod, inside, "bridge")


def ifbs(node: Runtime) -> set[str]:
    return {name for name, kind in node.links().items() if kind == "ifb"}


def legacy_name(network: str, container_id: str) -> str:
    return "bwp" + hashlib.sha512((network + container_id).encode()).hexdigest()[:12]


def test_a_failed_add_leaves_what_it_found(limited: Limited) -> None:
    """BUG of the reference: the bucket of what comes in stays. Here the name of the ifb is taken at the last moment."""
    config = limited.config(**LIMITS)
    limited.node.delete(config, limited.pod, limited.add(config))
    name = name_of_ifb(limited)
    limited.place.run(f"ip link add {name} type bridge")
    before = limited.shown()
    assert name in limited.node.ask("ADD", config, limited.pod, limited.previous).failed(7)
    assert limited.shown() == before


def name_of_ifb(limited: Limited) -> str:
    text = f"blue\0{limited.pod.container_id}\0eth0"
    return "bwp" + hashlib.sha512(text.encode()).hexdigest()[:12]


def test_a_second_add_that_fails_leaves_the_first(limited: Limited) -> None:
    """Somebody has taken the place of its filter."""
    result = limited.add(limited.config(**LIMITS))
    limited.place.run(f"tc filter del dev {limited.link} ingress")
    limited.place.run(f"tc filter add dev {limited.link} ingress prio 45520 protocol ip u32 match u32 0 0 flowid 1:1")
    links = (limited.link, limited.ifb())
    before, shown = [root_of(limited.place, link)["options"] for link in links], limited.shown()
    more = limited.config(**{**LIMITS, "ingressRate": 9_000_000, "egressRate": 9_000_000})
    assert "cannot send what comes in by" in limited.node.ask("ADD", more, limited.pod, result).failed(100)
    assert [root_of(limited.place, link)["options"] for link in links] == before
    assert limited.shown() == shown


@pytest.mark.parametrize("gone", ["link", "namespace", "stale file", "no namespace"])
def test_delete_needs_neither_link_nor_namespace(gone: str, limited: Limited) -> None:
    config = limited.config(**LIMITS)
    result = limited.add(config)
    environment = {"CNI_NETNS": ""} if gone == "no namespace" else {}
    if gone == "link":
        limited.inside.run("ip link delete eth0")
    elif not environment:
        LIBC.umount2(limited.pod.netns.encode(), MNT_DETACH)
        if gone == "namespace":
            os.unlink(limited.pod.netns)
    for _ in range(2):
        limited.node.delete(config, limited.pod, result, **environment)
        assert ifbs(limited.node) == set()
    if gone == "link":
        assert limited.pod.links() == {}


@pytest.mark.parametrize(
    "keys",
    [{}, {"runtimeConfig": {"bandwidth": "x"}}, {"ingressRate": -5}, {"egressBurst": "x"}, {"ingressRate": 8}],
    ids=str,
)
def test_delete_needs_neither_limits_nor_result(keys: dict[str, Any], limited: Limited) -> None:
    """BUG of the reference: a key that cannot be read makes DEL fail, and the ifb leaks."""
    before = limited.shown()
    limited.add(limited.config(**LIMITS))
    limited.node.delete(limited.config(**keys), limited.pod, CNI_ARGS="COLOUR")
    assert limited.shown() == before


def test_delete_of_what_was_never_added_touches_nothing(limited: Limited) -> None:
    limited.place.run(f"tc qdisc add dev {limited.link} root handle 1: tbf rate 1mbit burst 10k latency 25ms")
    limited.place.run(f"tc qdisc add dev {limited.link} clsact")
    limited.node.shown.run(f"ip link add {legacy_name('red', 'pod1')} type ifb")
    before = limited.shown()
    limited.node.delete(limited.config(**LIMITS), limited.pod, limited.previous)
    assert limited.shown() == before


@pytest.mark.parametrize("known", ["told", "nothing is told"])
def test_the_ifb_of_the_reference_is_removed(known: str, pair: Limited) -> None:
    name = legacy_name("blue", "pod1")
    pair.node.shown.run(f"ip link add {name} type ifb")
    previous = {**pair.previous, "interfaces": [*pair.previous["interfaces"], {"name": name}]}
    pair.node.delete(pair.config(**LIMITS), pair.pod, previous if known == "told" else None)
    assert ifbs(pair.node) == set()


def test_the_ifb_of_the_reference_for_another_interface_stays(pair: Limited) -> None:
    """Its name is the same for all interfaces of a container on a network; the result tells whose it is."""
    name = legacy_name("blue", "pod1")
    pair.node.shown.run(f"ip link add {name} type ifb")
    config = pair.config(**LIMITS)
    pair.node.delete(config, pair.pod, pair.add(config))
    assert ifbs(pair.node) == {name}


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        ("tc qdisc del dev LINK root", "nothing limits what goes out by LINK"),
        (
            "tc qdisc replace dev LINK root handle b1d0: tbf rate 1mbit burst 100k latency 25ms",
            "limited to 1000000 bit/s",
        ),
        ("tc qdisc del dev IFB root", "nothing limits what goes out by IFB"),
        ("tc qdisc del dev LINK clsact", "what comes in by LINK is not sent to IFB"),
        ("tc filter del dev LINK ingress", "what comes in by LINK is not sent to IFB"),
        ("ip link set IFB down", "the ifb IFB is down"),
        ("ip link del IFB", "the ifb IFB is gone"),
    ],
)
def test_check_finds_every_difference(drift: str, words: str, limited: Limited) -> None:
    """BUG of the reference: it is content with a link that has no limit at all."""
    config = limited.config(**LIMITS)
    result = limited.add(config)
    names = {"LINK": limited.link, "IFB": limited.ifb()}
    for name, actual in names.items():
        drift, words = drift.replace(name, actual), words.replace(name, actual)
    limited.place.run(drift)
    assert words in limited.node.difference(config, limited.pod, result)


def test_check_finds_another_burst(limited: Limited) -> None:
    config = limited.config(**LIMITS)
    result = limited.add(config)
    more = limited.config(**{**LIMITS, "ingressBurst": 900_000, "egressBurst": 900_000})
    assert limited.node.difference(more, limited.pod, result).count("is not 900000 bits") == 2


def test_check_of_an_interface_that_is_gone(limited: Limited) -> None:
    config = limited.config(**LIMITS)
    result = limited.add(config)
    limited.inside.run("ip link delete eth0")
    assert "eth0 is gone" in limited.node.difference(config, limited.pod, result)
    assert limited.node.ask("CHECK", config, limited.pod).failed(7).startswith("prevResult: ")


def test_garbage_collection_removes_ifbs_of_nobody(node: Runtime, make_pod: MakePod) -> None:
    config: dict[str, Any] = {}
    for name, network in (("kept", "blue"), ("lost", "blue"), ("red", "red")):
        pod = make_pod(name)
        limited = Limited(node, pod, Shown(pod.netns), "bridge")
        config = limited.config(**LIMITS)
        node.ask("ADD", {**config, "name": network}, pod, limited.previous).succeeded()
    node.shown.run("ip link add stranger type ifb")
    valid = {"cni.dev/valid-attachments": [{"containerID": "kept", "ifname": "eth0"}]}
    node.ask("GC", {**config, **valid}).succeeded()
    aliases = {node.shown.link(name).get("ifalias") for name in ifbs(node)}
    assert aliases == {"multus:blue:kept:eth0", "multus:red:red:eth0", None}
    node.ask("GC", config).failed(7)


def test_status_asks_the_kernel_and_changes_nothing(node: Runtime) -> None:
    config = {"cniVersion": "1.1.0", "name": "blue", "type": "bandwidth", **LIMITS}
    before = node.shown.everything()
    assert node.ask("STATUS", config).succeeded().stdout == b""
    assert node.shown.everything() == before
    node.ask("STATUS", {**config, "ingressRate": "x"}).failed(6)


def test_the_pods_links_go_with_one_message(node: Runtime, pod: Pod, inside: Shown) -> None:
    """What multus does before it asks the plugins."""
    limited = Limited(node, pod, inside, "macvlan")
    config = limited.config(**LIMITS)
    result = limited.add(config)
    inside.run(f"ip link delete group {inside.link('eth0')['group']}")
    assert inside.links() == set()
    node.delete(config, pod, result)
