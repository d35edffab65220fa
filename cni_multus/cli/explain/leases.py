"""What whereabouts would give, by its own policies, of leases that are only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import PoolExhausted, TryAgainLater
from cni_multus.cni.result import IpConfig, Result
from cni_multus.state import files

if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.state.leases.lease import Holder
    from cni_multus.state.leases.store import Store
    from ipam.whereabouts.config import WhereaboutsConfig
    from ipam.whereabouts.pool import Pool

_SEARCHED = 4096
"""So many addresses in a row are looked at, of which each costs a system call; then only the range is told."""


class _Free:
    """Which addresses of a domain are free, by the links alone."""

    def __init__(self, store: Store, domain: str, taken: set[tuple[str, Ip]]) -> None:
        self._store = store
        self._domain = domain
        self._taken = taken
        self.gave_up = False

    def find_free(self, family: int, first: int, last: int) -> int | None:
        """The lowest free address from `first` to `last`, as a number."""
        for number in range(first, min(last, first + _SEARCHED) + 1):
            ip = Ip(family, number)
            if (self._domain, ip) not in self._taken and self._store.holder_of(self._domain, ip) is None:
                return number
        self.gave_up = self.gave_up or last - first > _SEARCHED
        return None


class Leases:
    """The addresses that the networks of one ADD would take are seen by each other."""

    def __init__(self) -> None:
        self.pools: list[str] = []
        self.sure = True
        self._taken: set[tuple[str, Ip]] = set()

    def foresee(self, request: Request, ipam: Section) -> Result:
        """The addresses where this node's files keep them; of those that the cluster keeps, the ranges alone."""
        from ipam.whereabouts.engines import refuse_silent_switch
        from ipam.whereabouts.holder import parse_holder
        from ipam.whereabouts.parsing import parse_config

        config = parse_config(request, ipam)
        holder = parse_holder(request, config)
        self.pools, self.sure = [str(pool) for pool in config.pools], True
        refuse_silent_switch(config)
        if config.cluster is not None and config.pools:
            self.sure = False
            return Result(ips=list(config.static), routes=config.routes, dns=config.dns)
        given = [IpConfig(address, pool.gateway) for address, pool in self._choose(config, holder)]
        return Result(ips=given + config.static, routes=config.routes, dns=config.dns)

    def _choose(self, config: WhereaboutsConfig, holder: Holder) -> list[tuple[Cidr, Pool]]:
        from cni_multus.state.leases.store import Store
        from ipam.whereabouts.taking import domains_of

        store = Store(config.data_dir)
        record = store.lease(holder.key)
        own = list(record.slots) if record else []
        found = []
        for at, (domain, pool) in enumerate(zip(domains_of(config), config.pools, strict=True)):
            ip = self._wanted(store, config, at, domain, holder.key) or next(
                (ip for place, ip in own if place == domain and pool.may_give(ip)), None
            )
            ip = ip or self._next(store, config, domain, pool, holder.key)
            if ip is not None:
                self._taken.add((domain, ip))
                found.append((Cidr(ip, pool.cidr.prefix), pool))
        return found

    def _wanted(self, store: Store, config: WhereaboutsConfig, at: int, domain: str, key: str) -> Ip | None:
        wanted = config.wanted[at]
        if wanted is None:
            return None
        there = store.holder_of(domain, wanted.ip)
        if there in (None, key) and (domain, wanted.ip) not in self._taken:
            return wanted.ip
        if not wanted.firmly:
            return None
        who = "another network of this ADD" if there is None else store.describe(there)
        raise TryAgainLater(f"{wanted.source}: {wanted.ip} of {config.pools[at]} is taken by {who}")

    def _next(self, store: Store, config: WhereaboutsConfig, domain: str, pool: Pool, key: str) -> Ip | None:
        from ipam.whereabouts.policy import NEXT, choose, start
        from ipam.whereabouts.taking import last_given_name

        last_given = None
        if config.policy == NEXT:
            data = files.read(store.layout.last(domain, last_given_name(pool))) or b""
            last_given = int(data) if data.isdigit() else None
        free = _Free(store, domain, self._taken)
        ip = choose(pool, free, start(config.policy, pool, last_given, key))
        if ip is not None:
            return ip
        self.sure = False
        if not free.gave_up:
            from ipam.whereabouts.shortage import why_not_available

            if why := why_not_available(store, config):
                raise PoolExhausted(why, "`multus ipam show` lists who has what, `multus ipam leaks` what nobody uses")
        return None
