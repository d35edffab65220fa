"""The table's own chains and rules, and those of ways to containers; only ADD, CHECK and STATUS import this."""

from __future__ import annotations

import struct
from binascii import crc32

from cni_multus.cni.addressing import BITS, Cidr, Ip
from cni_multus.hashes import digest
from cni_multus.linux.expressions import (
    CT_STATUS,
    LOCAL,
    META_IIF,
    META_L4PROTO,
    META_MARK,
    NOT_EQUAL,
    STATUS_DST_NAT,
    compare,
    dnat,
    load_ct,
    load_daddr,
    load_dport,
    load_is_local,
    load_meta,
    load_saddr,
    mask,
    masquerade,
    of_family,
    set_mark,
    value_from,
    verdict,
    verdict_from,
)
from cni_multus.linux.nftables import INET, OUTPUT, POSTROUTING, PREROUTING, Changes, Table
from cni_multus.linux.nftdata import DROP, INET_PROTO, INET_SERVICE, IPV4_ADDR, IPV6_ADDR, JUMP, RETURN
from cni_multus.portmaps.hostport import ANY, NAME, ONE, TO, WAY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.portmaps.requested import PortmapConfig

LOOPBACK = Cidr.parse("127.0.0.0/8")

_RAW, _DSTNAT, _SRCNAT = -300, -100, 100
_LO = struct.pack("=I", 1)
"""lo's index, in every namespace."""

ENTRANCE, _GUARD, MASQUERADING = "hostports", "guard", "postrouting"

_TARGET = 8
"""The register that the container's address is loaded into, behind the key."""

_COMMENT_BYTES = 127
"""What nftables reads back of a comment."""

_TYPES = {4: IPV4_ADDR, 6: IPV6_ADDR}


def _lay_out(changes: Changes) -> None:
    for family, kind in _TYPES.items():
        changes.add_set(ANY[family], INET_PROTO, INET_SERVICE, verdicts=True)
        changes.add_set(ONE[family], INET_PROTO, INET_SERVICE, kind, verdicts=True)
        changes.add_set(ANY[family] + TO, INET_PROTO, INET_SERVICE, values=(kind, INET_SERVICE))
        changes.add_set(ONE[family] + TO, INET_PROTO, INET_SERVICE, kind, values=(kind, INET_SERVICE))
    changes.add_chain(ENTRANCE)
    for family in _TYPES:
        sent = of_family(family) + load_meta(META_L4PROTO) + load_dport(1)
        changes.add_rule(ENTRANCE, sent, load_daddr(family, 2), verdict_from(ONE[family]))
        changes.add_rule(ENTRANCE, sent, verdict_from(ANY[family]))
    for name, hook in (("prerouting", PREROUTING), ("output", OUTPUT)):
        changes.add_base_chain(name, "nat", hook, _DSTNAT)
        changes.add_rule(name, load_is_local(), compare(LOCAL), verdict(JUMP, ENTRANCE))
    changes.add_base_chain(MASQUERADING, "nat", POSTROUTING, _SRCNAT)
    # route_localnet lets 127.0.0.0/8 in by links that others send to. Replies to 127.0.0.1 come to the node's address.
    changes.add_base_chain(_GUARD, "filter", PREROUTING, _RAW)
    elsewhere = of_family(4) + load_meta(META_IIF) + compare(_LO, NOT_EQUAL)
    for load in (load_daddr, load_saddr):
        changes.add_rule(_GUARD, elsewhere, load(4), _within(LOOPBACK), verdict(DROP))


TABLE = Table(INET, NAME, _lay_out)


def masquerading(bit: int) -> tuple[bytes, str]:
    """The rule that masquerades what was marked with that bit, and sent elsewhere; and its comment."""
    number = struct.pack("=I", 1 << bit)
    marked = load_meta(META_MARK) + mask(number) + compare(number)
    redirected = struct.pack("=I", STATUS_DST_NAT)
    led = load_ct(CT_STATUS) + mask(redirected) + compare(redirected)
    return marked + led + masquerade(), f"bit {bit}"


class Way:
    """A chain that ports of one family lead to: its name tells its rules; each with its comment."""

    __slots__ = ("name", "rules")

    def __init__(self, family: int, rules: list[tuple[bytes, str]]) -> None:
        self.rules = rules
        self.name = f"{WAY}{family}-{digest(b''.join([expressions for expressions, _ in rules]).hex(), 16)}"

    @property
    def comments(self) -> list[str]:
        """What its rules are known by."""
        return [why for _, why in self.rules]


def way_of(config: PortmapConfig, target: Cidr) -> Way:
    """The way to a container's address, in the order in which it is gone: conditions, marks, the new address."""
    family = target.family
    own = of_family(family)
    rules = []
    for condition in config.conditions[family]:
        rules += [(own + test + verdict(RETURN), _short(f"unless {condition}")) for test in condition.failures()]
    if config.snat:
        rules += [(own + marking, why) for marking, why in _markings(config, target)]
    return Way(family, rules + leading(family))


def leading(family: int) -> list[tuple[bytes, str]]:
    """The rules that give a packet the container's address."""
    sent = of_family(family) + load_meta(META_L4PROTO) + load_dport(1)
    # An address of IPv6 takes four registers.
    there = dnat(family, _TARGET, _TARGET + (1 if family == 4 else 4))
    to_one = sent + load_daddr(family, 2) + value_from(ONE[family] + TO, 0, _TARGET) + there
    return [(to_one, "to one"), (sent + value_from(ANY[family] + TO, 0, _TARGET) + there, "to any")]


def _markings(config: PortmapConfig, target: Cidr) -> list[tuple[bytes, str]]:
    """What is to be masqueraded: what would be answered past the node, or to an address that is no other host's."""
    bit = struct.pack("=I", 1 << config.bit)
    rest = struct.pack("=I", ~(1 << config.bit) & 0xFFFFFFFF)
    marked = load_meta(META_MARK) + mask(rest, bit) + set_mark()
    if config.masquerade_all:
        return [(marked, f"bit {config.bit}")]
    networks = [target.network, LOOPBACK] if target.family == 4 else [target.network]
    return [
        (load_saddr(target.family) + _within(network) + marked, f"bit {config.bit} from {network}")
        for network in networks
    ]


def _short(text: str) -> str:
    """A comment that is read back as it was written."""
    data = text.encode()
    return text if len(data) <= _COMMENT_BYTES else f"{data[:64].decode(errors='ignore')}~{crc32(data):08x}"


def _within(network: Cidr) -> bytes:
    bits = Cidr(Ip(network.family, (1 << BITS[network.family]) - 1), network.prefix).network.ip.packed
    return mask(bits) + compare(network.ip.packed)
