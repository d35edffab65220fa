"""Ranges of addresses and sets of them, parsed, and the order in which a set is searched; pure arithmetic."""

from __future__ import annotations

from cni_multus.cni.addressing import BITS, Cidr, Ip, without
from cni_multus.cni.config import objects
from cni_multus.cni.errors import InvalidNetworkConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cni.addressing import Span
    from cni_multus.cni.config import Section


class Range:
    """A part of a subnet, `first` to `last` (numbers, inclusive); `gateway` may lie anywhere and is not given out."""

    __slots__ = ("first", "gateway", "last", "path", "spans", "subnet")

    def __init__(self, subnet: Cidr, first: int, last: int, gateway: Ip | None, path: str) -> None:
        self.subnet = subnet
        self.first = first
        self.last = last
        self.gateway = gateway
        self.path = path
        self.spans: list[Span] = [(first, last)]
        """What may be given out: the range without gateways and exclusions."""

    @staticmethod
    def parse(section: Section) -> Range:
        """Read {subnet, rangeStart, rangeEnd, gateway}. Of a /31, /32, /127 and /128 every address serves."""
        if not section.text("subnet"):
            raise section.wrong("subnet", "it is missing")
        subnet = section.cidr("subnet")
        if subnet.ip.number != subnet.first:
            raise section.wrong("subnet", f"{subnet} has host bits set; the network is {subnet.network}")
        point_to_point = BITS[subnet.family] - subnet.prefix <= 1
        inner = 0 if point_to_point else 1
        first = _bound(section, "rangeStart", subnet, subnet.first + inner)
        last = _bound(section, "rangeEnd", subnet, subnet.last - (inner if subnet.family == 4 else 0))
        if first > last:
            raise section.wrong("rangeStart", f"{Ip(subnet.family, first)} is after rangeEnd {Ip(subnet.family, last)}")
        gateway = section.ip("gateway")
        if gateway is None and not point_to_point:
            gateway = Ip(subnet.family, subnet.first + 1)
        if gateway is not None and gateway.family != subnet.family:
            raise section.wrong("gateway", f"{gateway} is not of the family of {subnet}")
        return Range(subnet, first, last, gateway, section.path)

    def contains(self, ip: Ip) -> bool:
        """Whether `ip` lies between the bounds, gateway and exclusions included."""
        return ip.family == self.subnet.family and self.first <= ip.number <= self.last

    def overlaps(self, other: Range) -> bool:
        """Whether the two have an address in common."""
        return self.subnet.family == other.subnet.family and self.first <= other.last and other.first <= self.last

    def take_out(self, family: int, first: int, last: int) -> None:
        """Never give out what lies between the two."""
        if family == self.subnet.family:
            self.spans = without(self.spans, first, last)

    def __str__(self) -> str:
        return f"{Ip(self.subnet.family, self.first)}-{Ip(self.subnet.family, self.last)} of {self.subnet}"


class RangeSet:
    """Ranges of one family; every attachment gets one address of each set."""

    __slots__ = ("path", "ranges")

    def __init__(self, ranges: list[Range], path: str) -> None:
        self.ranges = ranges
        self.path = path
        if not ranges:
            raise InvalidNetworkConfig(f"{path}: the set of ranges is empty")
        for at, one in enumerate(ranges):
            if one.subnet.family != self.family:
                raise InvalidNetworkConfig(
                    f"{one.path}.subnet: {one.subnet} is not of the family of {ranges[0].subnet}"
                )
            for other in ranges[:at]:
                if one.overlaps(other):
                    raise InvalidNetworkConfig(f"{one.path}: {one} overlaps {other.path}, {other}")

    @staticmethod
    def parse(value: object, path: str) -> RangeSet:
        """Read a list of ranges."""
        if not isinstance(value, list):
            raise InvalidNetworkConfig(f"{path}: a set of ranges must be a list of objects")
        return RangeSet([Range.parse(section) for section in objects(value, path)], path)

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.ranges[0].subnet.family

    @property
    def size(self) -> int:
        """How many addresses it can give out."""
        return sum(last - first + 1 for one in self.ranges for first, last in one.spans)

    def range_of(self, ip: Ip) -> Range | None:
        """The range that `ip` lies in."""
        return next((one for one in self.ranges if one.contains(ip)), None)

    def may_give(self, ip: Ip) -> bool:
        """Whether `ip` is one that it can give out."""
        return any(first <= ip.number <= last for one in self.ranges for first, last in one.spans)

    def spans_after(self, last: Ip | None) -> Iterator[Span]:
        """What to search, in order: round robin from behind `last`, from the beginning where that is not in the set."""
        start = None if last is None else self.range_of(last)
        if last is None or start is None:
            for one in self.ranges:
                yield from one.spans
            return
        at = self.ranges.index(start)
        yield from ((max(low, last.number + 1), high) for low, high in start.spans if high > last.number)
        for one in self.ranges[at + 1 :] + self.ranges[:at]:
            yield from one.spans
        yield from ((low, min(high, last.number)) for low, high in start.spans if low <= last.number)

    def __str__(self) -> str:
        return ", ".join(map(str, self.ranges))


def _bound(section: Section, key: str, subnet: Cidr, default: int) -> int:
    ip = section.ip(key)
    if ip is None:
        return default
    if not subnet.contains(ip):
        raise section.wrong(key, f"{ip} is not in {subnet}")
    return ip.number
