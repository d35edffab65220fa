"""The spoof check: frames that come in by a guarded port of a bridge must have the MAC of the pod behind it.

One table for all of them, so that a frame costs two look-ups however many pods there are:

    table bridge multus_macspoof {
        set guarded { type ifname; }                # ports
        set allowed { type ifname . ether_addr; }   # a port, and the MAC behind it
        chain prerouting {
            type filter hook prerouting priority dstnat; policy accept;
            iifname @guarded iifname . ether saddr != @allowed drop
        }
    }

Each element has the attachment as its comment. Only the frame's own source is looked at, not what ARP says inside it.
"""

from __future__ import annotations

import errno

from cni_multus.cni.errors import IoFailure, NetlinkFailure, UnsupportedField
from cni_multus.linux.expressions import META_IIFNAME, load_ether_saddr, load_meta, look_up, verdict
from cni_multus.linux.hostports import find_port
from cni_multus.linux.links import list_links
from cni_multus.linux.linktable import packed_mac
from cni_multus.linux.nftables import BRIDGE, PREROUTING, Changes, Table
from cni_multus.linux.nftdata import DROP, ETHER_ADDR, IFNAME, concatenated
from cni_multus.linux.nftlists import Element, find_element, has_chain, list_elements, list_rules, push_emptied
from cni_multus.linux.nsid import find_host_end
from cni_multus.marks import comment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.request import Attachment
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

_GUARDED = "guarded"
_ALLOWED = "allowed"
_CHAIN = "prerouting"
_BEFORE_ALL = -300
_ATTEMPTS = 5
_UNKNOWN = (errno.EINVAL, errno.ENOENT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
_NAME_BYTES = 16
_MAC_REGISTER = _NAME_BYTES // 4


def _lay_out(changes: Changes) -> None:
    changes.add_set(_GUARDED, IFNAME)
    changes.add_set(_ALLOWED, IFNAME, ETHER_ADDR)
    changes.add_base_chain(_CHAIN, "filter", PREROUTING, _BEFORE_ALL)
    changes.add_rule(
        _CHAIN,
        load_meta(META_IIFNAME),
        look_up(_GUARDED),
        load_ether_saddr(_MAC_REGISTER),
        look_up(_ALLOWED, absent=True),
        verdict(DROP),
    )


TABLE = Table(BRIDGE, "multus_macspoof", _lay_out)
_FOREIGN = Table(BRIDGE, "nat", lambda _: None)


def require_filter(host: Namespace) -> None:
    """Raise where the kernel cannot do it; a table that was not there is not there then."""
    try:
        if not TABLE.exists(host):
            TABLE.try_out(host)
    except (NetlinkFailure, IoFailure) as failure:
        if not _is_unknown(failure):
            raise
        raise UnsupportedField(
            f"macspoofchk: the kernel of this node filters no frames of bridges (CONFIG_NF_TABLES_BRIDGE): "
            f"{failure.message}"
        ) from failure


def guard(host: Namespace, attachment: Attachment, port: Link, mac: str, undo: Undo) -> None:
    """Let only frames with `mac` come in by a port; call it while the port is down."""
    changes = Changes(TABLE)
    push_emptied(host, TABLE, changes)
    whose = comment(attachment)
    changes.add_element(_GUARDED, _port_key(port.name), comment=whose)
    changes.add_element(_ALLOWED, _port_key(port.name) + concatenated(packed_mac(mac)), comment=whose)
    undo.callback(release, host, attachment)
    changes.commit(host)


def follow(host: Namespace, container: Namespace, inner: Link, mac: str, undo: Undo) -> None:
    """Where the port of the pair whose other end is `inner` is guarded, `mac` takes the place of that end's."""
    port = find_host_end(host, container, inner)
    if port is not None and mac != inner.mac and _knows_tables(host):
        undo.callback(_exchange, host, port.name, mac, inner.mac)
        _exchange(host, port.name, inner.mac, mac)


def release(host: Namespace, attachment: Attachment) -> None:
    """Forget the attachment; nothing happens where there is nothing of it."""
    if not _knows_tables(host):
        return
    whose = comment(attachment)
    _remove(host, lambda: lambda element: element.comment == whose)
    _release_foreign(host, attachment)


def collect(host: Namespace) -> None:
    """Forget the ports that are gone."""

    def of_ports_gone() -> Callable[[Element], bool]:
        ports = {_port_key(link.name) for link in list_links(host)}
        return lambda element: element.key[:_NAME_BYTES] not in ports

    if _knows_tables(host):
        _remove(host, of_ports_gone)


def differences(host: Namespace, inner: Link) -> list[str]:
    """What keeps the spoof check from doing its work on the port whose pair's other end is `inner`."""
    port = find_port(host, inner)
    if port is None:
        return []  # that is told already
    if not list_rules(host, TABLE, _CHAIN):
        return [f"{TABLE} has no rule, and checks nobody's MAC"]
    key = _port_key(port.name)
    if find_element(host, TABLE, _GUARDED, key) is None:
        return [f"port {port.name} is not under the spoof check"]
    if find_element(host, TABLE, _ALLOWED, key + concatenated(packed_mac(inner.mac))) is None:
        return [f"the spoof check of port {port.name} lets no frame of its MAC {inner.mac} in"]
    return []


def _exchange(host: Namespace, port: str, was: str, mac: str) -> None:
    found = find_element(host, TABLE, _ALLOWED, _port_key(port) + concatenated(packed_mac(was)))
    if found is not None:
        changes = Changes(TABLE)
        changes.remove_element(_ALLOWED, found.key)
        changes.add_element(_ALLOWED, _port_key(port) + concatenated(packed_mac(mac)), comment=found.comment)
        changes.commit(host)


def _release_foreign(host: Namespace, attachment: Attachment) -> None:
    """Remove what the Go plugin made: two chains of the attachment's own, and what leads there."""
    whose = f"{attachment.container_id}-{attachment.ifname}"
    chain = f"cni-br-iface-{whose}"
    if not has_chain(host, _FOREIGN, chain):
        return
    changes = Changes(_FOREIGN)
    for rule in list_rules(host, _FOREIGN, "PREROUTING"):
        if rule.comment == f"macspoofchk-{whose}":
            changes.remove_rule("PREROUTING", rule.handle)
    for each in (chain, f"{chain}-mac"):
        changes.remove_chain(each)
    changes.commit(host)


def _remove(host: Namespace, choose: Callable[[], Callable[[Element], bool]]) -> None:
    for _ in range(_ATTEMPTS):
        changes = Changes(TABLE)
        listed = [(name, element) for name in (_GUARDED, _ALLOWED) for element in list_elements(host, TABLE, name)]
        unwanted = choose()  # after the listing: an ADD makes its port before its elements
        for name, element in listed:
            if unwanted(element):
                changes.remove_element(name, element.key)
        try:
            changes.commit(host)
            return
        except NetlinkFailure as failure:
            if failure.errno != errno.ENOENT:
                raise
    raise NetlinkFailure(f"cannot remove elements of {TABLE}: others remove the same, {_ATTEMPTS} times in a row")


def _knows_tables(host: Namespace) -> bool:
    try:
        TABLE.exists(host)
    except (NetlinkFailure, IoFailure) as failure:
        if not _is_unknown(failure):
            raise
        return False
    return True


def _is_unknown(failure: NetlinkFailure | IoFailure) -> bool:
    """Whether the kernel does not know nftables, or a part of it."""
    cause = failure if isinstance(failure, NetlinkFailure) else failure.__cause__
    return isinstance(cause, NetlinkFailure | OSError) and cause.errno in _UNKNOWN


def _port_key(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape").ljust(_NAME_BYTES, b"\0")
