"""An ADD on this node's files: which address of every pool, and all of them in one transaction."""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.document import print_compact
from cni_multus.cni.errors import TryAgainLater
from cni_multus.state import files
from cni_multus.state.leases.change import Change
from cni_multus.state.leases.cooling import sweep
from cni_multus.state.leases.layout import domain_name
from cni_multus.state.leases.lease import Holder, Lease
from cni_multus.state.leases.past import reclaim, reclaim_some
from cni_multus.state.leases.record import Record
from ipam.whereabouts.policy import NEXT, SPREAD, choose, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.state.leases.layout import Slot
    from cni_multus.state.leases.store import Store
    from ipam.whereabouts.config import Wanted, WhereaboutsConfig
    from ipam.whereabouts.pool import Pool

_SWEPT = 8
"""How many leases at the end of their cool-down an ADD frees by the way: more than it takes, so that none pile up."""
_SWEPT_IN_NEED = 256
_SPARSE = 1 << 20
"""In a pool of more addresses than this, those spread over it are not worth a bitmap."""


class Full(Exception):
    """A pool without a free address."""

    def __init__(self, pool: Pool, domain: str) -> None:
        super().__init__()
        self.pool = pool
        self.domain = domain


def domains_of(config: WhereaboutsConfig) -> list[str]:
    """The domain of every pool: one for all where an address is given once, else the pool's own."""
    if config.exclusive:
        return [domain_name(config.network_name)] * len(config.pools)
    return [domain_name(config.network_name, pool.cidr) for pool in config.pools]


def last_given_name(pool: Pool) -> str:
    """The file that remembers where a search in `pool` goes on."""
    return f"{pool.family}-{pool.first:x}-{pool.last:x}"


def acquire(store: Store, config: WhereaboutsConfig, holder: Holder) -> list[Cidr]:
    """One address of every pool, all of them or none."""
    if not config.pools:
        return []
    try:
        with Change(store, f"cannot take addresses of network {config.network}") as change:
            return _Taking(change, config, holder).take()
    except Full as full:
        from ipam.whereabouts.shortage import exhausted

        raise exhausted(store, config, full.pool, full.domain) from None


class _Taking:
    """What one ADD decides, under the lock: `chosen` has an address for every pool once it is done."""

    def __init__(self, change: Change, config: WhereaboutsConfig, holder: Holder) -> None:
        sweep(change, _SWEPT)
        self.change = change
        self.config = config
        self.holder = holder
        self.key = holder.key
        self.before = change.lease_or_remains(self.key)
        self.own: list[Slot] = [*self.before.slots, *self.before.leaving] if self.before else []
        self.domains = domains_of(config)
        self.chosen: list[Ip | None] = [None] * len(config.pools)
        self.taken: set[Slot] = set()

    def take(self) -> list[Cidr]:
        """Choose, and make it so."""
        for way in (self._wanted, self._again, self._again_nearby, self._preferred, self._again_elsewhere, self._next):
            self._each(way)
        record = self._record()
        for domain, pool in zip(self.domains, self.config.pools, strict=True):
            self._describe(domain, pool)
        self.change.take(record, self.before)
        self._remember(record)
        return list(record.lease.addresses)

    def _each(self, choose_one: Callable[[int, Pool], Ip | None]) -> None:
        """Let `choose_one` choose for every pool that has no address yet."""
        for at, pool in enumerate(self.config.pools):
            if self.chosen[at] is None and (ip := choose_one(at, pool)) is not None:
                self.chosen[at] = ip
                self.taken.add((self.domains[at], ip))

    def _wanted(self, at: int, pool: Pool) -> Ip | None:
        """The address that has to be this one; raises TryAgainLater where another has it."""
        wanted = self.config.wanted[at]
        if wanted is None or not wanted.firmly:
            return None
        slot = (self.domains[at], wanted.ip)
        if not self._is_ours_or_free(slot) and (slot in self.taken or not reclaim(self.change, slot)):
            raise self._refused(wanted, slot, pool)
        return wanted.ip

    def _refused(self, wanted: Wanted, slot: Slot, pool: Pool) -> TryAgainLater:
        key = self.change.holder_of(slot)
        who = "another range of the same request" if key is None else self.change.store.describe(key)
        return TryAgainLater(f"{wanted.source}: {wanted.ip} of {pool} is taken by {who}")

    def _again(self, at: int, pool: Pool) -> Ip | None:
        """What the holder has of this pool already, or was about to have when it was interrupted."""
        return next((ip for ip in self._own(at) if self._can_have(at, pool, ip)), None)

    def _again_nearby(self, at: int, pool: Pool) -> Ip | None:
        """The same where the pool was made smaller since: it stays while the pod lives."""
        ours = (ip for ip in self._own(at) if pool.cidr.contains(ip) and ip != pool.gateway)
        return next((ip for ip in ours if self._is_ours_or_free((self.domains[at], ip))), None)

    def _own(self, at: int) -> list[Ip]:
        """What the holder had in the domain of pool number `at`."""
        return [ip for domain, ip in self.own if domain == self.domains[at]]

    def _preferred(self, at: int, pool: Pool) -> Ip | None:
        """The address that was asked for, if it can be had."""
        wanted = self.config.wanted[at]
        return wanted.ip if wanted is not None and self._can_have(at, pool, wanted.ip) else None

    def _again_elsewhere(self, at: int, pool: Pool) -> Ip | None:
        """The address that the holder had in another domain: the network's name there was changed."""
        return next((ip for _, ip in self.own if self._can_have(at, pool, ip)), None)

    def _next(self, at: int, pool: Pool) -> Ip:
        """The address that the policy gives; more and more is done to find one, then raises Full."""
        domain = self.domains[at]
        for make_room in (None, self._sweep, self._rebuild, self._reclaim):
            if make_room is not None and not make_room(domain, pool):
                continue
            ip = choose(pool, _Free(self.change, domain, self.taken), self._start(domain, pool))
            if ip is not None:
                return ip
        raise Full(pool, domain)

    def _start(self, domain: str, pool: Pool) -> int:
        last_given = None
        if self.config.policy == NEXT:
            data = files.read(self.change.layout.last(domain, last_given_name(pool))) or b""
            last_given = int(data) if data.isdigit() else None
        return start(self.config.policy, pool, last_given, self.key)

    def _sweep(self, domain: str, pool: Pool) -> bool:
        return sweep(self.change, _SWEPT_IN_NEED, to_the_second=True) > 0

    def _rebuild(self, domain: str, pool: Pool) -> bool:
        from cni_multus.state.leases.rebuilding import rebuild

        return rebuild(self.change, domain)

    def _reclaim(self, domain: str, pool: Pool) -> bool:
        return reclaim_some(self.change, domain, last_given_name(pool), pool.spans, pool.family)

    def _can_have(self, at: int, pool: Pool, ip: Ip) -> bool:
        return pool.may_give(ip) and self._is_ours_or_free((self.domains[at], ip))

    def _is_ours_or_free(self, slot: Slot) -> bool:
        """Whether nobody else has an address, another pool of the same request included."""
        return slot not in self.taken and self.change.holder_of(slot) in (None, self.key)

    def _record(self) -> Record:
        addresses = [Cidr(ip, pool.cidr.prefix) for ip, pool in zip(self.chosen, self.config.pools, strict=True) if ip]
        now, before = self.change.now, self.before
        wanted = self.holder
        holder = Holder(
            wanted.attachment,
            pod=wanted.pod,
            uid=wanted.uid,
            claim=wanted.claim,
            node=wanted.node,
            boot=now.boot,
            netns=wanted.netns,
        )
        record = Record(self.key, Lease(holder, addresses, now.wall), self.domains, cool_down=self.config.cool_down)
        record.uptime = now.uptime
        record.leaving = tuple(slot for slot in self.own if slot not in record.slots)
        if before is not None and not before.is_released and set(before.slots) == set(record.slots):
            record.lease.since = before.lease.since
            if before.lease.holder.boot == now.boot:
                record.uptime = before.uptime
        return record

    def _describe(self, domain: str, pool: Pool) -> None:
        """Say what a domain is, for people."""
        path = self.change.layout.domain(domain)
        what = {"network_name": self.config.network_name, "pool": "" if self.config.exclusive else str(pool.cidr)}
        text = print_compact(what) + b"\n"
        if files.read(path) != text:
            self.change.remember(path, text)

    def _remember(self, record: Record) -> None:
        """Leave hints for the next ADD."""
        for (domain, ip), pool in zip(record.slots, self.config.pools, strict=True):
            if self.config.policy != SPREAD or pool.size <= _SPARSE:
                self.change.hints(domain).mark(ip)
            if self.config.policy == NEXT:
                self.change.remember(self.change.layout.last(domain, last_given_name(pool)), b"%d" % ip.number)


class _Free:
    """Which addresses of a domain are free: what the bitmap says, corrected by the links."""

    def __init__(self, change: Change, domain: str, taken: set[Slot]) -> None:
        self._change = change
        self._domain = domain
        self._taken = taken

    def find_free(self, family: int, first: int, last: int) -> int | None:
        """The lowest free address from `first` to `last`, as a number."""
        hints = self._change.hints(self._domain)
        while (number := hints.find_free(family, first, last)) is not None:
            slot = (self._domain, Ip(family, number))
            if slot not in self._taken:
                if self._change.holder_of(slot) is None:
                    return number
                hints.mark(slot[1])
            first = number + 1
        return None
