"""sbr behind the plugins that make the interface: every CHECK of the list succeeds, and packets find their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace
    from tests.node import Pod
    from tests.plugins.runtime import Runtime

V4, V6 = "10.2.0.0/24", "2001:db8:2::/64"


def listed(node: Runtime, kind: str, *subnets: str, sbr: bool = True, **keys: object) -> dict[str, Any]:
    """A network of two plugins, with an address of each subnet."""
    ipam: dict[str, Any] = {"type": "host-local", "ranges": [[{"subnet": subnet}] for subnet in subnets]}
    ipam |= {"dataDir": str(node.addresses), "routes": keys.pop("routes", [])}
    first = {"type": kind, "ipam": ipam, **keys}
    return {"name": "blue", "plugins": [first, {"type": "sbr", "dataDir": str(node.root / "sbr")}][: 1 + sbr]}


def bridge(node: Runtime, *subnets: str, **keys: Any) -> dict[str, Any]:
    return listed(node, "bridge", *subnets, bridge="br1", isGateway=True, **keys)


def macvlan(node: Runtime, *subnets: str, **keys: Any) -> dict[str, Any]:
    return listed(node, "macvlan", *subnets, master=UPLINK, **keys)


CHAINS = [pytest.param(bridge, id="bridge"), pytest.param(macvlan, id="macvlan")]
ROUTES = [
    [],
    [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
    [
        {"dst": "10.9.0.0/16", "gw": "10.2.0.9"},
        {"dst": "10.8.0.0/16", "table": 254},
        {"dst": "10.7.0.0/16", "table": 7},
    ],
]


@pytest.mark.parametrize("routes", ROUTES, ids=["no routes", "defaults", "others"])
@pytest.mark.parametrize("chain", CHAINS)
def test_every_check_of_the_list_succeeds(
    node: Runtime, pod: Pod, inside: Shown, chain: Any, routes: list[dict[str, Any]]
) -> None:
    """BUG of the reference: sbr fails the CHECK of whoever made the interface."""
    config = node.config(node.bridge(subnet="10.1.0.0/24"), chain(node, V4, V6, routes=routes))
    node.call("ADD", config, pod).succeeded()
    assert inside.routes()[0].startswith("default via 10.1.0.1 dev eth0")
    assert not [route for route in inside.routes() + inside.routes(6) if "net1" in route]
    assert "default via 10.2.0.1 dev net1" in inside.routes(4, "100")[0]
    assert "default via 2001:db8:2::1 dev net1" in "".join(inside.routes(6, "101"))
    node.call("CHECK", config, pod).succeeded()
    inside.run("ip rule del from 10.2.0.2")
    assert "the rule from 10.2.0.2 lookup 100" in node.call("CHECK", config, pod).failed(102)
    node.call("DEL", config, pod).succeeded()
    assert "lookup 10" not in inside.run("ip rule; ip -6 rule")
    assert node.remains(pod) == {}
    assert list((node.root / "sbr").iterdir()) == []


def test_two_networks_of_a_pod_have_tables_of_their_own(node: Runtime, pod: Pod, inside: Shown) -> None:
    second = {**macvlan(node, "10.3.0.0/24"), "name": "red"}
    config = node.config(node.bridge(), bridge(node, V4), second)
    node.call("ADD", config, pod).succeeded()
    rules = inside.run("ip rule")
    assert "from 10.2.0.2 lookup 100" in rules
    assert "from 10.3.0.2 lookup 101" in rules
    node.call("CHECK", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}


def test_a_list_that_fails_behind_sbr_leaves_nothing(node: Runtime, pod: Pod, inside: Shown) -> None:
    chain = bridge(node, V4)
    chain["plugins"].append(node.program("last", ADD={"status": 1}))
    config = node.config(node.bridge(), chain)
    node.call("ADD", config, pod).failed(101)
    assert "lookup 100" not in inside.run("ip rule")
    assert node.remains(pod) == {}
    assert list((node.root / "sbr").iterdir()) == []


@pytest.mark.parametrize("sbr", [True, False])
def test_replies_leave_by_the_gateway_of_the_address_they_come_from(
    node: Runtime, pod: Pod, netns: MakeNamespace, sbr: bool
) -> None:
    """The node drops what comes in by another way than it would answer to (rp_filter), as routers do."""
    far = netns("far")
    node.shown.run(f"ip link add far0 type veth peer name eth0 netns {far}")
    node.shown.run(
        "ip addr add 10.50.0.1/24 dev far0; ip addr add 2001:db8:50::1/64 dev far0 nodad; ip link set far0 up"
    )
    Shown(far).run("ip addr add 10.50.0.2/24 dev eth0; ip addr add 2001:db8:50::2/64 dev eth0 nodad")
    Shown(far).run(
        "ip link set eth0 up; ip route add default via 10.50.0.1; ip -6 route add default via 2001:db8:50::1"
    )
    node.shown.write("ipv4/conf/all/rp_filter", "1")
    config = node.config(node.bridge(), bridge(node, V4, V6, sbr=sbr))
    node.call("ADD", config, pod).succeeded()
    assert Shown(far).reaches("10.1.0.2")
    within = 30 if sbr else 1
    assert Shown(far).reaches("10.2.0.2", within=within) is sbr
    assert node.shown.reaches("10.2.0.2")
    assert node.shown.reaches("2001:db8:2::2")
    assert Shown(far).reaches("2001:db8:2::2", within=within) is sbr  # eth0 has no way for IPv6 at all


def test_a_link_local_neighbour_gets_its_answer(node: Runtime, pod: Pod, inside: Shown) -> None:
    """By the table's default route it would go to the gateway, which passes no such packet on."""
    node.call("ADD", node.config(node.bridge(), bridge(node, V6)), pod).succeeded()
    [source] = [
        address["local"]
        for link in node.shown.ip("addr show dev br1")
        for address in link["addr_info"]
        if address["local"].startswith("fe80")
    ]
    assert node.shown.reaches("2001:db8:2::2", f"-I {source}%br1")
    assert " via " not in inside.run("ip -6 route get fe80::77 from 2001:db8:2::2 oif net1")
