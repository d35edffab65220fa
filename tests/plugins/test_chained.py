"""tuning and bandwidth behind a plugin that makes the interface, all three below the meta-plugin, many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK
from tests.plugins.limited import LIMITS, qdiscs
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.pods import MakePod

MANY = 12
OF_KIND: dict[str, dict[str, Any]] = {"bridge": {"isGateway": True}, "macvlan": {"master": UPLINK}}


def network(node: Runtime, kind: str) -> dict[str, Any]:
    tuned = {"mtu": 1400, "promisc": True, "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}}
    plugins = [
        {"type": kind, **OF_KIND[kind], **node.ipam("10.1.0.0/24")},
        {"type": "tuning", "dataDir": str(node.root / "tuning"), **tuned},
        {"type": "bandwidth", "capabilities": {"bandwidth": True}},
    ]
    return node.config({"cniVersion": "1.1.0", "name": "blue", "plugins": plugins})


@pytest.mark.parametrize("kind", OF_KIND)
def test_many_at_once_are_attached_checked_and_detached(kind: str, node: Runtime, make_pod: MakePod) -> None:
    config = network(node, kind)
    config |= {"capabilities": {"bandwidth": True}, "runtimeConfig": {"bandwidth": LIMITS}}
    pods = [make_pod(f"pod{number}") for number in range(MANY)]

    def attach(pod: Pod) -> dict[str, Any]:
        return node.call("ADD", config, pod).succeeded().document

    with ThreadPoolExecutor(MANY) as pool:
        results = list(pool.map(attach, pods))
        for pod, result in zip(pods, results, strict=True):
            shown = Shown(pod.netns)
            assert (shown.link("eth0")["mtu"], shown.setting("ipv4/conf/eth0/arp_filter")) == (1400, "1")
            place = node.shown if kind == "bridge" else shown
            assert len([one for one in qdiscs(place) if one["kind"] == "tbf"]) == (2 * MANY if kind == "bridge" else 2)
            node.call("CHECK", {**config, "prevResult": result}, pod).succeeded()
        list(pool.map(lambda pod: node.call("DEL", config, pod).succeeded(), pods))
    assert node.remains(*pods) == {}
    assert list((node.root / "tuning").iterdir()) == []


@pytest.mark.parametrize("kind", OF_KIND)
def test_garbage_collection_reaches_them(kind: str, node: Runtime, make_pod: MakePod) -> None:
    """The pod's namespace is gone, and nobody asked for its DEL."""
    config = network(node, kind) | {"runtimeConfig": {"bandwidth": LIMITS}}
    node.call("ADD", config, make_pod("lost")).succeeded()
    kept = make_pod("kept")
    result = node.call("ADD", config, kept).succeeded().document
    valid = {"cni.dev/valid-attachments": [{"containerID": "kept", "ifname": "eth0"}]}
    node.call("GC", {**config, **valid}).succeeded()
    assert [path.name for path in (node.root / "tuning").iterdir()] == ["kept_eth0.json"]
    node.call("CHECK", {**config, "prevResult": result}, kept).succeeded()
    node.call("DEL", config, kept).succeeded()
    assert node.remains(kept) == {}


@pytest.mark.parametrize("refused", [{"egressBurst": 8000}, {"ingressRate": -1}], ids=str)
def test_one_that_fails_takes_the_others_with_it(refused: dict[str, Any], node: Runtime, pod: Pod) -> None:
    config = network(node, "bridge")
    config |= {"runtimeConfig": {"bandwidth": {**LIMITS, **refused}}}
    assert node.call("ADD", config, pod).failed(7).partition("runtimeConfig.bandwidth.")[1]
    assert node.remains(pod) == {}
    assert list((node.root / "tuning").iterdir()) == []


@pytest.mark.parametrize("kind", ["firewall", "tuning", "sbr"])
@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_a_result_that_the_version_cannot_tell_is_refused_before_anything_is_done(
    kind: str, version: str, node: Runtime, pod: Pod
) -> None:
    data = node.root / "data"
    config = {"cniVersion": version, "name": "blue", "type": kind, "dataDir": str(data), "prevResult": {"dns": {}}}
    assert "no valid IP addresses" in node.ask("ADD", config, pod).failed(1)
    assert not data.exists()
