"""The link of the node that leads to an address, and whether packets from 127.0.0.1 may leave by it.

Numbers are those of the kernel's <linux/rtnetlink.h>.
"""

from __future__ import annotations

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux import sysctl
from cni_multus.linux.addresses import family_of, kernel_family
from cni_multus.linux.codec import attribute, message
from cni_multus.linux.links import find_link_by_index
from cni_multus.linux.routeinfo import RTA_DST, RTMSG, decode_route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

_RTM_GETROUTE = 26


def link_towards(ns: Namespace, packed: bytes) -> str:
    """The name of the link by which packets to an address leave; "" where none does."""
    body = RTMSG.pack(kernel_family(family_of(packed)), 8 * len(packed), 0, 0, 0, 0, 0, 0, 0) + attribute(
        RTA_DST, packed
    )
    try:
        answer = ns.netlink.request(message(_RTM_GETROUTE, 0, body), "cannot look up a route")
    except NetlinkFailure:  # unreachable, prohibited, blackhole
        return ""
    found = find_link_by_index(ns, decode_route(answer).index) if answer else None
    return found.name if found else ""


def routes_localnet(ns: Namespace, name: str) -> bool:
    """Whether packets from and to 127.0.0.0/8 may pass a link."""
    return any(sysctl.read(ns, _name(each)) == "1" for each in (name, "all"))


def route_localnet(ns: Namespace, name: str) -> None:
    """Let packets from and to 127.0.0.0/8 pass a link; somebody has to keep strangers' away from the node."""
    if not routes_localnet(ns, name):
        sysctl.write(ns, _name(name), "1")


def _name(link: str) -> str:
    return f"net/ipv4/conf/{link}/route_localnet"
