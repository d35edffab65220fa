"""What nftables has in a table of ours: chains, rules and elements, each with its comment.

Numbers are those of the kernel's <linux/netfilter/nf_tables.h>.
"""

from __future__ import annotations

import errno

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.codec import attribute, dump_request, message, nested, parse_attributes, string, text
from cni_multus.linux.nftables import GETCHAIN, GETRULE, GETSETELEM, NEWCHAIN, NEWRULE, NEWSETELEM, Changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.nftables import Table

_GONE = (errno.ENOENT, errno.EOPNOTSUPP)


class Rule:
    """A rule: the handle that removes it, and its comment."""

    __slots__ = ("comment", "handle")

    def __init__(self, handle: int, comment: str) -> None:
        self.handle = handle
        self.comment = comment


class Element:
    """A key of a set, with its comment, and in a map the chain that it leads to, or its value."""

    __slots__ = ("chain", "comment", "key", "value")

    def __init__(self, key: bytes, chain: str, comment: str, value: bytes = b"") -> None:
        self.key = key
        self.chain = chain
        self.comment = comment
        self.value = value


def list_chains(ns: Namespace, table: Table) -> dict[str, str]:
    """Every chain of a table by its name, and its comment."""
    listed = _dump(ns, table, GETCHAIN, b"", "chains")
    found = [attributes for kind, attributes in listed if kind == table.kind(NEWCHAIN)]
    return {
        text(each.get(3, b"")): _comment(each.get(12, b"")) for each in found if text(each.get(1, b"")) == table.name
    }


def has_chain(ns: Namespace, table: Table, name: str) -> bool:
    """Whether a table, ours or another program's, has a chain."""
    body = table.header + attribute(1, string(table.name)) + attribute(3, string(name))
    try:
        ns.netfilter.request(message(table.kind(GETCHAIN), 0, body), f"cannot look up chain {name} of {table}")
    except NetlinkFailure as failure:
        if failure.errno in _GONE:
            return False
        raise
    return True


def list_rules(ns: Namespace, table: Table, chain: str) -> list[Rule]:
    """The rules of a chain in their order; none where there is no such chain."""
    narrowed = attribute(1, string(table.name)) + attribute(2, string(chain))
    listed = _dump(ns, table, GETRULE, narrowed, f"rules of chain {chain}")
    return [
        Rule(int.from_bytes(each.get(3, b""), "big"), _comment(each.get(7, b"")))
        for kind, each in listed
        # Kernels before 4.14 do not narrow it down.
        if kind == table.kind(NEWRULE) and (text(each.get(1, b"")), text(each.get(2, b""))) == (table.name, chain)
    ]


def emptied_chains(ns: Namespace, table: Table) -> list[str]:
    """The chains of a table's layout that have fewer rules than it gives them; none where there is no table."""
    if not table.exists(ns):
        return []
    return [chain for chain, rules in _fixed_rules(table).items() if len(list_rules(ns, table, chain)) < len(rules)]


def push_emptied(ns: Namespace, table: Table, changes: Changes) -> None:
    """Push those chains' rules: whoever flushed the table by hand left sets that nobody asks."""
    for chain in emptied_chains(ns, table):
        changes.flush_chain(chain)
        for expressions, comment in _fixed_rules(table)[chain]:
            changes.add_rule(chain, *expressions, comment=comment)


def list_elements(ns: Namespace, table: Table, name: str) -> list[Element]:
    """The elements of a set; none where there is no such set."""
    narrowed = attribute(1, string(table.name)) + attribute(2, string(name))
    listed = _dump(ns, table, GETSETELEM, narrowed, f"elements of set {name}")
    return [element for kind, each in listed if kind == table.kind(NEWSETELEM) for element in _elements(each)]


def find_element(ns: Namespace, table: Table, name: str, key: bytes) -> Element | None:
    """The element of that key, None where the set has none, or is not there."""
    wanted = nested(3, nested(1, nested(1, attribute(1, key))))
    body = table.header + attribute(1, string(table.name)) + attribute(2, string(name)) + wanted
    try:
        answer = ns.netfilter.request(
            message(table.kind(GETSETELEM), 0, body), f"cannot look into set {name} of {table}"
        )
    except NetlinkFailure as failure:
        if failure.errno in _GONE:
            return None
        raise
    return next(_elements(parse_attributes(answer[4:])), None) if answer else None


class _Rules(Changes):
    """What a layout gives to chains."""

    __slots__ = ("given",)

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self.given: dict[str, list[tuple[tuple[bytes, ...], str]]] = {}

    def add_rule(self, chain: str, *expressions: bytes, comment: str = "") -> None:
        self.given.setdefault(chain, []).append((expressions, comment))


def _fixed_rules(table: Table) -> dict[str, list[tuple[tuple[bytes, ...], str]]]:
    laid_out = _Rules(table)
    if table.layout is not None:
        table.layout(laid_out)
    return laid_out.given


def _dump(ns: Namespace, table: Table, kind: int, body: bytes, what: str) -> list[tuple[int, dict[int, bytes]]]:
    request = dump_request(table.kind(kind), table.header + body)
    try:
        listed = ns.netfilter.dump(request, f"cannot list the {what} of {table}")
    except NetlinkFailure as failure:
        if failure.errno in _GONE:
            return []
        raise
    return [(kind, parse_attributes(answer[4:])) for kind, answer in listed]


def _elements(attributes: dict[int, bytes]) -> Iterator[Element]:
    data = attributes.get(3, b"")
    offset = 0
    while offset + 4 <= len(data):
        length = int.from_bytes(data[offset : offset + 2], "little")
        if length < 4 or offset + length > len(data):
            raise ValueError(f"set element of {length} bytes at {offset} of {len(data)}")
        yield _element(parse_attributes(data[offset + 4 : offset + length]))
        offset += (length + 3) & ~3


def _element(attributes: dict[int, bytes]) -> Element:
    key = parse_attributes(attributes.get(1, b"")).get(1, b"")
    data = parse_attributes(attributes.get(2, b""))
    verdict = parse_attributes(data.get(2, b""))
    return Element(key, text(verdict.get(2, b"")), _comment(attributes.get(6, b"")), data.get(1, b""))


def _comment(data: bytes) -> str:
    """The comment among what nft keeps beside an object: type, length, value, one after another."""
    offset = 0
    while offset + 2 <= len(data):
        kind, length = data[offset], data[offset + 1]
        if kind == 0:
            return text(data[offset + 2 : offset + 2 + length])
        offset += 2 + length
    return ""
