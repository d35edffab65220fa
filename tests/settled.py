"""What the kernel does in its own time, to be awaited before what it shows is compared with what it shows later."""

from __future__ import annotations

import time

from cni_multus.linux.addresses import list_addresses
from cni_multus.linux.links import list_links
from cni_multus.linux.netns import Namespace
from cni_multus.linux.routes import list_routes

PATIENCE = 30
LOCAL = 2
"""Of a route to the namespace's own address: the kernel's RTN_LOCAL."""


def await_local_routes(netns: str) -> None:
    """Until every IPv6 address that can be used leads to its link: the route comes a moment after the address."""
    deadline = time.monotonic() + PATIENCE
    with Namespace.open(netns) as namespace:
        while not _are_local(namespace):
            assert time.monotonic() < deadline, "an IPv6 address leads nowhere"
            time.sleep(0.005)


def _are_local(namespace: Namespace) -> bool:
    up = {link.index for link in list_links(namespace) if link.up}
    usable = {
        each.packed
        for each in list_addresses(namespace, family=6)
        if each.index in up and not (each.tentative or each.dadfailed)
    }
    return usable <= {route.dst for route in list_routes(namespace, family=6) if route.type == LOCAL}
