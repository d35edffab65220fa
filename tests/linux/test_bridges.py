"""Bridge ports: the settings that we write are those that the kernel has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.bridges import BR_STATE_FORWARDING, change_port, read_port
from cni_multus.linux.links import add_bridge, add_veth, change_link

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.netns import Namespace


@pytest.fixture
def port(host: Namespace, container: Namespace) -> int:
    """The index of a port whose other end is up."""
    bridge = add_bridge(host, "br0")
    made = add_veth(host, "veth1", master=bridge.index, peer="eth0", peer_namespace=container)
    change_link(container, made.parent, up=True)
    return made.index


def test_a_port_as_the_kernel_makes_it(host: Namespace, port: int) -> None:
    found = read_port(host, port)
    assert (found.hairpin, found.isolated, found.learning, found.unicast_flood) == (False, False, True, True)
    assert found.state == BR_STATE_FORWARDING


@pytest.mark.parametrize("on", [True, False])
def test_settings_change_alone(host: Namespace, port: int, on: bool, kernel: Callable[..., Any]) -> None:
    change_port(host, port, hairpin=not on, isolated=not on)
    change_port(host, port, isolated=on)
    found = read_port(host, port)
    assert (found.hairpin, found.isolated) == (not on, on)
    [seen] = kernel(host).get_links(port)
    info = seen.get("linkinfo").get_attr("IFLA_INFO_SLAVE_DATA")
    assert (info.get_attr("IFLA_BRPORT_MODE"), info.get_attr("IFLA_BRPORT_ISOLATED")) == (not on, on)


def test_learning_and_flooding(host: Namespace, port: int) -> None:
    change_port(host, port, learning=False, unicast_flood=False)
    found = read_port(host, port)
    assert (found.learning, found.unicast_flood) == (False, False)


def test_a_link_that_is_no_port(host: Namespace, container: Namespace, port: int) -> None:
    with pytest.raises(NetlinkFailure, match=r"^link eth0 in .*/container is not a port of a bridge$"):
        read_port(container, add_veth_index(container))
    with pytest.raises(NetlinkFailure, match=r"^cannot change port eth0: "):
        change_port(container, add_veth_index(container), hairpin=True, name="eth0")
    with pytest.raises(NetlinkFailure, match=r"^no link 999 in .*/host$"):
        read_port(host, 999)


def add_veth_index(container: Namespace) -> int:
    from cni_multus.linux.links import link

    return link(container, "eth0").index
