"""The neighbour tables (ARP and IPv6): forget who had an address before.

Numbers are those of the kernel's <linux/neighbour.h> and <linux/rtnetlink.h>.
"""

from __future__ import annotations

import errno
import struct

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import family_of, kernel_family, written
from cni_multus.linux.codec import attribute, message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.linux.netns import Namespace

_RTM_DELNEIGH = 29
_NDMSG = struct.Struct("=BxxxiHBB")  # family, index, state, flags, type
_NDA_DST = 1


def flush(ns: Namespace, index: int, addresses: Iterable[bytes]) -> None:
    """Forget the neighbours with these packed addresses on a link; unknown ones are no failure."""
    for packed in addresses:
        try:
            ns.netlink.request(remove_neighbour_message(index, packed), f"cannot forget neighbour {written(packed)}")
        except NetlinkFailure as failure:
            if failure.errno != errno.ENOENT:
                raise


def remove_neighbour_message(index: int, packed: bytes) -> bytes:
    """The message that forgets one."""
    header = _NDMSG.pack(kernel_family(family_of(packed)), index, 0, 0, 0)
    return message(_RTM_DELNEIGH, 0, header + attribute(_NDA_DST, packed))
