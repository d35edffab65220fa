"""Tell the neighbours who has an address now: gratuitous ARP and unsolicited neighbour advertisements.

The kernel sends both, for every address of a link, when the link's MAC is set, be it to the one it has
(NETDEV_CHANGEADDR in net/ipv4/devinet.c and net/ipv6/ndisc.c), if arp_notify and ndisc_notify are on. A packet socket
could send more kinds of frames, but closing one waits for an RCU grace period: 5 to 15 ms per interface.
"""

from __future__ import annotations

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.linktable import change_link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.linkinfo import Link
    from cni_multus.linux.netns import Namespace


def notify_sysctls(name: str) -> list[tuple[str, str, bool]]:
    """What must be set, as (name, value, missing_ok), for `announce` to be heard."""
    return [(f"net/ipv4/conf/{name}/arp_notify", "1", True), (f"net/ipv6/conf/{name}/ndisc_notify", "1", True)]


def announce(ns: Namespace, link: Link) -> str:
    """Announce all addresses of a link that is up and forwards; why it could not, "" if it did.

    Nothing depends on being heard, so a refusal (a kind of link whose MAC is fixed) is no failure.
    """
    try:
        change_link(ns, link.index, mac=link.mac, attempt=f"cannot announce the addresses of {link.name}")
    except NetlinkFailure as failure:
        return failure.message
    return ""
