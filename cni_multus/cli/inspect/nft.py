"""What our own nftables tables on the node have of each attachment, by the comment that its objects carry."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.bridging import spoofing
from cni_multus.cli.inspect.notes import LIST_NFTABLES, Note, note
from cni_multus.cni.errors import CniError, NetlinkFailure
from cni_multus.firewall import rules as firewall
from cni_multus.linux.addresses import written
from cni_multus.linux.netns import Namespace
from cni_multus.linux.nftdata import ETHER_ADDR, IFNAME, INET_PROTO, INET_SERVICE, IPV4_ADDR, IPV6_ADDR, length_of
from cni_multus.linux.nftlists import list_chains, list_elements, list_rules
from cni_multus.marks import comment
from cni_multus.masquerade import nftables as masquerade
from cni_multus.portmaps.hostport import ANY, HELD, ONE, PROTOCOLS, TO

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.request import Attachment
    from cni_multus.linux.nftables import Table
    from cni_multus.linux.nftlists import Element

_OF_ATTACHMENTS = "multus:"
"""What every comment of an attachment begins with (`marks.labels_start`)."""

_UNKNOWN = (errno.EINVAL, errno.ENOENT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
"""How a kernel says that it does not know nftables, or a family of it: then it has none of our tables."""

_ADDRESSES = {4: IPV4_ADDR, 6: IPV6_ADDR}
SETS: tuple[tuple[Table, str, tuple[int, ...]], ...] = (
    (spoofing.TABLE, "guarded", (IFNAME,)),
    (spoofing.TABLE, "allowed", (IFNAME, ETHER_ADDR)),
    *((masquerade.TABLE, name, (_ADDRESSES[family],)) for family, name in masquerade.SOURCES.items()),
    (firewall.TABLE, "pods4", (IPV4_ADDR,)),
    (firewall.TABLE, "pods6", (IPV6_ADDR,)),
    (firewall.PORTS, "isolated", (IFNAME,)),
    *((HELD, name, (INET_PROTO, INET_SERVICE)) for name in ANY.values()),
    *((HELD, name, (INET_PROTO, INET_SERVICE, _ADDRESSES[family])) for family, name in ONE.items()),
)
"""Each set whose elements are attachments', with the types of its keys."""

WITH_CHAINS = (masquerade.TABLE, HELD)
TABLES = (spoofing.TABLE, masquerade.TABLE, firewall.TABLE, firewall.PORTS, HELD)
_PROTOCOLS = {number: name for name, number in PROTOCOLS.items()}


@dataclass(frozen=True, slots=True)
class NftObject:
    """An element of a set, or a chain, of one attachment; `detail` is the key for people, and where it leads."""

    table: str
    kind: str
    """`element` or `chain`."""
    name: str
    """The set, or the chain."""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.table} {self.kind} {self.name}" + (f" {self.detail}" if self.detail else "")

    def to_json(self) -> dict[str, object]:
        """All of it."""
        shown: dict[str, object] = {"table": self.table, "kind": self.kind, "name": self.name}
        return {**shown, "detail": self.detail} if self.detail else shown


@dataclass(slots=True)
class Filters:
    """`objects` by comment; `tables` are those that exist; `notes` what could not be listed."""

    objects: dict[str, list[NftObject]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def of(self, attachment: Attachment) -> list[NftObject]:
        """What one attachment has."""
        return self.objects.get(comment(attachment), [])

    def add(self, owner: str, found: NftObject) -> None:
        """Put an object to its owner."""
        self.objects.setdefault(owner, []).append(found)


def look(host: Namespace | None = None) -> Filters:
    """What there is in the node's namespace: each set is listed once."""
    if host is None:
        with Namespace.host() as here:
            return look(here)
    filters = Filters()
    try:
        host.netfilter.takes_torn = True  # on a busy node there is always somebody who changes something
    except CniError as error:  # a kernel without it
        filters.notes += [] if _is_unknown(error) else [note("nftables", error, LIST_NFTABLES)]
        return filters
    there = [table for table in TABLES if _tolerate(filters, table, lambda table=table: _exists(host, table))]  # type: ignore[misc]
    filters.tables = [_name(table) for table in there]
    for table, name, types in SETS:
        if table in there:
            _tolerate(filters, table, lambda at=(table, name, types): _take_set(host, filters, *at))  # type: ignore[misc]
    for table in WITH_CHAINS:
        if table in there:
            _tolerate(filters, table, lambda table=table: _take_chains(host, filters, table))  # type: ignore[misc]
    return filters


def chain_rules(host: Namespace, table: str, chain: str) -> list[str]:
    """The comments of the rules of one of those chains: the addresses, or the ports, that it is about."""
    found = next((each for each in WITH_CHAINS if _name(each) == table), None)
    return [rule.comment for rule in list_rules(host, found, chain) if rule.comment] if found else []


def _exists(host: Namespace, table: Table) -> bool:
    try:
        return table.exists(host)
    except CniError as failure:
        if _is_unknown(failure):
            return False
        raise


def _is_unknown(failure: CniError) -> bool:
    cause = failure if isinstance(failure, NetlinkFailure) else failure.__cause__
    return getattr(cause, "errno", 0) in _UNKNOWN


def _take_set(host: Namespace, filters: Filters, table: Table, name: str, types: tuple[int, ...]) -> None:
    targets: dict[bytes, bytes] = {}
    if table is HELD:
        targets = {element.key: element.value for element in list_elements(host, table, name + TO)}
    for element in list_elements(host, table, name):
        detail = _written(element.key, types) + _leading(element, targets.get(element.key, b""))
        filters.add(element.comment, NftObject(_name(table), "element", name, detail))


def _take_chains(host: Namespace, filters: Filters, table: Table) -> None:
    for chain, whose in list_chains(host, table).items():
        if whose.startswith(_OF_ATTACHMENTS):
            filters.add(whose, NftObject(_name(table), "chain", chain))


def _leading(element: Element, target: bytes) -> str:
    if target:
        size = len(target) - 4
        return f" -> {_with_port(written(target[:size]))}:{int.from_bytes(target[size : size + 2], 'big')}"
    return f" -> {element.chain}" if element.chain else ""


def _with_port(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _written(key: bytes, types: tuple[int, ...]) -> str:
    """A key as nft writes it, its fields one after another."""
    words, at = [], 0
    for kind in types:
        size = length_of((kind,))
        words.append(_field(key[at : at + size], kind))
        at += (size + 3) & ~3
    return " . ".join(words)


def _field(data: bytes, kind: int) -> str:
    if kind == IFNAME:
        return data.rstrip(b"\0").decode("utf-8", "backslashreplace")
    if kind == ETHER_ADDR:
        return data.hex(":")
    if kind in (IPV4_ADDR, IPV6_ADDR) and len(data) in (4, 16):
        return written(data)
    number = int.from_bytes(data, "big")
    return _PROTOCOLS.get(number, str(number)) if kind == INET_PROTO else str(number)


def _name(table: Table) -> str:
    return str(table).removeprefix("nftables table ")


def _tolerate(filters: Filters, table: Table, ask: Callable[[], object]) -> bool:
    """What `ask` says; False, and a note, where the kernel does not tell."""
    try:
        return bool(ask())
    except (CniError, ValueError) as error:
        text = note(_name(table), error, LIST_NFTABLES)
        if not any(each.text == text.text for each in filters.notes):
            filters.notes.append(text)
        return False
