"""ipMasq by nftables: one look-up of the source address leads to the chain of the attachment that has it.

As `nft list ruleset` shows it:

    table inet multus_masquerade {
        map sources4 { type ipv4_addr : verdict; elements = { 10.1.2.5 : goto net-c1-eth0-0a1b2c3d } }
        map sources6 { type ipv6_addr : verdict }
        chain postrouting {
            type nat hook postrouting priority srcnat
            ip saddr vmap @sources4
            ip6 saddr vmap @sources6
        }
        chain net-c1-eth0-0a1b2c3d {
            ip daddr 10.1.2.0/24 return comment "10.1.2.5/24"
            ip daddr 224.0.0.0/4 return
            masquerade
        }
    }
"""

from __future__ import annotations

import errno

from cni_multus.cni.addressing import BITS, Cidr
from cni_multus.cni.errors import IoFailure, NetlinkFailure, TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.expressions import (
    compare,
    load_daddr,
    load_saddr,
    mask,
    masquerade,
    of_family,
    verdict,
    verdict_from,
)
from cni_multus.linux.nftables import INET, POSTROUTING, Changes, Table
from cni_multus.linux.nftdata import GOTO, IPV4_ADDR, IPV6_ADDR, RETURN
from cni_multus.linux.nftlists import find_element, list_chains, list_elements, list_rules, push_emptied
from cni_multus.marks import chain_name, comment, labels_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.nftlists import Element
    from cni_multus.undo import Undo

SOURCES = {4: "sources4", 6: "sources6"}
MULTICAST = {4: Cidr.parse("224.0.0.0/4"), 6: Cidr.parse("ff00::/8")}

_BASE = "postrouting"
_SRCNAT = 100
_ATTEMPTS = 5
_UNKNOWN = (
    errno.EINVAL,
    errno.ENOENT,
    errno.EOPNOTSUPP,
    errno.EAFNOSUPPORT,
    errno.EPROTONOSUPPORT,
)
"""How a kernel says that it does not know nftables, or a part of it."""


def _lay_out(changes: Changes) -> None:
    changes.add_set(SOURCES[4], IPV4_ADDR, verdicts=True)
    changes.add_set(SOURCES[6], IPV6_ADDR, verdicts=True)
    changes.add_base_chain(_BASE, "nat", POSTROUTING, _SRCNAT)
    for family, name in SOURCES.items():
        changes.add_rule(_BASE, of_family(family), load_saddr(family), verdict_from(name))


TABLE = Table(INET, "multus_masquerade", _lay_out)


def why_not(host: Namespace) -> str:
    """Why the kernel cannot masquerade with nftables, "" if it can; a table that was not there is not there then."""
    try:
        if not TABLE.exists(host):
            TABLE.try_out(host, lambda trial: trial.add_rule(_BASE, masquerade()))
    except (NetlinkFailure, IoFailure) as failure:
        if _errno(failure) not in _UNKNOWN:
            raise
        return failure.message
    return ""


def is_there(host: Namespace, table: Table = TABLE) -> bool:
    """Whether there is the table; there is none in a kernel that does not know nftables."""
    try:
        return table.exists(host)
    except (NetlinkFailure, IoFailure) as failure:
        if _errno(failure) not in _UNKNOWN:
            raise
        return False


def add(host: Namespace, attachment: Attachment, addresses: list[Cidr], undo: Undo) -> None:
    """One transaction: the attachment's chain, and its addresses, which lead there from now on."""
    older: list[tuple[str, Element]] = []
    with _turn(host):
        for _ in range(_ATTEMPTS):
            changes = Changes(TABLE)
            push_emptied(host, TABLE, changes)
            for name, element in older:
                changes.remove_element(name, element.key)
            _push(changes, attachment, addresses)
            try:
                changes.commit(host)
            except NetlinkFailure as failure:
                if failure.errno not in (errno.EEXIST, errno.ENOENT):
                    raise
            else:
                undo.callback(_take_back, host, attachment, older)
                return
            # Left by an ADD that was killed, or in the way: an address is reused before its old owner was detached.
            _remove(host, chain_name(attachment))
            found = [(SOURCES[each.family], find_element(host, TABLE, *_place(each))) for each in addresses]
            older = [(name, element) for name, element in found if element is not None]
    raise TryAgainLater(f"cannot change {TABLE}: others change it, {_ATTEMPTS} times in a row")


def remove(host: Namespace, attachment: Attachment) -> bool:
    """Remove the attachment's chain, and what leads there; False where it has none."""
    if not is_there(host):
        return False
    with _turn(host):
        return _remove(host, chain_name(attachment))


def collect(host: Namespace, network: str, valid: set[tuple[str, str]]) -> None:
    """Remove the chains of a network whose attachments are not valid."""
    if not is_there(host):
        return
    told = {comment(Attachment(network, *each)) for each in valid}
    start = labels_start(network)
    with _turn(host):
        for chain, whose in list_chains(host, TABLE).items():
            if whose.startswith(start) and whose not in told:
                _remove(host, chain)


def differences(host: Namespace, attachment: Attachment, addresses: list[Cidr]) -> list[str]:
    """What is missing of the chain, of what leads there, and of the table's own rules."""
    if len(list_rules(host, TABLE, _BASE)) < len(SOURCES):
        return [f"{TABLE} does not look at what leaves the node"]
    chain = chain_name(attachment)
    wanted = [str(each) for each in addresses]
    shown = [rule.comment for rule in list_rules(host, TABLE, chain)]
    count = len(addresses) + len({each.family for each in addresses}) + 1
    if len(shown) != count or shown[: len(wanted)] != wanted:
        return [f"chain {chain} of {TABLE} is not as it was made"]
    found = [(each, find_element(host, TABLE, *_place(each))) for each in addresses]
    return [
        f"{each.ip} is not masqueraded: it does not lead to chain {chain} of {TABLE}"
        for each, element in found
        if element is None or element.chain != chain
    ]


def _errno(failure: NetlinkFailure | IoFailure) -> int:
    cause = failure.__cause__
    if isinstance(failure, NetlinkFailure):
        return failure.errno
    return cause.errno or 0 if isinstance(cause, OSError) else 0


def _turn(host: Namespace) -> Exclusion:
    return Exclusion(host, "masquerade")


def _place(address: Cidr) -> tuple[str, bytes]:
    return SOURCES[address.family], address.ip.packed


def _push(changes: Changes, attachment: Attachment, addresses: list[Cidr]) -> None:
    chain, whose = chain_name(attachment), comment(attachment)
    changes.add_chain(chain, whose)
    for each in addresses:
        # DEL, which is not told the addresses, reads them in the comments.
        changes.add_rule(chain, _to(each.network), verdict(RETURN), comment=str(each))
    for family in sorted({each.family for each in addresses}):
        changes.add_rule(chain, _to(MULTICAST[family]), verdict(RETURN))
    changes.add_rule(chain, masquerade())
    for each in addresses:
        name, key = _place(each)
        changes.add_element(name, key, verdict=GOTO, chain=chain, comment=whose)


def _to(network: Cidr) -> bytes:
    bits = BITS[network.family]
    rest = (1 << bits - network.prefix) - 1
    masked = mask(((1 << bits) - 1 - rest).to_bytes(bits // 8, "big")) if rest else b""
    return of_family(network.family) + load_daddr(network.family) + masked + compare(network.ip.packed)


def _remove(host: Namespace, chain: str) -> bool:
    leading = _told(host, chain)
    for _ in range(_ATTEMPTS):
        changes = Changes(TABLE)
        for name, key in leading:
            changes.remove_element(name, key)
        changes.remove_chain(chain)
        try:
            changes.commit(host)
        except NetlinkFailure as failure:
            if failure.errno == errno.ENOENT and not leading:
                return False
            if failure.errno not in (errno.ENOENT, errno.EBUSY):
                raise
            leading = _leading(host, chain)
        else:
            return True
    raise TryAgainLater(f"cannot remove chain {chain} of {TABLE}: others change it, {_ATTEMPTS} times in a row")


def _told(host: Namespace, chain: str) -> list[tuple[str, bytes]]:
    """The elements that lead to a chain, by the comments of its rules."""
    places = []
    for rule in list_rules(host, TABLE, chain):
        try:
            places.append(_place(Cidr.parse(rule.comment)))
        except ValueError:
            continue
    found = [(name, find_element(host, TABLE, name, key)) for name, key in places]
    return [(name, each.key) for name, each in found if each is not None and each.chain == chain]


def _leading(host: Namespace, chain: str) -> list[tuple[str, bytes]]:
    """The same, whatever the rules tell."""
    found = [(name, each) for name in SOURCES.values() for each in list_elements(host, TABLE, name)]
    return [(name, each.key) for name, each in found if each.chain == chain]


def _take_back(host: Namespace, attachment: Attachment, older: list[tuple[str, Element]]) -> None:
    with _turn(host):
        _remove(host, chain_name(attachment))
        for name, element in older:
            changes = Changes(TABLE)
            changes.add_element(name, element.key, verdict=GOTO, chain=element.chain, comment=element.comment)
            try:
                changes.commit(host)
            except NetlinkFailure as failure:
                # It was detached meanwhile, or somebody else has the address now.
                if failure.errno not in (errno.ENOENT, errno.EEXIST):
                    raise
