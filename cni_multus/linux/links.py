"""Links: what is there, and new ones, each made by one message in its namespace and under its final name.

Moving a link afterwards would cost an RCU barrier, and leave a half-made one where it fails.
Numbers are those of the kernel's <linux/if_link.h> and <linux/veth.h>.
"""

from __future__ import annotations

import errno

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.codec import NLM_F_CREATE, NLM_F_EXCL, attribute, message, nested, string, u8, u32
from cni_multus.linux.linkinfo import (
    IFF_PROMISC,
    IFF_UP,
    IFINFOMSG,
    IFLA_ADDRESS,
    IFLA_BR_VLAN_FILTERING,
    IFLA_GROUP,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINK,
    IFLA_LINKINFO,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_NET_NS_FD,
    Link,
    decode_link,
)
from cni_multus.linux.linktable import (
    RTM_NEWLINK,
    change_link,
    change_message,
    find_link,
    find_link_by_index,
    get_message,
    link,
    list_links,
    packed_mac,
    random_mac,
    random_veth_name,
    remove_group,
    remove_link,
    remove_links,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

__all__ = [
    "Link",
    "add_bridge",
    "add_child_link",
    "add_veth",
    "change_link",
    "change_message",
    "find_link",
    "find_link_by_index",
    "link",
    "list_links",
    "random_mac",
    "random_veth_name",
    "remove_group",
    "remove_link",
    "remove_links",
]

_VETH_INFO_PEER = 1


def add_bridge(
    host: Namespace,
    name: str,
    *,
    mac: str = "",
    mtu: int = 0,
    vlan_filtering: bool = False,
    up: bool = True,
    promisc: bool = False,
) -> Link:
    """Make a bridge; NetlinkFailure (EEXIST) when the name is taken, by a bridge or by something else."""
    attempt = f"cannot add bridge {name}"
    data = attribute(IFLA_BR_VLAN_FILTERING, u8(1)) if vlan_filtering else b""
    body = _body(attempt, name, up=up, promisc=promisc, mac=mac, mtu=mtu) + _linkinfo("bridge", data)
    return _make(host, body, name, attempt)


def add_veth(
    host: Namespace,
    name: str,
    *,
    peer: str,
    peer_namespace: Namespace,
    peer_mac: str = "",
    peer_group: int = 0,
    master: int = 0,
    mtu: int = 0,
    mac: str = "",
    up: bool = True,
    group: int = 0,
) -> Link:
    """Make a pair: `name` on the host, a port of `master` and up; `peer`, down, in its namespace, index `.parent`."""
    attempt = f"cannot add veth {name} with its peer {peer} in {peer_namespace}"
    other = _body(attempt, peer, mac=peer_mac, mtu=mtu, group=peer_group)
    other += attribute(IFLA_NET_NS_FD, u32(peer_namespace.fd))
    body = _body(attempt, name, up=up, mac=mac, mtu=mtu, master=master, group=group)
    body += _linkinfo("veth", attribute(_VETH_INFO_PEER, other))
    try:
        return _make(host, body, name, attempt)
    except NetlinkFailure as failure:
        if failure.errno == errno.ETIMEDOUT:
            remove_link(host, name)  # nobody else knows of it
        if failure.errno != errno.EEXIST:
            raise
        taken = (peer_namespace, peer) if find_link(peer_namespace, peer) else (host, name)
        raise _name_taken(attempt, *taken, failure) from failure


def add_child_link(
    host: Namespace,
    kind: str,
    info_data: bytes,
    *,
    parent: int,
    name: str,
    namespace: Namespace,
    mac: str = "",
    mtu: int = 0,
    group: int = 0,
    parent_name: str = "",
) -> Link:
    """Make a link of any kind, down, in `namespace`; `parent` is an index of `host`, or 0; EEXIST when it has one."""
    attempt = f"cannot add {kind} {name}" + (f" on {parent_name or f'link {parent}'}" if parent else "")

    def make(created: str) -> None:
        body = _body(attempt, created, mac=mac, mtu=mtu, parent=parent, group=group)
        body += attribute(IFLA_NET_NS_FD, u32(namespace.fd)) + _linkinfo(kind, info_data)
        host.netlink.request(_create(body), attempt)

    try:
        make(name)
    except NetlinkFailure as failure:
        if failure.errno == errno.ETIMEDOUT:
            remove_link(namespace, name)  # as above
        if failure.errno != errno.EEXIST:
            raise
        if find_link(namespace, name):
            raise _name_taken(attempt, namespace, name, failure) from failure
        # Kernels before 6.14 look the name up where the request comes from, not where the link goes.
        temporary = random_veth_name()
        make(temporary)
        rename_new_link(namespace, temporary, name, attempt)
    try:
        return link(namespace, name)
    except NetlinkFailure:
        remove_link(namespace, name)
        raise


def rename_new_link(ns: Namespace, temporary: str, name: str, attempt: str) -> None:
    """Give a link that was just made its final name, or take it away again."""
    made = link(ns, temporary)
    try:
        change_link(ns, made.index, name=name, attempt=attempt)
    except NetlinkFailure:
        remove_link(ns, made.index)
        raise


def _make(ns: Namespace, body: bytes, name: str, attempt: str) -> Link:
    seen = f"cannot look at {name}, which was just added to {ns}"
    try:
        _, answer = ns.netlink.batch(((_create(body), attempt), (get_message(name), seen)))
    except NetlinkFailure as failure:
        if failure.message.startswith(seen):
            remove_link(ns, name)
        raise
    return decode_link(answer) if answer else link(ns, name)


def _create(body: bytes) -> bytes:
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def _body(
    attempt: str,
    name: str,
    *,
    up: bool = False,
    promisc: bool = False,
    mac: str = "",
    mtu: int = 0,
    parent: int = 0,
    master: int = 0,
    group: int = 0,
) -> bytes:
    if "%" in name or not name:
        # The kernel would number it: "net%d" becomes net0.
        raise NetlinkFailure(f"{attempt}: {name!r} is not a name for a link", errno=errno.EINVAL)
    flags = (IFF_UP if up else 0) | (IFF_PROMISC if promisc else 0)
    body = IFINFOMSG.pack(0, 0, 0, flags, flags) + attribute(IFLA_IFNAME, string(name))
    if mac:
        body += attribute(IFLA_ADDRESS, packed_mac(mac))
    for kind, value in ((IFLA_MTU, mtu), (IFLA_LINK, parent), (IFLA_MASTER, master), (IFLA_GROUP, group)):
        if value:
            body += attribute(kind, u32(value))
    return body


def _linkinfo(kind: str, data: bytes) -> bytes:
    return nested(
        IFLA_LINKINFO,
        attribute(IFLA_INFO_KIND, string(kind)),
        nested(IFLA_INFO_DATA, data) if data else b"",
    )


def _name_taken(attempt: str, ns: Namespace, name: str, failure: NetlinkFailure) -> NetlinkFailure:
    return NetlinkFailure(f"{attempt}: {ns} already has a link named {name}", failure.details, errno.EEXIST)
