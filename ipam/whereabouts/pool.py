"""A pool: one range of a network, as the addresses that it may give; pure arithmetic on whole numbers."""

from __future__ import annotations

from cni_multus.cni.addressing import BITS, Cidr, Ip, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cni.addressing import Span


class Pool:
    """The addresses `first` to `last` of `cidr`, a network, without what was taken out.

    `gateway` is of the pool's family, or None; `path` is where the range stands in the configuration.
    """

    __slots__ = ("cidr", "first", "gateway", "last", "path", "slice_size", "spans")

    def __init__(self, cidr: Cidr, first: int, last: int, gateway: Ip | None = None, path: str = "") -> None:
        self.cidr = cidr.network
        self.first = first
        self.last = last
        self.gateway = gateway
        self.path = path
        self.slice_size = 0
        """The prefix length of a node's slice of it; 0 where it is not sliced."""
        self.spans: list[Span] = [(first, last)]
        """What may be given, ascending and apart from each other."""

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.cidr.family

    @property
    def size(self) -> int:
        """How many addresses it may give."""
        return sum(last - first + 1 for first, last in self.spans)

    def take_out(self, first: int, last: int) -> None:
        """Never give `first` to `last`."""
        self.spans = without(self.spans, first, last)

    def narrow(self, first: int, last: int) -> None:
        """Give nothing outside `first` to `last`: a node's slice, for example."""
        self.spans = [(max(low, first), min(high, last)) for low, high in self.spans if low <= last and first <= high]

    def may_give(self, ip: Ip) -> bool:
        """Whether `ip` is one that it can give."""
        return ip.family == self.family and any(low <= ip.number <= high for low, high in self.spans)

    def spans_from(self, start: int) -> Iterator[Span]:
        """Everything it may give, ascending from `start`, then from the lowest up to it."""
        yield from ((max(low, start), high) for low, high in self.spans if high >= start)
        yield from ((low, min(high, start - 1)) for low, high in self.spans if low < start)

    def offset(self, ip: Ip) -> int:
        """The distance of `ip` from the network's address, which is its key in an IPPool."""
        return ip.number - self.cidr.first

    def __str__(self) -> str:
        """`10.0.0.0/24 (10.0.0.10 to 10.0.0.99)`; the bounds are left out where they are the network's own."""
        inner = 0 if BITS[self.family] - self.cidr.prefix <= 1 else 1
        if (self.first, self.last) == (self.cidr.first + inner, self.cidr.last - inner):
            return str(self.cidr)
        return f"{self.cidr} ({Ip(self.family, self.first)} to {Ip(self.family, self.last)})"
