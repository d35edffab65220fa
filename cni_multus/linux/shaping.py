"""Rates of links: what goes out by one waits in a token bucket, what comes in is sent out by another one first (ifb).

What is ours is told by its numbers, a qdisc's handle and a filter's priority, so that nothing else is touched.
"""

from __future__ import annotations

import errno

from cni_multus.cni.errors import InvalidNetworkConfig, NetlinkFailure
from cni_multus.linux.links import add_child_link, change_message, find_link, link, remove_link, remove_links
from cni_multus.linux.traffic import (
    INCOMING,
    INGRESS,
    OUTGOING,
    ROOT,
    Limit,
    clsact_message,
    find_qdisc,
    list_filters,
    redirect_message,
    remove_filters_message,
    remove_qdisc_message,
    token_bucket_message,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.traffic import Qdisc
    from cni_multus.undo import Undo

__all__ = ["Limit"]

HANDLE = 0xB1D00000
PRIORITY = 0xB1D0
"""The reference's are 1: and 1. Filters of others come first: what they decide is not passed by."""

_FRAME_HEADER = 14
_OF_INCOMING = ("clsact", "ingress")
_GONE = (errno.ENOENT, errno.ENODEV, errno.EINVAL)
_TOLERANCE = 32  # ticks of 64 ns; the kernel rounds


def require_room(ns: Namespace, shaped: Link) -> None:
    """InvalidNetworkConfig where somebody else decides over what goes out by a link."""
    root = find_qdisc(ns, shaped.index, ROOT)
    # The kernel's own choice has no handle.
    if root is not None and root.handle and not _is_ours(root):
        raise InvalidNetworkConfig(
            f"{shaped.name} has a {root.kind} ({root.handle >> 16:x}:) of somebody else, which a limit would replace"
        )


def require_hook(ns: Namespace, shaped: Link) -> None:
    """InvalidNetworkConfig where what comes in by a link cannot be looked at because of somebody else."""
    hook = find_qdisc(ns, shaped.index, INGRESS)
    if hook is not None and hook.kind not in _OF_INCOMING:
        raise InvalidNetworkConfig(
            f"{shaped.name} has a {hook.kind} of somebody else where a limit takes what comes in"
        )


def require_packets(shaped: Link, limit: Limit, key: str) -> None:
    """InvalidNetworkConfig where a burst is smaller than a packet: none would ever pass."""
    least = shaped.mtu + _FRAME_HEADER
    if limit.burst < least:
        raise InvalidNetworkConfig(
            f"{key}: {limit.burst * 8} bits are less than a packet of {shaped.name}, {least * 8} bits: none would pass"
        )


def limit_outgoing(ns: Namespace, shaped: Link, limit: Limit, undo: Undo) -> None:
    """Let what goes out by a link wait; one that has waited already goes on with its counters."""
    before = find_qdisc(ns, shaped.index, ROOT)
    if before is not None and _is_ours(before):
        undo.callback(_send, ns, token_bucket_message(shaped.index, HANDLE, _limit_of(before)))
    else:
        undo.callback(_remove_qdisc, ns, shaped.index, ROOT)
    attempt = f"cannot limit what goes out by {shaped.name} to {limit.rate * 8} bit/s"
    ns.netlink.request(token_bucket_message(shaped.index, HANDLE, limit), attempt)


def limit_incoming(ns: Namespace, shaped: Link, via: Link, limit: Limit, undo: Undo) -> None:
    """Let what comes in by a link wait on the link `via`, an ifb."""
    limit_outgoing(ns, via, limit, undo)
    hook = find_qdisc(ns, shaped.index, INGRESS)
    if hook is None:
        ns.netlink.request(clsact_message(shaped.index), f"cannot look at what comes in by {shaped.name}")
        undo.callback(_remove_qdisc, ns, shaped.index, INGRESS)
    ours = _our_targets(ns, shaped.index)
    if via.index in ours:
        return
    if ours:
        _send(ns, remove_filters_message(shaped.index, PRIORITY))
    attempt = f"cannot send what comes in by {shaped.name} to {via.name}"
    ns.netlink.request(redirect_message(shaped.index, PRIORITY, via.index), attempt)
    undo.callback(_send, ns, remove_filters_message(shaped.index, PRIORITY))


def ensure_ifb(ns: Namespace, name: str, mtu: int, undo: Undo, *, alias: str, group: int = 0) -> Link:
    """The ifb of that name, made if it is missing, and up; it has no addresses."""
    from cni_multus.linux import sysctl  # no other verb needs it

    found = find_link(ns, name)
    if found is None:
        found = add_child_link(ns, "ifb", b"", parent=0, name=name, namespace=ns, mtu=mtu, group=group)
        undo.callback(remove_link, ns, found.index)
        sysctl.write(ns, f"net/ipv6/conf/{name}/disable_ipv6", "1", missing_ok=True)
    elif found.kind != "ifb":
        raise InvalidNetworkConfig(f"{name} in {ns} is a {found.kind or 'device'} of somebody else, not an ifb")
    ns.netlink.request(change_message(found.index, up=True, mtu=mtu, alias=alias), f"cannot bring {name} up")
    return link(ns, name)


def release(ns: Namespace, shaped: Link) -> None:
    """Take our limits from a link; what others put there stays."""
    root = find_qdisc(ns, shaped.index, ROOT)
    if root is not None and _is_ours(root):
        _remove_qdisc(ns, shaped.index, ROOT)
    hook = find_qdisc(ns, shaped.index, INGRESS)
    if hook is None or hook.kind not in _OF_INCOMING or not _our_targets(ns, shaped.index):
        return
    _send(ns, remove_filters_message(shaped.index, PRIORITY))
    if not list_filters(ns, shaped.index, INCOMING) and not list_filters(ns, shaped.index, OUTGOING):
        _remove_qdisc(ns, shaped.index, INGRESS)


def remove_ifbs(ns: Namespace, unwanted: Callable[[Link], bool]) -> None:
    """Remove the ifbs that are `unwanted`: all that can be, then the first failure is raised."""
    remove_links(ns, lambda each: each.kind == "ifb" and unwanted(each), "ifb")


def outgoing_differences(ns: Namespace, shaped: Link, limit: Limit) -> list[str]:
    """What of a limit on what goes out is not as it was set."""
    root = find_qdisc(ns, shaped.index, ROOT)
    if root is None or root.kind != "tbf":
        return [f"nothing limits what goes out by {shaped.name}"]
    if root.rate != limit.rate:
        return [f"what goes out by {shaped.name} is limited to {root.rate * 8} bit/s, not {limit.rate * 8}"]
    # A time that does not fit its field is shown without its upper bits.
    differs = abs(root.buffer - limit.ticks) > _TOLERANCE + limit.ticks // 1000 and limit.ticks >> 32 == 0
    if differs or root.limit != limit.backlog:
        return [f"the burst of {shaped.name} is not {limit.burst * 8} bits"]
    return []


def incoming_differences(ns: Namespace, shaped: Link, name: str, limit: Limit) -> list[str]:
    """What of a limit on what comes in, by way of the ifb `name`, is not as it was set."""
    via = find_link(ns, name)
    if via is None or via.kind != "ifb":
        return [f"the ifb {name} is gone"]
    wrong = outgoing_differences(ns, via, limit) if via.up else [f"the ifb {name} is down"]
    hook = find_qdisc(ns, shaped.index, INGRESS)
    if hook is None or all(each.target != via.index for each in list_filters(ns, shaped.index, INCOMING)):
        wrong.append(f"what comes in by {shaped.name} is not sent to {name}")
    return wrong


def _is_ours(root: Qdisc) -> bool:
    return root.kind == "tbf" and root.handle == HANDLE


def _limit_of(root: Qdisc) -> Limit:
    return Limit(root.rate, root.limit - root.rate // 40)


def _our_targets(ns: Namespace, index: int) -> list[int]:
    return [each.target for each in list_filters(ns, index, INCOMING) if each.priority == PRIORITY and each.target]


def _remove_qdisc(ns: Namespace, index: int, parent: int) -> None:
    _send(ns, remove_qdisc_message(index, parent))


def _send(ns: Namespace, message: bytes) -> None:
    try:
        ns.netlink.request(message, "cannot take a limit back")
    except NetlinkFailure as failure:
        if failure.errno not in _GONE:
            raise
