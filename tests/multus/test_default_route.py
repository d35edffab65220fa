"""A default route that was led elsewhere, among real attachments: CHECK agrees, the status says it, DEL removes all."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.addressing import Ip
from cni_multus.cni.conversation import hold
from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.cni.result import Result
from cni_multus.defaultroute import Wanted, move
from cni_multus.linux.netns import Namespace, setns
from cni_multus.multus.seen import Seen
from cni_multus.multus.status import entries
from cni_multus.multus.verbs import Multus
from cni_multus.state.journal import Journal
from tests.plugins.shown import Shown
from tests.stepping import calls, killed_before
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

DEFAULTS = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
LAST = 300
"""System calls of an ADD: the default route and the journal are among them."""

V4, V6 = Ip.parse("10.2.0.1"), Ip.parse("fd02::1")


def dual(node: Node, v4: str, v6: str, **more: object) -> dict[str, Any]:
    ranges = [[{"subnet": v4}], [{"subnet": v6}]]
    return {"ipam": {"type": "host-local", "dataDir": str(node.addresses), "ranges": ranges, **more}}


def networks(node: Node) -> dict[str, Any]:
    """A bridge as primary, and two macvlans of which each would be the default route by itself."""
    return node.config(
        {**node.bridge(), **dual(node, "10.1.0.0/24", "fd01::/64")},
        {**node.macvlan("red"), **dual(node, "10.2.0.0/24", "fd02::/64", routes=DEFAULTS)},
        {**node.macvlan("blue"), **dual(node, "10.3.0.0/24", "fd03::/64", routes=DEFAULTS)},
    )


def lead(node: Node, pod: Pod, wanted: list[Wanted]) -> None:
    """What the meta-plugin does when all networks are attached."""
    record = node.record(pod)
    results = [(one.ifname, one.result or Result()) for one in record.attachments]
    with Namespace.open(pod.netns) as container:
        move(container, wanted, results)
        seen = Seen.look(container)
    for at, one in enumerate(record.attachments):
        one.status = entries(f"blue/{at}", one.result or Result(), one.ifname, primary=at == 0, seen=seen)
    Journal(str(node.cni_dir)).write(record)


@pytest.mark.parametrize(
    "wanted",
    [
        [Wanted("net1", (V4,))],
        [Wanted("net1", (V6,))],
        [Wanted("net1", (V4, V6))],
        [Wanted("eth0", (Ip.parse("10.1.0.9"),)), Wanted("net2", (Ip.parse("fd03::9"),))],
    ],
    ids=["IPv4", "IPv6", "both", "each elsewhere"],
)
def test_check_and_status_agree_with_the_kernel(node: Node, pod: Pod, wanted: list[Wanted]) -> None:
    config, shown = networks(node), Shown(pod.netns)
    node.call("ADD", config, pod).succeeded()
    before = {family: defaults(shown, family) for family in (4, 6)}
    assert all(len(routes) == 3 for routes in before.values())
    lead(node, pod, wanted)
    asked = {gateway.family: (one.ifname, str(gateway)) for one in wanted for gateway in one.gateways}
    for family, routes in before.items():
        assert defaults(shown, family) == ([asked[family]] if family in asked else routes)
    node.call("CHECK", config, pod).succeeded()
    for one in node.record(pod).attachments:
        [entry] = one.status
        gateways = [gateway for family in (4, 6) for device, gateway in defaults(shown, family) if device == one.ifname]
        assert entry.get("gateway", []) == gateways
    node.call("DEL", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}


def test_check_finds_that_it_is_led_away_again(node: Node, pod: Pod) -> None:
    config = networks(node)
    node.call("ADD", config, pod).succeeded()
    lead(node, pod, [Wanted("net1", (V4,))])
    Shown(pod.netns).run("ip route replace default via 10.1.0.1 dev eth0")
    assert "network red: net1 is not as it was attached: route 0.0.0.0/0 via 10.2.0.1" in (
        node.call("CHECK", config, pod).failed(102)
    )


def test_a_failure_leaves_attachments_that_are_in_order(node: Node, pod: Pod) -> None:
    config, shown = networks(node), Shown(pod.netns)
    node.call("ADD", config, pod).succeeded()
    before = shown.everything()
    with pytest.raises(InvalidNetworkConfig, match=r"10\.9\.0\.1 is in no subnet of net1 \(10\.2\.0\.2/24\)"):
        lead(node, pod, [Wanted("net1", (V6, Ip.parse("10.9.0.1")))])
    assert shown.everything() == before
    node.call("CHECK", config, pod).succeeded()


def test_del_removes_what_was_led_half_way(node: Node, pod: Pod) -> None:
    """Killed between the kernel and the journal, which still says what ADD made."""
    config = networks(node)
    node.call("ADD", config, pod).succeeded()
    with Namespace.open(pod.netns) as container:
        move(container, [Wanted("net1", (V4, V6))], [])
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}
    node.call("ADD", config, pod).succeeded()
    assert [device for device, _ in defaults(Shown(pod.netns), 4)] == ["eth0", "net1", "net2"]


def test_an_interface_whose_routes_are_in_a_table_of_its_own_can_have_it(node: Node, pod: Pod) -> None:
    chain = {
        "cniVersion": "1.0.0",
        "name": "ruled",
        "plugins": [
            {"type": "macvlan", "master": "up0", **dual(node, "10.2.0.0/24", "fd02::/64", routes=DEFAULTS)},
            {"type": "sbr", "dataDir": str(node.root / "routing")},
        ],
    }
    config, shown = node.config(node.bridge(), chain), Shown(pod.netns)
    node.call("ADD", config, pod).succeeded()
    lead(node, pod, [Wanted("net1", (V4, V6))])
    assert (defaults(shown, 4), defaults(shown, 6)) == ([("net1", str(V4))], [("net1", str(V6))])
    assert shown.routes(4, "100")[0].startswith("default via 10.2.0.1 dev net1")
    node.call("CHECK", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}


@pytest.mark.parametrize("address", ["10.2.0.5/24", "10.2.0.5/32"])
def test_a_gateway_at_the_other_end_of_a_pair_can_have_it(node: Node, pod: Pod, address: str) -> None:
    """The plugin leads to its subnet by the gateway, and to the gateway by the link."""
    ipam = {
        "type": "static",
        "addresses": [{"address": address, "gateway": "10.2.0.1"}],
        "routes": DEFAULTS[:1],
        "dataDir": str(node.addresses),
    }
    config, shown = node.config(node.bridge(), {"name": "pair", "type": "ptp", "ipam": ipam}), Shown(pod.netns)
    node.call("ADD", config, pod).succeeded()
    lead(node, pod, [Wanted("net1", (V4,))])
    assert defaults(shown, 4) == [("net1", "10.2.0.1")]
    assert shown.reaches("10.2.0.1")
    node.call("CHECK", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}


def test_the_go_plugins_agree_too(node: Node, pod: Pod) -> None:
    for name in ("bridge", "macvlan", "host-local"):
        (node.bin_dir / (name if name == "host-local" else f"go-{name}")).symlink_to(reference_plugins() / name)
    config, shown = networks(node), Shown(pod.netns)
    for delegate in config["delegates"]:
        delegate.update(cniVersion="1.0.0", type=f"go-{delegate['type']}")
    node.call("ADD", config, pod).succeeded()
    lead(node, pod, [Wanted("net1", (V4, V6))])
    assert (defaults(shown, 4), defaults(shown, 6)) == ([("net1", str(V4))], [("net1", str(V6))])
    node.call("CHECK", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}


class Asking:
    """Pods whose annotation asks for the networks red and blue, which are defined in files of the node."""

    def __init__(self, node: Node, directory: Path) -> None:
        self.node = node
        self.directory = directory
        directory.mkdir()
        for delegate in networks(node)["delegates"][1:]:
            metadata = {"namespace": "blue", "name": delegate["name"]}
            spec = {"config": json.dumps({"cniVersion": "1.0.0", **delegate})}
            definition = {"kind": "NetworkAttachmentDefinition", "metadata": metadata, "spec": spec}
            (directory / f"{delegate['name']}.json").write_text(json.dumps(definition))

    def config(self, *networks: dict[str, object]) -> dict[str, Any]:
        annotations = {"k8s.v1.cni.cncf.io/networks": json.dumps(networks)}
        return self.node.config(
            {**self.node.bridge(), **dual(self.node, "10.1.0.0/24", "fd01::/64")},
            nadDir=str(self.directory),
            runtimeConfig={"io.kubernetes.cri.pod-annotations": annotations},
        )


@pytest.fixture
def asking(node: Node, tmp_path: Path) -> Asking:
    return Asking(node, tmp_path / "nads")


def test_a_pod_has_the_default_route_that_it_asks_for(node: Node, pod: Pod, asking: Asking) -> None:
    config = asking.config(
        {"name": "red", "default-route": ["10.2.0.1"]}, {"name": "blue", "default-route": ["fd03::1"]}
    )
    shown = Shown(pod.netns)
    result = node.call("ADD", config, pod).succeeded().document
    assert (defaults(shown, 4), defaults(shown, 6)) == ([("net1", "10.2.0.1")], [("net2", "fd03::1")])
    assert not [route for route in result.get("routes", []) if route["dst"] in ("0.0.0.0/0", "::/0")]
    told = [(entry["interface"], entry.get("gateway")) for one in node.record(pod).attachments for entry in one.status]
    assert told == [("eth0", None), ("net1", ["10.2.0.1"]), ("net2", ["fd03::1"])]
    node.call("CHECK", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}


def test_an_add_that_is_killed_meanwhile_is_cleared_away(node: Node, pod: Pod, asking: Asking, host: Namespace) -> None:
    """From the last attachment to the journal; the runtime comes with a DEL, or with the next ADD at once."""
    config = asking.config({"name": "red", "default-route": ["10.2.0.1", "fd02::1"]})
    environment = pod.environment("ADD", str(node.runtime_path))

    def work() -> None:
        setns(host.fd)
        assert hold(Multus, environment, BytesIO(json.dumps(config).encode()), BytesIO(), BytesIO()) == 0

    node.call("ADD", config, pod).succeeded()  # with all its imports
    node.call("DEL", config, pod).succeeded()
    total = calls(work)
    node.call("DEL", config, pod).succeeded()
    half_way = 0
    for number in range(total - LAST, total, 7):
        assert killed_before(work, number)
        half_way += [device for device, _ in defaults(Shown(pod.netns), 4)][:1] == ["net1"]
        if number % 2 and not (node.records() and node.record(pod).complete):
            node.call("ADD", config, pod).succeeded()
            assert defaults(Shown(pod.netns), 4) == [("net1", "10.2.0.1")]
        node.call("DEL", config, pod).succeeded()
        assert node.remains(pod) == {}
    assert half_way > 3


@pytest.mark.parametrize(
    ("networks", "code", "told"),
    [
        ([{"name": "red", "default-route": ["10.3.0.1"]}], 7, "10.3.0.1 is in no subnet of net1 (10.2.0.2/24)"),
        ([{"name": "red", "default-route": ["10.2.0.1", "2001:db8::1"]}], 7, "2001:db8::1 is in no subnet of net1"),
        ([{"name": "red", "default-route": ["10.2.0.2"]}], 7, "that is its own address"),
        (
            [{"name": "red", "default-route": ["10.2.0.1"]}, {"name": "blue", "default-route": ["10.3.0.1"]}],
            7,
            "several gateways are asked for (10.2.0.1 by net1, 10.3.0.1 by net2)",
        ),
    ],
    ids=["another's", "one of two", "its own", "two of a family"],
)
def test_a_default_route_that_cannot_be_leaves_nothing_attached(
    node: Node, pod: Pod, asking: Asking, networks: list[dict[str, object]], code: int, told: str
) -> None:
    config = asking.config(*networks)
    assert told in node.call("ADD", config, pod).failed(code)
    assert node.remains(pod) == {}
    node.call("DEL", config, pod).succeeded()


def defaults(shown: Shown, family: int) -> list[tuple[str, str]]:
    """Device and gateway of the main table's default routes."""
    return [(route["dev"], route["gateway"]) for route in shown.ip(f"-{family} route show table main default")]
