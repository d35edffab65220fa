"""The words of a condition, taken one after another, and the values that they write."""

from __future__ import annotations

import struct

from cni_multus.cni.addressing import BITS, Cidr, Ip
from cni_multus.cni.names import wrong_with_ifname

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_IFNAME_BYTES = 16


class Value:
    """What a field is compared with: `first`, of the bits of `mask`; or from `first` to `last`; one may have both."""

    __slots__ = ("first", "last", "mask", "text")

    def __init__(self, text: str, first: bytes, *, last: bytes = b"", mask: bytes = b"") -> None:
        self.text = text
        self.first = first
        self.last = last
        self.mask = mask


class Words:
    """What is left of a condition's words; `wrong` makes the error that names the key."""

    __slots__ = ("family", "left", "wrong")

    def __init__(self, words: list[str], family: int, wrong: Callable[[str], Exception]) -> None:
        self.left = words
        self.family = family
        self.wrong = wrong

    def take(self) -> str:
        """The next word."""
        if not self.left:
            raise self.wrong("it ends where a word is missing")
        return self.left.pop(0)

    def take_if(self, word: str) -> bool:
        """Take the next word if it is that one."""
        there = self.left[:1] == [word]
        if there:
            self.take()
        return there

    def take_one_of(self, known: tuple[str, ...]) -> str:
        """The next word, which must be one of those."""
        word = self.take()
        if word not in known:
            raise self.unknown(word, known)
        return word

    def take_until(self, end: str) -> list[str]:
        """The words before `end`, commas left out."""
        found = []
        while (word := self.take()) != end:
            if word != ",":
                found.append(word)
        if not found:
            raise self.wrong("a set is empty")
        return found

    def unknown(self, word: str, known: Iterable[str]) -> Exception:
        """The error that names a word which means nothing here."""
        return self.wrong(f"{word!r} is not known here; it may be one of {', '.join(known)}")


def address(words: Words, text: str) -> Value:
    """An address, a prefix or a range of addresses of the condition's family."""
    low, dash, high = text.partition("-")
    try:
        first = _cidr(low)
        last = _cidr(high) if dash else first
    except ValueError as error:
        raise words.wrong(str(error)) from None
    if {first.family, last.family} != {words.family}:
        raise words.wrong(f"{text} is not of IPv{words.family}")
    if dash:
        if first.first > last.last:
            raise words.wrong(f"{text} ends before it begins")
        return Value(text, first.ip.packed, last=last.ip.packed)
    size = BITS[words.family] // 8
    if first.prefix == 8 * size:
        return Value(text, first.ip.packed)
    bits = Cidr(Ip(words.family, (1 << 8 * size) - 1), first.prefix).network.ip.packed
    network = first.network
    return Value(text, network.ip.packed, last=Ip(words.family, first.last).packed, mask=bits)


def link_name(words: Words, text: str) -> Value:
    """A link's name, or the beginning of several (eth+ with iptables, eth* with nft)."""
    name = text.strip('"')
    several = name[-1:] in ("+", "*")
    start = name[:-1] if several else name
    if why := wrong_with_ifname(start):
        raise words.wrong(f"{text!r} cannot name a link: {why}")
    return Value(name, start.encode() if several else start.encode().ljust(_IFNAME_BYTES, b"\0"))


def mark(words: Words, text: str) -> Value:
    """A packet's mark, or some of its bits: 0x10, 0x10/0xf0."""
    value, slash, bits = text.partition("/")
    packed = struct.pack("=I", _number(words, value, 0xFFFFFFFF))
    return Value(text, packed, mask=struct.pack("=I", _number(words, bits, 0xFFFFFFFF)) if slash else b"")


def port(words: Words, text: str) -> Value:
    """A port, or a range: 1024-65535, and 1024:65535 with iptables."""
    low, dash, high = text.replace(":", "-").partition("-")
    first = _number(words, low, 0xFFFF).to_bytes(2, "big")
    if not dash:
        return Value(text, first)
    last = _number(words, high, 0xFFFF).to_bytes(2, "big")
    if last < first:
        raise words.wrong(f"{text} ends before it begins")
    return Value(text, first, last=last)


def _number(words: Words, text: str, most: int) -> int:
    try:
        value = -1 if "_" in text else int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= most:
        raise words.wrong(f"{text!r} is not a number from 0 to {most}")
    return value


def _cidr(text: str) -> Cidr:
    if "/" in text:
        return Cidr.parse(text)
    ip = Ip.parse(text)
    return Cidr(ip, BITS[ip.family])
