"""What the message that makes a link says of its kind: the IFLA_INFO_DATA of those that stand on another link.

Numbers are those of the kernel's <linux/if_link.h>.
"""

from __future__ import annotations

from cni_multus.linux.codec import attribute, u16, u32
from cni_multus.linux.linkinfo import (
    IFLA_IPVLAN_FLAGS,
    IFLA_IPVLAN_MODE,
    IFLA_MACVLAN_BC_QUEUE_LEN,
    IFLA_MACVLAN_MODE,
    IFLA_VLAN_ID,
)


def macvlan_data(mode: int, bc_queue_len: int = 0) -> bytes:
    """Of a macvlan; `mode` is a MACVLAN_MODE_ bit, a queue of 0 the kernel's own."""
    data = attribute(IFLA_MACVLAN_MODE, u32(mode))
    return data + attribute(IFLA_MACVLAN_BC_QUEUE_LEN, u32(bc_queue_len)) if bc_queue_len else data


def ipvlan_data(mode: int, flag: int | None = None) -> bytes:
    """Of an ipvlan; `mode` is an IPVLAN_MODE_ number, `flag` an IPVLAN_F_ bit, None the one that its master has."""
    data = attribute(IFLA_IPVLAN_MODE, u16(mode))
    return data if flag is None else data + attribute(IFLA_IPVLAN_FLAGS, u16(flag))


def vlan_data(number: int) -> bytes:
    """Of an IEEE 802.1Q VLAN with that number."""
    return attribute(IFLA_VLAN_ID, u16(number))
