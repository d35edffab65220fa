"""IP addresses and prefixes as small values, with the arithmetic that CNI needs and nothing else.

The standard `ipaddress` module costs 4 ms to import, a third of a request; this one costs none.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

TYPE_CHECKING = False
if TYPE_CHECKING:
    Span = tuple[int, int]
    """The first and the last of consecutive addresses, as numbers."""

BITS = {4: 32, 6: 128}
_FAMILIES = {4: AF_INET, 6: AF_INET6}
_MAPPED = 0xFFFF << 32


class Ip:
    """One address: `family` is 4 or 6, `number` its value. An IPv4-mapped IPv6 address is IPv4."""

    __slots__ = ("family", "number")

    def __init__(self, family: int, number: int) -> None:
        if not 0 <= number < 1 << BITS[family]:
            raise ValueError(f"{number} is not an IPv{family} address")
        if family == 6 and number >> 32 == 0xFFFF:
            family, number = 4, number - _MAPPED
        self.family = family
        self.number = number

    @staticmethod
    def parse(text: str) -> Ip:
        """Read the textual form; raises ValueError for anything else, zones and leading zeros included."""
        family = 6 if ":" in text else 4
        try:
            return Ip(family, int.from_bytes(inet_pton(_FAMILIES[family], text), "big"))
        except (OSError, ValueError):
            raise ValueError(f"{text!r} is not an IP address") from None

    @property
    def packed(self) -> bytes:
        """Network byte order: 4 or 16 bytes."""
        return self.number.to_bytes(BITS[self.family] // 8, "big")

    def __str__(self) -> str:
        if self.family == 6 and 0xFFFF < self.number < 1 << 32:
            # The C library writes ::a.b.c.d here; Go, and so every file and result of the reference, does not.
            return f"::{self.number >> 16:x}:{self.number & 0xFFFF:x}"
        return inet_ntop(_FAMILIES[self.family], self.packed)

    def __repr__(self) -> str:
        return f"Ip({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ip) and (self.family, self.number) == (other.family, other.number)

    def __hash__(self) -> int:
        return hash((self.family, self.number))


class Cidr:
    """An address with its prefix length, host bits kept: `10.1.2.3/24`."""

    __slots__ = ("ip", "prefix")

    def __init__(self, ip: Ip, prefix: int) -> None:
        if not 0 <= prefix <= BITS[ip.family]:
            raise ValueError(f"/{prefix} is no prefix length of an IPv{ip.family} address")
        self.ip = ip
        self.prefix = prefix

    @staticmethod
    def parse(text: str) -> Cidr:
        """Read `address/length`; raises ValueError for anything else, a missing length included."""
        address, slash, length = text.partition("/")
        if not slash or not length.isascii() or not length.isdecimal() or len(length) > 3:
            raise ValueError(f"{text!r} is not an address with a prefix length (as in 10.1.2.3/24)")
        prefix = int(length)
        family = 6 if ":" in address else 4
        ip = Ip.parse(address)
        if ip.family != family:
            prefix -= 96
        return Cidr(ip, prefix)

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.ip.family

    @property
    def first(self) -> int:
        """The network address, as a number."""
        size = BITS[self.family] - self.prefix
        return self.ip.number >> size << size

    @property
    def last(self) -> int:
        """The highest address of the prefix (IPv4: the broadcast address), as a number."""
        return self.first | (1 << BITS[self.family] - self.prefix) - 1

    @property
    def network(self) -> Cidr:
        """The same prefix without host bits."""
        return Cidr(Ip(self.family, self.first), self.prefix)

    def contains(self, ip: Ip) -> bool:
        """Whether `ip` lies in this prefix."""
        return ip.family == self.family and self.first <= ip.number <= self.last

    def __str__(self) -> str:
        return f"{self.ip}/{self.prefix}"

    def __repr__(self) -> str:
        return f"Cidr({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cidr) and (self.ip, self.prefix) == (other.ip, other.prefix)

    def __hash__(self) -> int:
        return hash((self.ip, self.prefix))


def without(spans: list[Span], first: int, last: int) -> list[Span]:
    """What is left of `spans`, ascending and apart from each other, once `first` to `last` are taken out."""
    kept = []
    for low, high in spans:
        if last < low or high < first:
            kept.append((low, high))
            continue
        if low < first:
            kept.append((low, first - 1))
        if last < high:
            kept.append((last + 1, high))
    return kept


def parse_mac(text: str) -> str:
    """A 48-bit MAC in any of its spellings, as lower-case colon form; raises ValueError."""
    digits = text.lower()
    for separator, width in ((":", 2), ("-", 2), (".", 4)):
        if separator in digits:
            groups = digits.split(separator)
            if any(len(group) != width for group in groups):
                raise ValueError(f"{text!r} is not a MAC address")
            digits = "".join(groups)
            break
    else:
        raise ValueError(f"{text!r} is not a MAC address")
    if len(digits) != 12 or any(digit not in "0123456789abcdef" for digit in digits):
        raise ValueError(f"{text!r} is not a 48-bit MAC address")
    if int(digits[:2], 16) & 1:
        raise ValueError(f"{text!r} is a multicast MAC address")
    if digits == "0" * 12:
        raise ValueError(f"{text!r} is the zero MAC address")
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
