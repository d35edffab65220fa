"""The node's routes to single addresses, each by the link of the one container that has it."""

from __future__ import annotations

import errno

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import family_of
from cni_multus.linux.routes import Route, list_routes, route_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

_DEFAULT_METRICS = (0, 1024)
"""What the kernel makes of none: IPv4's and IPv6's."""


def route_to(packed: bytes) -> Route:
    """The route to one address, by whatever link."""
    return Route(family_of(packed), packed, 8 * len(packed))


def lead_to(host: Namespace, port: Link, packed: bytes, undo: Undo) -> None:
    """Add the route to an address; whoever had the address has lost it then, unless it is taken back."""
    route = route_to(packed)
    attempt = f"cannot add route {route} on {port.name}"
    try:
        host.netlink.request(route_message(route, port.index, exclusive=True), attempt)
    except NetlinkFailure as failure:
        if failure.errno != errno.EEXIST:
            raise
        # What an address was reused for before its old owner was detached must not get the new one's packets.
        for older in _rivals(host, route):
            undo.callback(_lead_back, host, older)
        host.netlink.request(route_message(route, port.index, replace=True), attempt)


def _rivals(host: Namespace, route: Route) -> list[Route]:
    return [
        other
        for other in list_routes(host, family=route.family, table=route.table)
        if (other.dst, other.prefix) == (route.dst, route.prefix) and other.priority in _DEFAULT_METRICS
    ]


def _lead_back(host: Namespace, older: Route) -> None:
    try:
        host.netlink.request(route_message(older, older.index, replace=True), f"cannot put back route {older}")
    except NetlinkFailure as failure:
        if failure.errno not in (errno.ENODEV, errno.ENETDOWN):
            raise
