"""A network's reservations as an ADD would find them, read without the lock; what is taken stays in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import IoFailure
from cni_multus.state import files
from cni_multus.state.addressindex import running_boot
from cni_multus.state.owners import GARBAGE, NOT_A_RESERVATION, Owner, read_owner
from cni_multus.state.reservations import Reservations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Peek(Reservations):
    """Never entered, and never written: what the several networks of one ADD would take is seen by each other."""

    def __init__(self, data_dir: str, network: str) -> None:
        super().__init__(data_dir, network, f"cannot look at the reservations of network {network}")
        self._boot = running_boot()
        self._taken: dict[Ip, Owner] = {}
        self._freed: set[Ip] = set()
        self._seen: set[tuple[int, int]] | None = None

    def holder(self, ip: Ip) -> Owner | None:
        if ip in self._taken or ip in self._freed:
            return self._taken.get(ip)
        try:
            owner = read_owner(f"{self._directory}/{ip}")
        except IoFailure:
            return NOT_A_RESERVATION
        return None if owner is GARBAGE else owner

    def held_by(self, owner: Owner) -> list[Ip]:
        """A container that is about to be made has nothing yet but what it has just taken."""
        return [ip for ip, other in self._taken.items() if other.key == owner.key]

    def find_free(self, family: int, first: int, last: int) -> Ip | None:
        named = self._named()
        for number in range(first, last + 1):
            ip = Ip(family, number)
            if ip not in self._taken and ((family, number) not in named or self.holder(ip) is None):
                return ip
        return None

    def reserve(self, owner: Owner, ips: Sequence[Ip], *, remember: bool = False) -> None:
        self._taken.update(dict.fromkeys(ips, owner))

    def give_back(self, owner: Owner, ips: Sequence[Ip]) -> None:
        self._freed.update(ips)

    def reclaim_dead(self) -> bool:
        """As the lock's holder would, in memory."""
        dead = [ip for ip, owner in self.holders() if self.is_dead(owner, ip)]
        self._freed.update(dead)
        return bool(dead)

    def holders(self) -> Iterable[tuple[Ip, Owner]]:
        """Every address that somebody has, ascending."""
        for family, number in sorted(self._named()):
            ip = Ip(family, number)
            owner = self.holder(ip)
            if owner is not None:
                yield ip, owner

    def _named(self) -> set[tuple[int, int]]:
        if self._seen is None:
            self._seen = set(_addresses(files.names(self._directory)))
        return self._seen


def _addresses(names: Iterable[str]) -> Iterable[tuple[int, int]]:
    for name in names:
        try:
            ip = Ip.parse(name)
        except ValueError:
            continue
        yield ip.family, ip.number
