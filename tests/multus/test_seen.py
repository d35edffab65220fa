"""What is read of a pod's interfaces, on real links of every sort, and how little it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.linux.links import add_veth
from cni_multus.linux.netns import Namespace
from cni_multus.multus.seen import Seen, SeenInterface
from tests.node import settle
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace


@pytest.fixture
def pod(host: Namespace, container: Namespace) -> Shown:
    """A pod with two interfaces that are up."""
    shown = Shown(container.path)
    for name in ("eth0", "net1"):
        add_veth(host, f"of-{name}", peer=name, peer_namespace=container)
        Shown(host.path).run(f"ip link set of-{name} up")
        shown.run(f"ip link set {name} up")
    settle(container)
    return shown


def seen(container: Namespace, name: str) -> SeenInterface:
    found = Seen.look(container).find(name)
    assert found is not None
    return found


def test_a_link_is_as_the_kernel_has_it(pod: Shown, container: Namespace) -> None:
    pod.run("ip link set net1 mtu 1234 address 02:00:00:00:00:07")
    net1 = seen(container, "net1")
    assert (net1.mac, net1.mtu) == ("02:00:00:00:00:07", 1234)
    assert Seen.look(container).find("net2") is None


def test_addresses_that_others_reach_are_told_from_those_of_the_link(pod: Shown, container: Namespace) -> None:
    pod.run("ip addr add 10.2.0.2/24 dev net1; ip addr add 10.2.0.9/32 dev net1; ip addr add fd02::2/64 dev net1 nodad")
    pod.run("ip addr add 169.254.7.7/16 dev net1; ip addr add 10.8.0.3/24 dev net1 scope link")
    net1 = seen(container, "net1")
    assert {str(ip) for ip in net1.reachable} == {"10.2.0.2", "10.2.0.9", "fd02::2"}
    assert {str(ip) for ip in net1.ips if ip.family == 4} == {"10.2.0.2", "10.2.0.9", "10.8.0.3", "169.254.7.7"}
    assert any(str(ip).startswith("fe80::") for ip in net1.ips)
    assert seen(container, "eth0").reachable == []


def test_gateways_are_those_of_the_main_tables_default_routes(pod: Shown, container: Namespace) -> None:
    pod.run("ip addr add 10.1.0.2/24 dev eth0; ip addr add 10.2.0.2/24 dev net1; ip addr add fd02::2/64 dev net1 nodad")
    pod.run(
        "ip route add default via 10.1.0.1 metric 9; ip route add default nexthop via 10.2.0.1 nexthop via 10.1.0.3"
    )
    pod.run("ip -6 route add default via fe80::1 dev net1; ip -6 route add default dev eth0 metric 7")
    pod.run("ip route add default via 10.2.0.7 table 100; ip route add 0.0.0.0/1 via 10.2.0.8")
    pod.run("ip route add blackhole default metric 50; ip -6 route add default from fd02::2 via fd02::7")
    assert seen(container, "eth0").gateways == ["10.1.0.3", "10.1.0.1"]
    assert seen(container, "net1").gateways == ["10.2.0.1", "fe80::1"]


def test_a_namespace_may_be_empty(container: Namespace) -> None:
    assert seen(container, "lo").ips == []


def test_a_sandbox_is_the_namespace_by_whatever_path(
    pod: Shown, host: Namespace, container: Namespace, netns: MakeNamespace
) -> None:
    looked = Seen.look(container)
    assert looked.find("net1", container.path) is not None
    assert looked.find("net1", f"/proc/self/fd/{container.fd}") is not None
    assert looked.find("net1", "/run/netns/known-to-a-container-only") is not None
    assert looked.find("net1", "not\0a path") is not None
    assert looked.find("net1", host.path) is None


def test_three_questions_are_all_that_is_asked(pod: Shown, container: Namespace) -> None:
    before = container.netlink._sequence
    Seen.look(container)
    assert container.netlink._sequence - before == 3
