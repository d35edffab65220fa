"""What router advertisements gave a link while they were still accepted: IPv6 addresses and routes, to be removed.

Numbers are those of the kernel's <linux/rtnetlink.h>.
"""

from __future__ import annotations

import errno

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import AF_INET6, list_addresses, remove_address_message
from cni_multus.linux.codec import attribute, dump_request, parse_attributes, signed, u32
from cni_multus.linux.routeinfo import RTA_OIF, RTMSG, decode_route
from cni_multus.linux.routes import RTM_GETROUTE, RTM_NEWROUTE, remove_route_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.routeinfo import Route

_RTPROT_RA = 9
_RTA_CACHEINFO = 12
_EXPIRES = slice(8, 12)


def forget_addresses(ns: Namespace, index: int) -> None:
    """Remove the addresses that a link made itself from a router's prefixes."""
    for address in list_addresses(ns, index, family=6):
        if not address.permanent:
            message = remove_address_message(index, address.packed, address.prefix)
            _remove(ns, message, f"cannot remove the autoconfigured address {address}")


def forget_routes(ns: Namespace, index: int) -> None:
    """Remove the routes by a link that a router advertised: its default route, and prefixes that expire."""
    body = RTMSG.pack(AF_INET6, 0, 0, 0, 0, 0, 0, 0, 0) + attribute(RTA_OIF, u32(index))
    for kind, answer in ns.netlink.dump(dump_request(RTM_GETROUTE, body), f"cannot list routes of {ns}"):
        if kind != RTM_NEWROUTE or answer[:1] != AF_INET6.to_bytes(1, "little"):
            continue
        route = decode_route(answer)
        if route.leaves_by(index) and (route.protocol == _RTPROT_RA or _expires(answer)):
            _remove(ns, _message(route, index), f"cannot remove the advertised route {route}")


def _message(route: Route, index: int) -> bytes:
    return remove_route_message(
        index, 6, route.dst, route.prefix, route.gateway, table=route.table, priority=route.priority
    )


def _expires(answer: bytes) -> bool:
    information = parse_attributes(answer[RTMSG.size :]).get(_RTA_CACHEINFO, b"")
    return len(information) >= _EXPIRES.stop and signed(information[_EXPIRES]) != 0


def _remove(ns: Namespace, message: bytes, attempt: str) -> None:
    try:
        ns.netlink.request(message, attempt)
    except NetlinkFailure as failure:
        if failure.errno not in (errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL):
            raise
