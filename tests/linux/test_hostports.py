"""The node's ends of veth pairs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.hostports import WAIT, await_running, find_port, remove_pair, remove_ports
from cni_multus.linux.links import add_bridge, add_veth, change_link, link, list_links

if TYPE_CHECKING:
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace


def a_pair(host: Namespace, container: Namespace, name: str = "veth1", peer: str = "eth0") -> tuple[Link, Link]:
    """A port of "cni0" and the container's end, which is down."""
    bridge = next((each for each in list_links(host) if each.name == "cni0"), None) or add_bridge(host, "cni0")
    port = add_veth(host, name, peer=peer, peer_namespace=container, master=bridge.index)
    return port, link(container, peer)


def names(ns: Namespace) -> set[str]:
    return {each.name for each in list_links(ns)} - {"lo"}


def test_a_port_is_found_from_the_other_end(host: Namespace, container: Namespace) -> None:
    port, inner = a_pair(host, container)
    found = find_port(host, inner)
    assert found is not None
    assert found.name == port.name


def test_a_link_that_has_the_index_by_chance_is_not_the_port(host: Namespace, container: Namespace) -> None:
    """The other end is in the container too; its index there is the bridge's on the node."""
    add_bridge(host, "cni0")
    add_veth(container, "eth0", peer="eth1", peer_namespace=container)
    for name in ("eth0", "eth1"):
        assert find_port(host, link(container, name)) is None


def test_a_port_is_awaited_until_its_other_end_is_up(host: Namespace, container: Namespace) -> None:
    port, inner = a_pair(host, container)
    assert not link(host, port.name).running
    rising = threading.Timer(0.2, change_link, (container, inner.index), {"up": True})
    rising.start()
    start = time.monotonic()
    await_running(host, port.name)
    assert time.monotonic() - start > 0.1
    assert link(host, port.name).running
    rising.join()


def test_a_port_that_does_not_come_up_is_told(host: Namespace, container: Namespace) -> None:
    port, _ = a_pair(host, container)
    start = time.monotonic()
    with pytest.raises(NetlinkFailure, match="port veth1 did not come up"):
        await_running(host, port.name)
    assert time.monotonic() - start >= WAIT


def test_a_port_that_goes_while_it_is_awaited_is_told(host: Namespace) -> None:
    with pytest.raises(NetlinkFailure, match="veth1"):
        await_running(host, "veth1")


def test_both_ends_go_together(host: Namespace, container: Namespace) -> None:
    _, inner = a_pair(host, container)
    remove_pair(host, container, inner)
    assert names(host) == {"cni0"}
    assert names(container) == set()


def test_a_pair_without_bridge_goes_too(host: Namespace, container: Namespace) -> None:
    port, inner = a_pair(host, container)
    change_link(host, port.index, master=0)
    remove_pair(host, container, inner)
    assert names(host) == {"cni0"}


def test_only_unwanted_ports_are_removed(host: Namespace, container: Namespace) -> None:
    for at in range(3):
        a_pair(host, container, f"veth{at}", f"eth{at}")
    remove_ports(host, lambda port: port.name in ("veth0", "veth2", "cni0"))
    assert names(host) == {"cni0", "veth1"}
    assert names(container) == {"eth1"}


def test_two_unwanted_ends_of_one_pair_are_removed_once(host: Namespace) -> None:
    add_veth(host, "veth1", peer="veth2", peer_namespace=host)
    remove_ports(host, lambda _: True)
    assert names(host) == set()
