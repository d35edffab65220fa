"""What the kernel says about one link, decoded from RTM_NEWLINK; reading only.

Numbers are those of the kernel's <linux/if_link.h>, <linux/if.h> and <linux/rtnetlink.h>.
"""

from __future__ import annotations

import struct

from cni_multus.linux.codec import number, parse_attributes, signed, text

IFINFOMSG = struct.Struct("=BxHiII")  # family, device type, index, flags, flags to change

IFF_UP = 0x1
IFF_PROMISC = 0x100
IFF_ALLMULTI = 0x200

IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_LINK = 5
IFLA_MASTER = 10
IFLA_TXQLEN = 13
IFLA_OPERSTATE = 16
IFLA_LINKINFO = 18
IFLA_IFALIAS = 20
IFLA_GROUP = 27
IFLA_NET_NS_FD = 28
IFLA_EXT_MASK = 29
IFLA_PROMISCUITY = 30
IFLA_LINK_NETNSID = 37
IFLA_MAX_MTU = 51
IFLA_ALT_IFNAME = 53
IFLA_PERM_ADDRESS = 54
IFLA_PARENT_DEV_NAME = 56

IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
IFLA_INFO_SLAVE_KIND = 4
IFLA_INFO_SLAVE_DATA = 5

IFLA_MACVLAN_MODE = 1
IFLA_MACVLAN_BC_QUEUE_LEN = 7
IFLA_IPVLAN_MODE = 1
IFLA_IPVLAN_FLAGS = 2
IFLA_VLAN_ID = 1
IFLA_VRF_TABLE = 1
IFLA_BR_VLAN_FILTERING = 7

_IF_OPER_UP = 6

# Kind of link -> attribute of its IFLA_INFO_DATA -> our name for it; all of them are numbers.
_SETTINGS: dict[str, dict[int, str]] = {
    "bridge": {5: "stp_state", IFLA_BR_VLAN_FILTERING: "vlan_filtering", 9: "group_fwd_mask", 39: "vlan_default_pvid"},
    "macvlan": {IFLA_MACVLAN_MODE: "mode", 2: "flags", IFLA_MACVLAN_BC_QUEUE_LEN: "bc_queue_len"},
    "ipvlan": {IFLA_IPVLAN_MODE: "mode", IFLA_IPVLAN_FLAGS: "flags"},
    "tun": {1: "owner", 2: "group", 3: "type", 7: "multi_queue"},
    "vlan": {IFLA_VLAN_ID: "id"},
    "vrf": {IFLA_VRF_TABLE: "table"},
}


class Link:
    """One link as it was when it was read; `mac` is lower case with colons, indexes are 0 where there is none."""

    __slots__ = (
        "alias",
        "data",
        "flags",
        "group",
        "index",
        "kind",
        "mac",
        "master",
        "max_mtu",
        "mtu",
        "name",
        "operstate",
        "parent",
        "parent_device",
        "parent_nsid",
        "permanent_mac",
        "port",
        "promiscuity",
        "txqlen",
    )

    def __init__(self, index: int, flags: int, found: dict[int, bytes]) -> None:
        self.index = index
        self.flags = flags
        self.name = text(found.get(IFLA_IFNAME, b""))
        self.alias = text(found.get(IFLA_IFALIAS, b""))
        self.mac = found.get(IFLA_ADDRESS, b"").hex(":")
        self.permanent_mac = found.get(IFLA_PERM_ADDRESS, b"").hex(":")
        # Where it sits, as sysfs has it (0000:01:10.0, virtio3); "" for what is virtual, and before Linux 5.14.
        self.parent_device = text(found.get(IFLA_PARENT_DEV_NAME, b""))
        self.mtu = number(found.get(IFLA_MTU, b""))
        self.max_mtu = number(found.get(IFLA_MAX_MTU, b""))
        self.operstate = number(found.get(IFLA_OPERSTATE, b""))
        self.promiscuity = number(found.get(IFLA_PROMISCUITY, b""))
        self.txqlen = number(found.get(IFLA_TXQLEN, b""))
        self.master = number(found.get(IFLA_MASTER, b""))
        self.group = number(found.get(IFLA_GROUP, b""))
        # A veth's parent is its peer; its index counts in the namespace `parent_nsid` unless that is None.
        self.parent = number(found.get(IFLA_LINK, b""))
        self.parent_nsid = signed(found[IFLA_LINK_NETNSID]) if IFLA_LINK_NETNSID in found else None
        info = parse_attributes(found.get(IFLA_LINKINFO, b""))
        self.kind = text(info.get(IFLA_INFO_KIND, b""))
        self.data = _settings(self.kind, info.get(IFLA_INFO_DATA, b""))
        self.port = parse_attributes(info.get(IFLA_INFO_SLAVE_DATA, b""))

    @property
    def up(self) -> bool:
        """Whether it was brought up."""
        return bool(self.flags & IFF_UP)

    @property
    def running(self) -> bool:
        """Whether its operational state is UP; a loopback's or a tap's is UNKNOWN instead."""
        return self.operstate == _IF_OPER_UP

    def __repr__(self) -> str:
        return f"Link({self.index}: {self.name}, {self.kind or 'physical'}, {self.mac})"


def decode_link(body: bytes) -> Link:
    """The link in the body of an RTM_NEWLINK; ValueError when it is not one."""
    if len(body) < IFINFOMSG.size:
        raise ValueError(f"link message of {len(body)} bytes")
    _, _, index, flags, _ = IFINFOMSG.unpack_from(body)
    return Link(index, flags, parse_attributes(body[IFINFOMSG.size :]))


def _settings(kind: str, data: bytes) -> dict[str, int]:
    known = _SETTINGS.get(kind)
    if not known:
        return {}
    found = parse_attributes(data)
    return {name: number(found[setting]) for setting, name in known.items() if setting in found}
