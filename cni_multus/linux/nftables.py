"""nftables: tables, chains, sets and rules of our own, changed in transactions; `expressions` has what rules are of.

Numbers are those of the kernel's <linux/netfilter/nf_tables.h>.
"""

from __future__ import annotations

import errno
import os
import struct

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    attribute,
    attributes,
    message,
    nested,
    silent,
    string,
)
from cni_multus.linux.nftdata import ACCEPT, be32, byte_order, length_of, type_of, udata, verdict_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.linux.netns import Namespace

INET = 1
BRIDGE = 7

PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)

_SUBSYSTEM = 10
_BEGIN, _END = 0x10, 0x11
NEWTABLE, GETTABLE, DELTABLE, NEWCHAIN, GETCHAIN, DELCHAIN, NEWRULE, GETRULE, DELRULE = range(9)
NEWSET, GETSET, DELSET, NEWSETELEM, GETSETELEM, DELSETELEM = range(9, 15)

_NLM_F_APPEND = 0x800
_LIST_ELEM = 1
_DATA_VALUE = 1
_SET_MAP = 0x08
_VERDICTS = 0xFFFFFF00


class Table:
    """A table; `layout` pushes its chains, sets and fixed rules, once, with the table itself, if it is ours."""

    __slots__ = ("family", "layout", "name")

    def __init__(self, family: int, name: str, layout: Callable[[Changes], None] | None = None) -> None:
        self.family = family
        self.name = name
        self.layout = layout

    def exists(self, ns: Namespace) -> bool:
        """Whether the kernel has it."""
        request = message(self.kind(GETTABLE), 0, self.header + attribute(1, string(self.name)))
        try:
            ns.netfilter.request(request, f"cannot look up {self}")
        except NetlinkFailure as failure:
            if failure.errno == errno.ENOENT:
                return False
            raise
        return True

    def try_out(self, ns: Namespace, more: Callable[[Changes], None] = lambda _: None) -> None:
        """Raise NetlinkFailure where the kernel would refuse the table, or `more` in it; nothing is changed.

        It is tried under a name of its own, since its removal must not hit what somebody else makes meanwhile.
        """
        trial = Changes(Table(self.family, f"multus_trial_{os.urandom(4).hex()}", self.layout))
        more(trial)
        trial.remove_table()
        trial.commit(ns)

    def kind(self, number: int) -> int:
        """A message's type."""
        return _SUBSYSTEM << 8 | number

    @property
    def header(self) -> bytes:
        """What every message about it starts with."""
        return struct.pack("!BBH", self.family, 0, 0)

    def __str__(self) -> str:
        return f"nftables table {'bridge' if self.family == BRIDGE else 'inet'} {self.name}"


class Changes:
    """What is to happen to one table, all of it or nothing, in this order."""

    __slots__ = ("_messages", "_table")

    def __init__(self, table: Table) -> None:
        self._table = table
        self._messages: list[tuple[bytes, str]] = []

    def remove_table(self) -> None:
        """The table itself, with all that is in it."""
        self._push(DELTABLE, 0, b"", "cannot remove all")

    def add_base_chain(self, name: str, kind: str, hook: int, priority: int) -> None:
        """A chain that the kernel calls at `hook`; `kind` is filter, nat or route."""
        at = attributes((1, be32(hook)), (2, struct.pack("!i", priority)))
        body = attribute(3, string(name)) + nested(4, at) + attribute(7, string(kind)) + attribute(5, be32(ACCEPT))
        self._push(NEWCHAIN, NLM_F_CREATE, body, f"cannot add chain {name}")

    def add_chain(self, name: str, comment: str = "") -> None:
        """A chain that others lead to; it must not be there."""
        body = attribute(3, string(name)) + (attribute(12, udata(comment)) if comment else b"")
        self._push(NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, body, f"cannot add chain {name}")

    def remove_chain(self, name: str) -> None:
        """A chain and its rules; nothing may lead to it any more."""
        self.flush_chain(name)
        self._push(DELCHAIN, 0, attribute(3, string(name)), f"cannot remove chain {name}")

    def flush_chain(self, name: str) -> None:
        """Remove the rules of a chain."""
        self._push(DELRULE, 0, attribute(2, string(name)), f"cannot empty chain {name}")

    def add_rule(self, chain: str, *expressions: bytes, comment: str = "") -> None:
        """A rule at the end of a chain, of what `expressions` makes."""
        body = attribute(2, string(chain)) + nested(4, *expressions)
        if comment:
            body += attribute(7, udata(comment))
        self._push(NEWRULE, NLM_F_CREATE | _NLM_F_APPEND, body, f"cannot add a rule to chain {chain}")

    def remove_rule(self, chain: str, handle: int) -> None:
        """The rule with that handle."""
        body = attribute(2, string(chain)) + attribute(3, struct.pack("!Q", handle))
        self._push(DELRULE, 0, body, f"cannot remove a rule of chain {chain}")

    def add_set(self, name: str, *types: int, verdicts: bool = False, values: tuple[int, ...] = ()) -> None:
        """A set of keys of that type, or of several put together; a map to verdicts, or to values, if asked for."""
        flags = _SET_MAP if verdicts or values else 0
        body = attributes((2, string(name)), (3, be32(flags)), (10, be32(1)))
        body += attributes((4, be32(type_of(types))), (5, be32(length_of(types))))
        if verdicts:
            body += attributes((6, be32(_VERDICTS)), (7, be32(0)))
        elif values:
            body += attributes((6, be32(type_of(values))), (7, be32(length_of(values))))
        if len(types) == 1:
            body += attribute(13, byte_order(types[0]))
        self._push(NEWSET, NLM_F_CREATE, body, f"cannot add set {name}")

    def add_element(
        self,
        name: str,
        key: bytes,
        *,
        verdict: int | None = None,
        chain: str = "",
        value: bytes = b"",
        comment: str = "",
    ) -> None:
        """A key that the set must not have; in a map with its value, or what follows (JUMP and GOTO to a chain)."""
        body = nested(1, attribute(_DATA_VALUE, key))
        if verdict is not None:
            body += nested(2, verdict_data(verdict, chain))
        elif value:
            body += nested(2, attribute(_DATA_VALUE, value))
        if comment:
            body += attribute(6, udata(comment))
        self._push_element(NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, name, body, f"cannot add to set {name}")

    def remove_element(self, name: str, key: bytes) -> None:
        """A key that the set must have."""
        body = nested(1, attribute(_DATA_VALUE, key))
        self._push_element(DELSETELEM, 0, name, body, f"cannot remove from set {name}")

    def commit(self, ns: Namespace) -> None:
        """Do it all, the table with its layout first where there is none; NetlinkFailure, and nothing is changed."""
        if not self._messages:
            return
        if not self._table.exists(ns):
            whole = Changes(self._table)
            whole._push(NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, b"", f"cannot add {self._table}")
            if self._table.layout is not None:
                self._table.layout(whole)
            whole._messages += self._messages
            try:
                whole._send(ns)
                return
            except NetlinkFailure as failure:
                if failure.errno != errno.EEXIST or not self._table.exists(ns):
                    raise
        self._send(ns)

    def _send(self, ns: Namespace) -> None:
        begin, end = (silent(message(kind, 0, struct.pack("!BBH", 0, 0, _SUBSYSTEM))) for kind in (_BEGIN, _END))
        attempt = f"cannot change {self._table}"
        *first, last = self._messages
        quiet = [(silent(each), tried) for each, tried in first]
        ns.netfilter.transaction([(begin, attempt), *quiet, last, (end, attempt)])

    def _push(self, kind: int, flags: int, body: bytes, attempt: str) -> None:
        whole = self._table.header + attribute(1, string(self._table.name)) + body
        self._messages.append((message(self._table.kind(kind), flags, whole), f"{attempt} of {self._table}"))

    def _push_element(self, kind: int, flags: int, name: str, element: bytes, attempt: str) -> None:
        body = attribute(2, string(name)) + nested(3, nested(_LIST_ELEM, element))
        self._push(kind, flags, body, attempt)
