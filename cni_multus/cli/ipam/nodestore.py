"""The leases of whereabouts in files of this node, read without a lock while they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.ipam.held import LEAVING, PENDING, Held, Summary
from cni_multus.cni.addressing import Cidr
from cni_multus.cni.errors import CniError
from cni_multus.state.leases.layout import domain_name
from cni_multus.state.leases.lease import HELD
from cni_multus.state.leases.links import UNKNOWN
from cni_multus.state.leases.listing import Listing
from cni_multus.state.leases.store import Store
from ipam.whereabouts.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cni_multus.cli.ipam.ranges import KnownRanges
    from cni_multus.cni.addressing import Ip
    from cni_multus.state.leases.lease import Lease
    from cni_multus.state.leases.record import Record

ENGINE = "file"


class NodeStore:
    """A dataDir of whereabouts; `ranges` knows the configured pools."""

    engine = ENGINE

    def __init__(self, data_dir: str, ranges: KnownRanges) -> None:
        self.store = Store(data_dir)
        self.listing = Listing(self.store)
        self._data_dir = data_dir
        self._ranges = ranges

    def pools(self) -> Iterator[Summary]:
        configured = self._configured()
        for domain in self._domains():
            counted = Networks(configured.get(domain, ()))
            for ip, key in self.listing.addresses(domain):
                counted.add(ip, lambda key=key: self._lease_or_none(key))  # type: ignore[misc]
            yield Summary(
                ENGINE, domain, counted.texts, counted.size, counted.used, f"{self._data_dir}/address/{domain}"
            )

    def held(self, within: Cidr | None = None) -> Iterator[Held]:
        for domain in self._domains():
            for ip, key in self.listing.addresses(domain):
                if within is None or within.contains(ip):
                    yield self._held(domain, ip, key)

    def find(self, ip: Ip) -> Iterator[Held]:
        for domain in self._domains():
            key = self.store.holder_of(domain, ip)
            if key is not None:
                yield self._held(domain, ip, key)

    def release(self, held: Held) -> bool:
        from cni_multus.state.leases.byhand import release, release_address

        key = self.store.holder_of(held.pool, held.ip)
        if key is None:
            return False
        if held.wrong:
            return release_address(self.store, held.pool, held.ip, key)
        seen = self.store.lease(key)
        if seen is None or not is_as_seen(seen.lease, held):
            return False
        return release(self.store, seen)

    def _domains(self) -> list[str]:
        return sorted(domain.name for domain in self.listing.domains()) if self.store.exists() else []

    def _held(self, domain: str, ip: Ip, key: str) -> Held:
        held = Held(ip, ENGINE, domain, self.store.layout.lease(key), here=True)
        if key == UNKNOWN:
            held.record = self.store.layout.address((domain, ip))
        try:
            record = None if key == UNKNOWN else self.store.lease(key)
        except CniError as error:
            held.wrong = error.message
            return held
        if record is None:
            held.wrong = "there is no lease behind the address"
            return held
        held.fill(record.lease)
        if (domain, ip) in record.leaving:
            held.state = LEAVING
        elif (domain, ip) not in record.slots:
            held.wrong = "its lease does not have it"
        elif record.lease.state == HELD and not self.listing.is_held(record):
            held.state = PENDING
        return held

    def _lease_or_none(self, key: str) -> Record | None:
        try:
            return self.store.lease(key)
        except CniError:
            return None

    def _configured(self) -> dict[str, list[Pool]]:
        """The pools that configurations of this node put into each domain."""
        found: dict[str, list[Pool]] = {}
        for config in self._ranges.whereabouts():
            for pool in config.pools:
                domain = domain_name(config.network_name, None if config.exclusive else pool.cidr)
                found.setdefault(domain, []).append(pool)
        return found


def is_as_seen(lease: Lease, held: Held) -> bool:
    """Whether a lease is still the one that an address was seen with."""
    now = Held(held.ip, held.engine, held.pool, held.record)
    now.fill(lease)
    return (now.attachment, now.prefix, now.since) == (held.attachment, held.prefix, held.since)


class Networks:
    """The ranges of one domain and how many addresses of them are used; ranges that nobody configured are seen."""

    def __init__(self, pools: Iterable[Pool]) -> None:
        self._pools = list(pools)
        self._known: list[Cidr] = [pool.cidr for pool in self._pools]
        self.used = 0

    def add(self, ip: Ip, find: Callable[[], Record | None]) -> None:
        """Count an address; `find` gives its lease, which tells the range where it is a new one."""
        self.used += 1
        if any(known.contains(ip) for known in self._known):
            return
        record = find()
        for address in record.lease.addresses if record else ():
            if address.ip == ip:
                self._known.append(address.network)

    @property
    def texts(self) -> list[str]:
        """The ranges as a configuration says them, or as networks."""
        configured = [pool.cidr for pool in self._pools]
        return [*map(str, self._pools), *(str(known) for known in self._known if known not in configured)]

    @property
    def size(self) -> int | None:
        """How many addresses they may give, each counted once; None where no range is known."""
        spans = [(pool.family, *span) for pool in self._pools for span in pool.spans]
        configured = [pool.cidr for pool in self._pools]
        spans += [usable(known) for known in self._known if known not in configured]
        return covered(spans) if spans else None


def usable(network: Cidr) -> tuple[int, int, int]:
    """The family, the first and the last address that a network gives without a configuration that says otherwise."""
    inner = 0 if network.last - network.first <= 1 else 1
    return network.family, network.first + inner, network.last - inner


def covered(spans: Iterable[tuple[int, int, int]]) -> int:
    """How many addresses lie in at least one of the spans."""
    total, family, beyond = 0, 0, 0
    for own_family, first, last in sorted(spans):
        if own_family != family:
            family, beyond = own_family, 0
        total += max(0, last + 1 - max(first, beyond))
        beyond = max(beyond, last + 1)
    return total
