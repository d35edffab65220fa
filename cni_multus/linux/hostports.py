"""The node's ends of the containers' veth pairs: found, awaited, and removed with what the node learnt by them."""

from __future__ import annotations

import time

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import list_addresses
from cni_multus.linux.links import find_link_by_index, link, list_links, remove_link, remove_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace

WAIT = 3.0
"""Seconds that a port may take to forward: the kernel's own work takes 1 ms, a busy node's a second."""


def find_port(host: Namespace, inner: Link) -> Link | None:
    """The node's end of the pair whose container's end is `inner`, if it is on the node."""
    port = find_link_by_index(host, inner.parent)
    # An index counts in its own namespace: the peer may be elsewhere.
    return port if port is not None and port.kind == "veth" and port.parent == inner.index else None


def await_running(host: Namespace, name: str) -> None:
    """Return once frames pass; NetlinkFailure after WAIT seconds."""
    deadline = time.monotonic() + WAIT
    pause = 0.0002
    while not link(host, name).running:
        if time.monotonic() > deadline:
            raise NetlinkFailure(f"port {name} did not come up within {WAIT:g} s")
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def remove_pair(host: Namespace, container: Namespace, inner: Link) -> None:
    """Remove both ends; the node forgets the MAC of whoever had the addresses."""
    from cni_multus.linux.neighbours import flush

    addresses = [address.packed for address in list_addresses(container, inner.index)]
    port = find_port(host, inner)
    remove_link(container, inner.index)
    if port is not None and port.master:
        for index in _where_known(host, port.master):
            flush(host, index, addresses)


def _where_known(host: Namespace, bridge: int) -> list[int]:
    """The links by which the node may know a port's neighbours: the bridge, and the gateways of its VLANs."""
    found = find_link_by_index(host, bridge)
    if found is None or not found.data.get("vlan_filtering"):
        return [bridge]
    return [bridge, *(each.index for each in list_links(host) if each.name.startswith(f"{found.name}."))]


def remove_ports(host: Namespace, unwanted: Callable[[Link], bool]) -> None:
    """Remove the pairs whose node's end is `unwanted`: all that can be, then the first failure is raised."""
    remove_links(host, lambda port: port.kind == "veth" and unwanted(port))
