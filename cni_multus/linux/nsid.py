"""Numbers that a namespace has for others: what tells whether a link's peer is in a certain one.

Numbers are those of the kernel's <linux/rtnetlink.h> and <linux/net_namespace.h>.
"""

from __future__ import annotations

from cni_multus.linux.codec import attribute, message, parse_attributes, signed, u32
from cni_multus.linux.hostports import find_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace

_RTM_GETNSID = 90
_RTGENMSG = b"\0\0\0\0"  # family, padded
_NETNSA_NSID = 1
_NETNSA_FD = 3


def find_nsid(ns: Namespace, other: Namespace) -> int | None:
    """The number that `ns` has for `other`, None where it has none."""
    request = message(_RTM_GETNSID, 0, _RTGENMSG + attribute(_NETNSA_FD, u32(other.fd)))
    answer = ns.netlink.request(request, f"cannot look up {other} in {ns}")
    found = parse_attributes(answer[len(_RTGENMSG) :]) if answer else {}
    number = signed(found[_NETNSA_NSID]) if _NETNSA_NSID in found else -1
    return number if number >= 0 else None


def find_host_end(host: Namespace, container: Namespace, inner: Link) -> Link | None:
    """The node's end of the pair whose other end is `inner`, and no other link that has its index by chance."""
    port = find_port(host, inner) if inner.kind == "veth" else None
    if port is None:
        return None
    if port.parent_nsid is None:
        return port if host.identity == container.identity else None
    return port if port.parent_nsid == find_nsid(host, container) else None
