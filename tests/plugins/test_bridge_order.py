"""bridge: a port is what it is meant to be before a frame can pass it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pyroute2 import IPRoute

from cni_multus.bridging import spoofing
from cni_multus.bridging.ports import PortSettings, add_port
from cni_multus.cni.config import Section
from cni_multus.cni.request import Attachment, Request
from cni_multus.linux.links import add_bridge, find_link
from cni_multus.linux.netns import Namespace
from cni_multus.undo import Undo
from tests.conftest import entered
from tests.plugins.configs import bridge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.linux.links import Link
    from tests.node import Pod
    from tests.plugins.runtime import Runtime

AF_BRIDGE = 7
IFF_UP = 1
LINK_CHANGES = 1


@pytest.fixture
def monitor(node: Runtime) -> Iterator[IPRoute]:
    """What the kernel tells of the node's links, in its order."""
    with entered(node.host.path), IPRoute() as listening:
        listening.bind(groups=LINK_CHANGES)
        yield listening


def told_of(monitor: IPRoute, port: str) -> list[Any]:
    """What was told of a port until it was up."""
    found = []
    while True:
        for message in monitor.get():
            if message.get_attr("IFLA_IFNAME") != port:
                continue
            found.append(message)
            if message["family"] != AF_BRIDGE and message["flags"] & IFF_UP:
                return found


def test_a_port_is_isolated_before_it_is_up(node: Runtime, pod: Pod, monitor: IPRoute) -> None:
    """BUG of the reference: it brings the port up, makes it one of the bridge, and isolates it then."""
    port = node.add(bridge(portIsolation=True), pod)["interfaces"][1]["name"]
    last = told_of(monitor, port)[-1]
    assert last.get("linkinfo").get_attr("IFLA_INFO_SLAVE_DATA").get_attr("IFLA_BRPORT_ISOLATED") == 1


@pytest.mark.vm
def test_a_port_is_in_its_vlan_before_it_is_up(node: Runtime, pod: Pod, monitor: IPRoute) -> None:
    """BUG of the reference: for a while a port is in the bridge's own VLAN, where everybody meets."""
    port = node.add(bridge(vlan=100), pod)["interfaces"][1]["name"]
    told = [message for message in told_of(monitor, port) if message["family"] == AF_BRIDGE]
    infos = [info for _, info in told[-1].get("af_spec")["attrs"]]
    assert [info["vid"] for info in infos if isinstance(info, dict)] == [100]


def test_the_check_of_its_mac_stands_before_a_port_is_up(host: Namespace, container: Namespace) -> None:
    """BUG of the reference: a port is up, and one of the bridge, before frames are checked."""
    seen = []

    def guard(node: Namespace, attachment: Attachment, port: Link, mac: str, undo: Undo) -> None:
        spoofing.guard(node, attachment, port, mac, undo)
        now = find_link(node, port.name)
        assert now is not None
        seen.append((now.up, now.master, mac))

    config = Section(bridge())
    request = Request("ADD", config, {}, container_id="c1", netns=container.path, ifname="eth0")
    made = add_bridge(host, "cni0")
    with Undo() as undo:
        mac = "02:00:00:00:00:07"
        port, _ = add_port(request, PortSettings.parse(config), host, container, made, mac, undo, guard)
        undo.keep()
    assert port.master == made.index
    assert seen == [(False, made.index, "02:00:00:00:00:07")]
    now = find_link(host, port.name)
    assert now is not None
    assert now.up
