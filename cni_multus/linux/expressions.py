"""What rules of nftables are made of: values loaded into registers, compared, looked up, and what follows.

A register is 4 bytes, counted from 0; an address of IPv6, or an interface's name, takes four of them.
Numbers are those of the kernel's <linux/netfilter/nf_tables.h> and <linux/netfilter/nf_conntrack_common.h>.
"""

from __future__ import annotations

import struct

from cni_multus.linux.codec import NLA_F_NESTED, attribute, attributes, nested, string
from cni_multus.linux.nftdata import be32, verdict_data

EQUAL, NOT_EQUAL = 0, 1

META_MARK, META_IIF, META_IIFNAME, META_OIFNAME, META_NFPROTO, META_L4PROTO = 3, 4, 6, 7, 15, 16
META_BRI_IIFNAME = 17
"""In tables of family bridge: the bridge that the packet came in by."""

CT_STATE, CT_STATUS = 0, 2
STATE_ESTABLISHED, STATE_RELATED, STATE_NEW = 2, 4, 8
STATUS_SRC_NAT, STATUS_DST_NAT = 0x10, 0x20

NFPROTO = {4: 2, 6: 10}
"""meta nfproto, by family."""

_LINK_LAYER, _NETWORK, _TRANSPORT = 0, 1, 2
_ADDRTYPE, _OF_SOURCE, _OF_DESTINATION = 3, 1, 2
_LOCAL = 2
_LIST_ELEM = 1


def load_meta(key: int, register: int = 0) -> bytes:
    """A property of the packet."""
    return _expression("meta", (1, _register(register)), (2, be32(key)))


def set_mark(register: int = 0) -> bytes:
    """The packet's mark becomes what the register holds."""
    return _expression("meta", (2, be32(META_MARK)), (3, _register(register)))


def load_saddr(family: int, register: int = 0) -> bytes:
    """The source address."""
    return _payload(_NETWORK, 12 if family == 4 else 8, 4 if family == 4 else 16, register)


def load_daddr(family: int, register: int = 0) -> bytes:
    """The destination address."""
    return _payload(_NETWORK, 16 if family == 4 else 24, 4 if family == 4 else 16, register)


def load_sport(register: int = 0) -> bytes:
    """The source port of TCP, UDP and SCTP."""
    return _payload(_TRANSPORT, 0, 2, register)


def load_dport(register: int = 0) -> bytes:
    """The destination port of TCP, UDP and SCTP."""
    return _payload(_TRANSPORT, 2, 2, register)


def load_ether_saddr(register: int = 0) -> bytes:
    """The source MAC."""
    return _payload(_LINK_LAYER, 6, 6, register)


def load_ct(key: int, register: int = 0) -> bytes:
    """A property of the packet's connection."""
    return _expression("ct", (1, _register(register)), (2, be32(key)))


def load_value(value: bytes, register: int = 0) -> bytes:
    """A constant."""
    return _expression("immediate", (1, _register(register)), nested_data(2, value))


def load_is_local(*, of_source: bool = False, register: int = 0) -> bytes:
    """The kind of the destination's (or source's) address, to be compared with `LOCAL`."""
    flags = _OF_SOURCE if of_source else _OF_DESTINATION
    return _expression("fib", (1, _register(register)), (2, be32(_ADDRTYPE)), (3, be32(flags)))


LOCAL = struct.pack("=I", _LOCAL)
"""What `load_is_local` loads for an address of the node's own."""


def compare(value: bytes, operation: int = EQUAL, register: int = 0) -> bytes:
    """Go on if the register holds `value` (or, with NOT_EQUAL, if not)."""
    return _expression("cmp", (1, _register(register)), (2, be32(operation)), nested_data(3, value))


def compare_range(low: bytes, high: bytes, operation: int = EQUAL, register: int = 0) -> bytes:
    """Go on if the register holds `low`, `high` or what is between (or, with NOT_EQUAL, if not); big endian."""
    ends = (nested_data(3, low), nested_data(4, high))
    return _expression("range", (1, _register(register)), (2, be32(operation)), *ends)


def mask(value: bytes, flip: bytes = b"", register: int = 0) -> bytes:
    """The register keeps the bits of `value`, then those of `flip` are turned over."""
    length = (3, be32(len(value)))
    flipped = flip or bytes(len(value))
    ends = ((1, _register(register)), (2, _register(register)), length)
    return _expression("bitwise", *ends, nested_data(4, value), nested_data(5, flipped))


def look_up(name: str, register: int = 0, *, absent: bool = False) -> bytes:
    """Go on if the set has (or, with `absent`, has not) the key that begins in the register."""
    flags = ((5, be32(1)),) if absent else ()
    return _expression("lookup", (1, string(name)), (2, _register(register)), *flags)


def verdict_from(name: str, register: int = 0) -> bytes:
    """What the map says of the key that begins in the register; go on where it has none."""
    return _expression("lookup", (1, string(name)), (2, _register(register)), (3, be32(0)))


def value_from(name: str, register: int, target: int) -> bytes:
    """What the map has for the key that begins in `register`, loaded into `target`; go on where it has none."""
    return _expression("lookup", (1, string(name)), (2, _register(register)), (3, _register(target)))


def verdict(code: int, chain: str = "") -> bytes:
    """What happens to the packet."""
    return _raw("immediate", attribute(1, be32(0)) + nested(2, verdict_data(code, chain)))


def masquerade() -> bytes:
    """The source becomes the address of the link that the packet leaves by."""
    return _raw("masq", b"")


def dnat(family: int, address: int = 0, port: int | None = None) -> bytes:
    """The destination becomes what is in the register `address`, and in `port`."""
    pairs = [(1, be32(1)), (2, be32(NFPROTO[family])), (3, _register(address))]
    if port is not None:
        pairs.append((5, _register(port)))
    return _expression("nat", *pairs)


def of_family(family: int) -> bytes:
    """Go on with packets of IPv4, or of IPv6: what a rule on addresses in an inet table begins with."""
    return load_meta(META_NFPROTO) + compare(bytes((NFPROTO[family],)))


def nested_data(kind: int, value: bytes) -> tuple[int, bytes]:
    """An attribute that holds a value."""
    return kind | NLA_F_NESTED, attribute(1, value)


def _payload(base: int, offset: int, length: int, register: int) -> bytes:
    where = ((2, be32(base)), (3, be32(offset)), (4, be32(length)))
    return _expression("payload", (1, _register(register)), *where)


def _register(word: int) -> bytes:
    # The kernel's own numbers: 1 to 4 for those that begin a block of 16 bytes, from 8 on for any.
    return be32(1 + word // 4 if word % 4 == 0 else 8 + word)


def _expression(name: str, *pairs: tuple[int, bytes]) -> bytes:
    return _raw(name, attributes(*pairs))


def _raw(name: str, data: bytes) -> bytes:
    return nested(_LIST_ELEM, attribute(1, string(name)), nested(2, data))
