"""The kernel's links: find, change and remove them in any namespace; `links` adds new ones, and is the public face.

Numbers are those of the kernel's <linux/rtnetlink.h>.
"""

from __future__ import annotations

import errno
import os

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.codec import attribute, dump_request, message, nested, string, u32
from cni_multus.linux.linkinfo import (
    IFF_ALLMULTI,
    IFF_PROMISC,
    IFF_UP,
    IFINFOMSG,
    IFLA_ADDRESS,
    IFLA_ALT_IFNAME,
    IFLA_EXT_MASK,
    IFLA_GROUP,
    IFLA_IFALIAS,
    IFLA_IFNAME,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_TXQLEN,
    Link,
    decode_link,
)
from cni_multus.undo import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cni_multus.linux.netns import Namespace

RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18

_IFNAMSIZ = 16
_ALTIFNAMSIZ = 128
_RTEXT_FILTER_SKIP_STATS = 8
_WITHOUT_STATISTICS = attribute(IFLA_EXT_MASK, u32(_RTEXT_FILTER_SKIP_STATS))
_NOT_AS_GROUP = (errno.EOPNOTSUPP, errno.EBUSY, errno.EINVAL)


def find_link(ns: Namespace, name: str) -> Link | None:
    """The link with that name, or alternative name, if there is one."""
    # A name that the kernel could not hold is a name that no link has.
    return _find(ns, _get(name), f"cannot look up link {name}") if 0 < len(string(name)) <= _ALTIFNAMSIZ else None


def find_link_by_index(ns: Namespace, index: int) -> Link | None:
    """The link with that index, if there is one."""
    return _find(ns, _get(index), f"cannot look up link {index}") if index > 0 else None


def link(ns: Namespace, name: str) -> Link:
    """The link with that name; NetlinkFailure (ENODEV) when there is none."""
    found = find_link(ns, name)
    if found is None:
        raise NetlinkFailure(f"no link named {name} in {ns}", errno=errno.ENODEV)
    return found


def list_links(ns: Namespace, kind: str = "") -> list[Link]:
    """Every link of the namespace, in the kernel's order; of a kind only those, or all where the kernel has none."""
    only = nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, string(kind))) if kind else b""
    request = dump_request(RTM_GETLINK, IFINFOMSG.pack(0, 0, 0, 0, 0) + _WITHOUT_STATISTICS + only)
    return [
        decode_link(body)
        for type_, body in ns.netlink.dump(request, f"cannot list links of {ns}")
        if type_ == RTM_NEWLINK
    ]


def remove_link(ns: Namespace, name_or_index: str | int) -> bool:
    """Remove one link; False when there is none."""
    request = message(RTM_DELLINK, 0, _addressed(name_or_index))
    return _removed(ns, request, f"cannot remove link {name_or_index} from {ns}")


def remove_group(ns: Namespace, group: int, fallback_names: Iterable[str] = ()) -> bool:
    """Remove all links of a group with one message; False when there are none.

    Where the kernel refuses that (a physical link in the group), and for group 0, which is everybody's,
    they go one by one: the group's virtual links, and those in `fallback_names` whatever their group.
    """
    request = message(RTM_DELLINK, 0, IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(IFLA_GROUP, u32(group)))
    if group:
        try:
            return _removed(ns, request, f"cannot remove the links of group {group} from {ns}")
        except NetlinkFailure as failure:
            if failure.errno not in _NOT_AS_GROUP:
                raise
    names = frozenset(fallback_names)
    return remove_links(ns, lambda each: each.name in names or bool(group and each.group == group))


def remove_links(ns: Namespace, unwanted: Callable[[Link], bool], kind: str = "") -> bool:
    """Remove the virtual links that are `unwanted`, all that can be, and raise what failed first; False without any.

    Of a `kind`, the others are not even listed: they are many on a node, and change while they are read.
    """
    removed = []

    def remove(each: Link) -> None:
        removed.append(remove_link(ns, each.index))

    do_all(remove, [each for each in list_links(ns, kind) if each.kind and unwanted(each)])
    return any(removed)


def change_message(
    name_or_index: str | int,
    *,
    up: bool | None = None,
    mtu: int | None = None,
    mac: str | None = None,
    master: int | None = None,
    promisc: bool | None = None,
    allmulti: bool | None = None,
    txqlen: int | None = None,
    name: str | None = None,
    group: int | None = None,
    alias: str | None = None,
) -> bytes:
    """The message that changes what is given; master 0 takes the link from its master."""
    flags = change = 0
    for flag, wanted in ((IFF_UP, up), (IFF_PROMISC, promisc), (IFF_ALLMULTI, allmulti)):
        flags |= flag if wanted else 0
        change |= flag if wanted is not None else 0
    body = [_addressed(name_or_index, flags, change)]
    if name is not None:
        body.append(attribute(IFLA_IFNAME, string(name)))
    if alias is not None:
        body.append(attribute(IFLA_IFALIAS, string(alias)))
    if mac is not None:
        body.append(attribute(IFLA_ADDRESS, packed_mac(mac)))
    for kind, value in ((IFLA_MTU, mtu), (IFLA_TXQLEN, txqlen), (IFLA_MASTER, master), (IFLA_GROUP, group)):
        if value is not None:
            body.append(attribute(kind, u32(value)))
    return message(RTM_NEWLINK, 0, b"".join(body))


def change_link(
    ns: Namespace,
    index: int,
    *,
    up: bool | None = None,
    mtu: int | None = None,
    mac: str | None = None,
    master: int | None = None,
    promisc: bool | None = None,
    name: str | None = None,
    group: int | None = None,
    attempt: str = "",
) -> None:
    """Change what is given, in one message; NetlinkFailure says `attempt`."""
    request = change_message(index, up=up, mtu=mtu, mac=mac, master=master, promisc=promisc, name=name, group=group)
    ns.netlink.request(request, attempt or f"cannot change link {index} in {ns}")


def get_message(name: str) -> bytes:
    """The message that asks for a link, for batches that make it first."""
    return message(RTM_GETLINK, 0, _get(name))


def random_mac() -> str:
    """A locally administered unicast MAC address."""
    octets = bytearray(os.urandom(6))
    octets[0] = octets[0] & 0xFE | 0x02
    return octets.hex(":")


def random_veth_name() -> str:
    """A name for the host's end of a veth pair."""
    return "veth" + os.urandom(4).hex()


def packed_mac(mac: str) -> bytes:
    """The bytes of a MAC address written with colons; ValueError when it is not one."""
    return bytes.fromhex(mac.replace(":", ""))


def _addressed(name_or_index: str | int, flags: int = 0, change: int = 0) -> bytes:
    if isinstance(name_or_index, int):
        return IFINFOMSG.pack(0, 0, name_or_index, flags, change)
    name = string(name_or_index)
    kind = IFLA_IFNAME if len(name) <= _IFNAMSIZ else IFLA_ALT_IFNAME
    return IFINFOMSG.pack(0, 0, 0, flags, change) + attribute(kind, name)


def _get(name_or_index: str | int) -> bytes:
    return _addressed(name_or_index) + _WITHOUT_STATISTICS


def _find(ns: Namespace, body: bytes, attempt: str) -> Link | None:
    try:
        answer = ns.netlink.request(message(RTM_GETLINK, 0, body), attempt)
    except NetlinkFailure as failure:
        if failure.errno == errno.ENODEV:
            return None
        raise
    return decode_link(answer) if answer else None


def _removed(ns: Namespace, request: bytes, attempt: str) -> bool:
    try:
        ns.netlink.request(request, attempt)
    except NetlinkFailure as failure:
        if failure.errno == errno.ENODEV:
            return False
        raise
    return True
