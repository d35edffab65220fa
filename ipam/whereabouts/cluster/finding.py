"""Which address is tried next in one pool: from what this node has seen of it, asking the API only after a loss."""

from __future__ import annotations

import os

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig, TryAgainLater
from cni_multus.kube.objects import RESERVATIONS
from ipam.whereabouts.cluster.naming import parse_address, reservation_name
from ipam.whereabouts.cluster.pools import read_pool
from ipam.whereabouts.cluster.record import Take
from ipam.whereabouts.cluster.seen import Seen
from ipam.whereabouts.cluster.taking import require_room
from ipam.whereabouts.policy import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.kube.client import Client
    from ipam.whereabouts.cluster.entry import Entry
    from ipam.whereabouts.cluster.pools import Place, PoolView
    from ipam.whereabouts.cluster.taking import Taking
    from ipam.whereabouts.config import Wanted, WhereaboutsConfig

_A_WRITE = 0.008
"""Seconds that an API server needs for one, if nobody else comes."""
_LONGEST_HOLD_OFF = 15.0
_UNEXPLAINED = 6
"""So many addresses that are free in the pool and yet somebody's: then all reservations are listed."""


class Finding:
    """The search for one address of `place` for the pod and interface of `entry`."""

    def __init__(
        self, client: Client, config: WhereaboutsConfig, place: Place, entry: Entry, taking: Taking, wait: float
    ) -> None:
        self._client = client
        self._config = config
        self._place = place
        self._entry = entry
        self._taking = taking
        self._wait = wait
        self._losses = 0
        self._spread = 0
        """How many of them were to somebody who chose as we do."""
        self._unexplained = 0
        self._listed = False
        self._next: Ip | None = None
        """Chosen with the same look that showed that the pod has none."""
        self.wanted: Wanted | None = None
        """The address that was asked for."""
        self.last_effort: Callable[[], bool] = lambda: False
        """Called once before the pool is said to be exhausted: whether something may have become free."""

    def held_already(self, used: set[Ip], *, at_any_price: bool) -> tuple[Take, Entry] | None:
        """An address that the pool says the pod's interface has, though this node's journal does not.

        The pool is read for that only where it was never read, or showed such an entry when it was, or `at_any_price`.
        """
        with self._seen() as seen:
            self._taking.texts[self._place.name] = seen.text
            if seen.generation and not at_any_price and not seen.knows(self._entry):
                self._next = None if self.wanted else self._choose_of(seen, used)
                return None
            view = self._read(cached=seen.generation == 0)
            seen.learn(view, self._place.base)
        return self.found_in(view, used)

    def found_in(self, view: PoolView | None, used: set[Ip]) -> tuple[Take, Entry] | None:
        """The lowest address of the pod's interface in a pool as it was read."""
        pool = self._place.pool
        for offset, entry in sorted(view.entries.items() if view else ()):
            ip = view.ip(offset) if view else None
            if ip is None or ip in used or not entry.is_of(self._entry):
                continue
            # Of two windows of one range each has its own; a range that was edited keeps what pods have.
            if pool.first <= ip.number <= pool.last or len(self._config.pools) == 1:
                return self.take_of(ip), entry
        return None

    def next(self, used: set[Ip]) -> Take:
        """The address to try next; raises TryAgainLater where there is none."""
        if self.wanted and self._may_be_tried(self.wanted):
            with self._seen() as seen:
                seen.give(self.wanted.ip)
            return self.take_of(self.wanted.ip)
        ip = self._next or self._choose(used) or self._choose_with_effort(used)
        self._next = None
        if ip is None:
            raise self._exhausted()
        return self.take_of(ip)

    def hold_off(self, pace: float) -> float:
        """Seconds: those who lost to each other write into the pool one after another, not all at once.

        `pace` is what an easier call took: a server that is slow at that has many of them already.
        """
        if not self._spread:
            return 0.0
        others: int = 4 ** (self._spread + 1)  # they have lost less often than they are many
        span = min(others * max(_A_WRITE, pace / 16), _LONGEST_HOLD_OFF)
        return int.from_bytes(os.urandom(2), "little") / (1 << 16) * span

    def lost(self, take: Take) -> None:
        """Somebody has that address: look at the pool, and do not try it again."""
        self._losses += 1
        ip = take.address.ip
        self._spread += not self.wanted or self.wanted.ip != ip
        if self._place.name not in self._taking.views:
            self._read()
        view = self._taking.views.pop(self._place.name)
        require_room(self._place, view)
        explained = bool(view and take.offset in view.entries)
        self._unexplained += not explained
        with self._seen() as seen:
            seen.learn(view, self._place.base)
            if not explained:
                seen.is_elsewhere(ip)
        if self._unexplained >= _UNEXPLAINED and not self._listed:
            self._list_reservations()

    def take_of(self, ip: Ip) -> Take:
        """An address of the place as the journal has it."""
        name = reservation_name(self._config.network_name, ip) if self._config.exclusive else ""
        return Take(self._place.name, self._place.base, Cidr(ip, self._place.pool.cidr.prefix), name)

    def _may_be_tried(self, wanted: Wanted) -> bool:
        """Whether this is the address to try; raises where it must be, and cannot."""
        inside = self._place.base.contains(wanted.ip)
        if wanted.firmly and not inside:
            raise InvalidNetworkConfig(
                f"{wanted.source} asks for {wanted.ip}, which is not in {self._place.base}, this node's slice of "
                f"{self._place.pool.cidr}",
            )
        if wanted.firmly and self._losses:
            raise self._taken(wanted)
        return inside and not self._losses

    def _choose(self, used: set[Ip]) -> Ip | None:
        with self._seen() as seen:
            return self._choose_of(seen, used)

    def _choose_of(self, seen: Seen, used: set[Ip]) -> Ip | None:
        assert self._config.cluster
        for ip in used:
            if self._place.base.contains(ip):
                seen.give(ip)
        begin = start(self._config.policy, self._place.pool, seen.last, self._config.cluster.node)
        return seen.choose(self._place.pool, begin, self._spread)

    def _choose_with_effort(self, used: set[Ip]) -> Ip | None:
        """After a look at all that there is, and after what this node may still have to give back."""
        for attempt in range(2):
            if attempt and not self.last_effort():
                break
            view = self._read()
            with self._seen() as seen:
                seen.learn(view, self._place.base)
                seen.learn(view, self._place.base)  # twice: what was in the air before is believed no more
            self._list_reservations()
            if ip := self._choose(used):
                return ip
        return None

    def _read(self, *, cached: bool = False) -> PoolView | None:
        view = read_pool(self._client, self._place.namespace, self._place.name, cached=cached)
        self._taking.note(self._place, view)
        require_room(self._place, view)
        return view

    def _list_reservations(self) -> None:
        """All addresses that are somebody's in whichever range: one call for each 500."""
        self._listed = True
        if not self._config.exclusive:
            return
        prefix = f"{self._config.network_name}-" if self._config.network_name else ""
        taken = []
        for item in self._client.list(RESERVATIONS.path(self._place.namespace), metadata_only=True):
            metadata = item.get("metadata")
            name = metadata.get("name") if isinstance(metadata, dict) else None
            ip = parse_address(name[len(prefix) :]) if isinstance(name, str) and name.startswith(prefix) else None
            if ip and self._place.pool.cidr.contains(ip):
                taken.append(ip)
        with self._seen() as seen:
            seen.learn_elsewhere(taken)

    def _seen(self) -> Seen:
        server, where = self._client.access.server, self._place
        attempt = f"cannot look at {where}"
        return Seen(self._config.data_dir, server, where.namespace, where.name, attempt, self._wait)

    def _taken(self, wanted: Wanted) -> TryAgainLater:
        from ipam.whereabouts.cluster.explaining import why_taken

        return why_taken(self._client, self._config, self._place, wanted)

    def _exhausted(self) -> TryAgainLater:
        from ipam.whereabouts.cluster.explaining import why_exhausted

        return why_exhausted(self._place, self._taking.views.get(self._place.name), exclusive=self._config.exclusive)
