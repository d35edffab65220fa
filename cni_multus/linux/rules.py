"""Routing policy rules: list them, and the messages that add and remove those that choose a table by the source.

Numbers are those of the kernel's <linux/fib_rules.h> and <linux/rtnetlink.h>.
"""

from __future__ import annotations

import struct

from cni_multus.linux.addresses import AF_INET, AF_INET6, family_of, kernel_family, written
from cni_multus.linux.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    attribute,
    dump_request,
    message,
    number,
    parse_attributes,
    u32,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

RTM_NEWRULE = 32
RTM_DELRULE = 33
RTM_GETRULE = 34

FR_ACT_TO_TBL = 1

_FIB_RULE_HDR = struct.Struct("=BBBBBxxBI")  # family, dst length, src length, tos, table, action, flags
_FIB_RULE_INVERT = 0x2
_FRA_SRC = 2
_FRA_PRIORITY = 6
_FRA_TABLE = 15

# What narrows a rule down: destination, interfaces, mark and mask, tunnel, l3mdev, users, protocol, ports.
_SELECTORS = frozenset((1, 3, 10, 12, 16, 17, 19, 20, 22, 23, 24))


class Rule:
    """One rule; `source` is b"" for any, `by_source` says that it looks at nothing else and leads to `table`."""

    __slots__ = ("by_source", "family", "prefix", "priority", "source", "table")

    def __init__(
        self, family: int, source: bytes, prefix: int, table: int, priority: int, *, by_source: bool = True
    ) -> None:
        self.family = family
        self.source = source
        self.prefix = prefix
        self.table = table
        self.priority = priority
        self.by_source = by_source

    @staticmethod
    def of(address: bytes, table: int, priority: int) -> Rule:
        """The rule that sends what comes from one address to a table."""
        return Rule(family_of(address), address, len(address) * 8, table, priority)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal rules."""
        return self.family, self.source, self.prefix, self.table, self.priority, self.by_source

    def __str__(self) -> str:
        source = written(self.source) if self.source else "all"
        if self.source and self.prefix < len(self.source) * 8:
            source += f"/{self.prefix}"
        return f"from {source} lookup {self.table} priority {self.priority}"

    def __repr__(self) -> str:
        return f"Rule({self})"


def decode_rule(body: bytes) -> Rule:
    """The rule in the body of an RTM_NEWRULE; ValueError when it is not one of IPv4 or IPv6."""
    if len(body) < _FIB_RULE_HDR.size:
        raise ValueError(f"rule message of {len(body)} bytes")
    family, destination, prefix, tos, table, action, flags = _FIB_RULE_HDR.unpack_from(body)
    if family not in (AF_INET, AF_INET6):
        raise ValueError(f"rule of family {family}")
    found = parse_attributes(body[_FIB_RULE_HDR.size :])
    narrowed = destination or tos or flags & _FIB_RULE_INVERT or not _SELECTORS.isdisjoint(found)
    source = found.get(_FRA_SRC, b"")
    return Rule(
        4 if family == AF_INET else 6,
        source,
        prefix,
        number(found[_FRA_TABLE]) if _FRA_TABLE in found else table,
        number(found.get(_FRA_PRIORITY, b"")),
        by_source=bool(source) and action == FR_ACT_TO_TBL and not narrowed,
    )


def list_rules(ns: Namespace, family: int = 0) -> list[Rule]:
    """Every rule of family 4, 6 or both, in the order in which the kernel asks them."""
    request = dump_request(RTM_GETRULE, _FIB_RULE_HDR.pack(kernel_family(family), 0, 0, 0, 0, 0, 0))
    listed = ns.netlink.dump(request, f"cannot list routing rules of {ns}")
    # Multicast routing has rules too, and answers a dump of all families.
    found = [decode_rule(body) for kind, body in listed if kind == RTM_NEWRULE and body[:1] in (b"\x02", b"\x0a")]
    return [rule for rule in found if family in (0, rule.family)]


def add_rule_message(rule: Rule) -> bytes:
    """The message that adds a rule; EEXIST where there is an equal one."""
    return message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, _body(rule))


def remove_rule_message(rule: Rule) -> bytes:
    """The message that removes a rule; ENOENT where there is none."""
    return message(RTM_DELRULE, 0, _body(rule))


def _body(rule: Rule) -> bytes:
    table = rule.table if rule.table < 256 else 0
    body = _FIB_RULE_HDR.pack(kernel_family(rule.family), 0, rule.prefix, 0, table, FR_ACT_TO_TBL, 0)
    if rule.source:
        body += attribute(_FRA_SRC, rule.source)
    return body + attribute(_FRA_PRIORITY, u32(rule.priority)) + attribute(_FRA_TABLE, u32(rule.table))
