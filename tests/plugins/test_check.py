"""CHECK finds every difference, names all of them at once, and is not put off by what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.node import UPLINK

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

OF_KIND: dict[str, dict[str, Any]] = {
    "bridge": {"bridge": "cni0", "isDefaultGateway": True, "mtu": 1450},
    "macvlan": {"master": UPLINK, "mtu": 1450},
}
ROUTES = [{"dst": "10.9.0.0/16", "gw": "10.1.2.1"}, {"dst": "0.0.0.0/0", "gw": "10.1.2.1"}]


class Attached:
    """An attachment and its result, ready to be changed by hand."""

    def __init__(self, node: Runtime, pod: Pod, kind: str, **more: object) -> None:
        self.node = node
        self.pod = pod
        self.config: dict[str, Any] = {"cniVersion": "1.1.0", "name": "blue", "type": kind, **OF_KIND[kind], **more}
        self.result = node.add(self.config, pod)
        self.port = self.result["interfaces"][1]["name"] if kind == "bridge" else ""

    def check(self) -> None:
        self.node.check(self.config, self.pod, self.result)

    def difference(self) -> str:
        return self.node.difference(self.config, self.pod, self.result)


@pytest.fixture(params=["bridge", "macvlan"])
def attached(request: pytest.FixtureRequest, node: Runtime, pod: Pod) -> Attached:
    """An L3 attachment of either kind, in which a first CHECK finds nothing."""
    found = Attached(node, pod, request.param, ipam=node.given("10.1.2.3/24", "2001:db8::3/64", routes=ROUTES))
    found.check()
    return found


@pytest.fixture
def bridged(node: Runtime, pod: Pod) -> Attached:
    found = Attached(node, pod, "bridge", ipam=node.given("10.1.2.3/24", "2001:db8::3/64", routes=ROUTES))
    found.check()
    return found


INSIDE = {
    "another MAC": (["ip link set eth0 address 02:00:00:00:00:42"], ["MAC is 02:00:00:00:00:42"]),
    "another MTU": (["ip link set eth0 mtu 1300"], ["MTU is 1300, not 1450"]),
    "down": (["ip link set eth0 down"], ["it is down", "route 10.9.0.0/16"]),
    "an address gone": (["ip addr del 10.1.2.3/24 dev eth0"], ["address 10.1.2.3/24 is not on eth0"]),
    "an IPv6 address gone": (["ip addr del 2001:db8::3/64 dev eth0"], ["address 2001:db8::3/64 is not on eth0"]),
    "a wrong prefix": (
        ["ip addr del 10.1.2.3/24 dev eth0", "ip addr add 10.1.2.3/16 dev eth0"],
        ["address 10.1.2.3/24 is not on eth0"],
    ),
    "a route gone": (["ip route del 10.9.0.0/16"], ["route 10.9.0.0/16 via 10.1.2.1 is missing"]),
    "the default route gone": (["ip route del default"], ["route 0.0.0.0/0 via 10.1.2.1 is missing"]),
    "another default route": (["ip route replace default via 10.1.2.9"], ["route 0.0.0.0/0 via 10.1.2.1 is missing"]),
    "gone": (["ip link del eth0"], ["eth0 is gone"]),
    "of another kind": (
        ["ip link del eth0", "ip link add eth0 mtu 1450 type bridge"],
        ["it is a bridge, not a", "address 10.1.2.3/24", "address 2001:db8::3/64", "it is down"],
    ),
    "several at once": (
        ["ip link set eth0 mtu 1300", "ip addr del 2001:db8::3/64 dev eth0", "ip route del default"],
        ["MTU is 1300", "address 2001:db8::3/64", "route 0.0.0.0/0"],
    ),
}


@pytest.mark.parametrize(("commands", "words"), INSIDE.values(), ids=list(INSIDE))
def test_what_is_changed_in_the_pod_is_found(
    commands: list[str], words: list[str], attached: Attached, inside: Shown
) -> None:
    for command in commands:
        inside.run(command)
    message = attached.difference()
    assert [word for word in words if word not in message] == []


def test_a_changed_mac_is_the_only_difference(bridged: Attached, inside: Shown) -> None:
    inside.run("ip link set eth0 address 02:00:00:00:00:42")
    mac = bridged.result["interfaces"][2]["mac"]
    assert bridged.difference() == f"eth0 is not as it was attached: its MAC is 02:00:00:00:00:42, not {mac}"


ON_THE_NODE = {
    "the gateway gone": (["ip addr del 10.1.2.1/24 dev cni0"], "gateway 10.1.2.1 is not on cni0"),
    "the IPv6 gateway gone": (["ip addr del 2001:db8::1/64 dev cni0"], "gateway 2001:db8::1 is not on cni0"),
    "the bridge down": (["ip link set cni0 down"], "bridge cni0 is down"),
    "the port down": (["ip link set {port} down"], "port {port} is down"),
    "the port on no bridge": (["ip link set {port} nomaster"], "its peer {port} is not a port of cni0"),
    "the port on another bridge": (
        ["ip link add br1 up type bridge", "ip link set {port} master br1"],
        "its peer {port} is not a port of cni0",
    ),
    "the bridge gone": (["ip link del cni0"], "there is no bridge cni0"),
    "something else in the bridge's place": (
        ["ip link del cni0", "ip link add cni0 type veth peer name other"],
        "there is no bridge cni0",
    ),
    "hairpin mode": (["bridge link set dev {port} hairpin on"], "port {port} has hairpinMode on"),
    "isolation": (["bridge link set dev {port} isolated on"], "port {port} has portIsolation on"),
    "no forwarding": (["echo 0 > /proc/sys/net/ipv4/ip_forward"], "the node does not forward IPv4 packets"),
}


@pytest.mark.parametrize(("commands", "words"), ON_THE_NODE.values(), ids=list(ON_THE_NODE))
def test_what_is_changed_on_the_node_is_found(
    commands: list[str], words: str, bridged: Attached, node: Runtime
) -> None:
    for command in commands:
        node.shown.run(command.format(port=bridged.port))
    assert words.format(port=bridged.port) in bridged.difference()


def test_a_peer_that_is_elsewhere_is_found(bridged: Attached, node: Runtime, inside: Shown) -> None:
    node.shown.run(f"ip link set {bridged.port} netns {inside.netns}")
    assert "its peer on the node is gone" in bridged.difference()


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("hairpinMode", "bridge link set dev {port} hairpin off"),
        ("portIsolation", "bridge link set dev {port} isolated off"),
        ("promiscMode", "ip link set cni0 promisc off"),
    ],
)
def test_what_was_asked_for_and_switched_off_is_found(key: str, command: str, node: Runtime, pod: Pod) -> None:
    attached = Attached(node, pod, "bridge", **{key: True})
    attached.check()
    node.shown.run(command.format(port=attached.port))
    assert key in attached.difference()


def test_another_mode_of_a_macvlan_is_found(node: Runtime, pod: Pod, inside: Shown) -> None:
    attached = Attached(node, pod, "macvlan")
    inside.run("ip link set eth0 type macvlan mode private")
    assert "its mode is private, not bridge" in attached.difference()


def test_another_master_of_a_macvlan_is_found(node: Runtime, pod: Pod) -> None:
    attached = Attached(node, pod, "macvlan")
    attached.config["master"] = "up1"
    assert "its master is link" in attached.difference()
    attached.config["master"] = "nowhere"
    assert "nowhere" in attached.difference()


def test_a_macvlan_does_not_follow_the_default_route(node: Runtime, pod: Pod) -> None:
    """Its master was the default route's link when it was made; that the route has moved since is no difference."""
    node.shown.run(f"ip route add default dev {UPLINK}")
    attached = Attached(node, pod, "macvlan", master="")
    attached.check()
    node.shown.run("ip route del default")
    attached.check()
    node.shown.run("ip route add default dev up1")
    attached.check()


def test_a_bridge_without_ipam_passes(node: Runtime, pod: Pod) -> None:
    """BUG of the reference: IPAM is asked although there is none."""
    Attached(node, pod, "bridge", isDefaultGateway=False).check()


def test_somebody_who_listens_is_no_difference(bridged: Attached, node: Runtime) -> None:
    """BUG of the reference: what makes the bridge promiscuous for a while fails its CHECK."""
    node.shown.run("ip link add mv0 link cni0 up type macvlan mode passthru")
    assert node.shown.link("cni0")["promiscuity"] > 0
    bridged.check()


def test_routes_that_were_moved_to_another_table_are_no_difference(attached: Attached, inside: Shown) -> None:
    """BUG of the reference: what sbr does fails the CHECK of whoever made the interface."""
    for route in inside.routes():
        inside.run(f"ip route del {route}")
        inside.run(f"ip route add {route} table 100")
    attached.check()


@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
def test_an_address_without_a_network_is_no_difference(kind: str, node: Runtime, pod: Pod) -> None:
    """BUG of the reference: it looks for the network's route, and there is none."""
    ipam = node.given("10.1.2.3/32", gateway="169.254.1.1", routes=[{"dst": "0.0.0.0/0"}])
    Attached(node, pod, kind, ipam=ipam, isDefaultGateway=False).check()


def test_addresses_and_routes_beyond_ours_are_no_difference(attached: Attached, inside: Shown) -> None:
    inside.run("ip addr add 10.77.0.3/24 dev eth0")
    inside.run("ip addr add 2001:db8:77::3/64 dev eth0")
    inside.run("ip route add 10.78.0.0/16 via 10.1.2.9")
    attached.check()


def test_the_bridges_mac_is_no_matter(bridged: Attached, node: Runtime) -> None:
    node.shown.run("ip link set cni0 address 02:00:00:00:00:42")
    bridged.check()


def test_addresses_of_another_interface_are_no_matter(attached: Attached, inside: Shown) -> None:
    """A later plugin of the list may have added both."""
    inside.run("ip link add link1 up type veth peer name knil")
    inside.run("ip addr add 10.50.0.1/24 dev link1")
    inside.run("ip route add 10.60.0.0/16 via 10.50.0.9")
    result = attached.result
    sandbox = {"name": "link1", "sandbox": attached.pod.netns}
    at = len(result["interfaces"])
    attached.result = {
        **result,
        "interfaces": [*result["interfaces"], sandbox],
        "ips": [*result["ips"], {"address": "10.50.0.1/24", "interface": at}],
        "routes": [*result["routes"], {"dst": "10.60.0.0/16", "gw": "10.50.0.9"}],
    }
    attached.check()


def test_ipam_is_asked_once_the_kernel_is_as_it_should_be(attached: Attached, node: Runtime, inside: Shown) -> None:
    broken = {"status": 1, "stdout": '{"code": 42, "msg": "not reserved"}'}
    node.program("given", node.runtime_path, CHECK=broken)
    assert node.ask("CHECK", attached.config, attached.pod, attached.result).failed(42) == "not reserved"
    inside.run("ip link set eth0 mtu 1300")
    assert "MTU" in attached.difference()


def test_host_local_tells_that_the_reservation_is_gone(node: Runtime, pod: Pod) -> None:
    ipam = {"type": "host-local", "subnet": "10.1.2.0/24", "dataDir": str(node.addresses)}
    attached = Attached(node, pod, "bridge", ipam=ipam)
    attached.check()
    (node.addresses / "blue" / "10.1.2.2").unlink()
    assert "10.1.2.2" in attached.difference()


def test_static_agrees_with_the_gateway_that_the_bridge_found(node: Runtime, pod: Pod) -> None:
    ipam = {"type": "static", "addresses": [{"address": "10.1.2.3/24"}], "dataDir": str(node.addresses)}
    Attached(node, pod, "bridge", ipam=ipam).check()


@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
def test_without_an_earlier_result_there_is_nothing_to_compare(kind: str, node: Runtime, pod: Pod) -> None:
    attached = Attached(node, pod, kind, isDefaultGateway=False)
    assert node.ask("CHECK", attached.config, pod).failed(7).startswith("prevResult: ")


def test_an_interface_that_the_result_does_not_name_is_told(attached: Attached, node: Runtime) -> None:
    message = node.ask("CHECK", attached.config, attached.pod, attached.result, CNI_IFNAME="net7").failed(102)
    assert "net7" in message


def test_a_namespace_that_is_gone_is_told(attached: Attached, node: Runtime) -> None:
    told = {**attached.result, "interfaces": [{**each} for each in attached.result["interfaces"]]}
    told["interfaces"][-1]["sandbox"] = "/nowhere/to/be/found"
    node.ask("CHECK", attached.config, attached.pod, told, CNI_NETNS="/nowhere/to/be/found").failed(8)
