"""Where leases are taken over to. One that somebody else's address stands against is not; nothing is overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.ipam.api import connect
from cni_multus.cli.ipam.options import FILE, HOST_LOCAL_ENGINE, KUBERNETES
from cni_multus.cni.document import print_compact
from cni_multus.cni.errors import InvalidNetworkConfig, TryAgainLater
from cni_multus.kube.errors import AlreadyExists, Unprocessable
from cni_multus.state import files
from cni_multus.state.leases.layout import domain_name
from cni_multus.state.leases.store import Store
from cni_multus.state.owners import Owner, read_owner
from cni_multus.state.reservations import Reservations
from ipam.whereabouts.cluster import pools
from ipam.whereabouts.cluster.entry import Entry
from ipam.whereabouts.cluster.naming import podref, pool_name, reservation_name
from ipam.whereabouts.cluster.reservations import create_reservation, delete_reservation, read_reservation
from ipam.whereabouts.pool import Pool

if TYPE_CHECKING:
    import argparse
    from typing import Protocol

    from cni_multus.cli.ipam.api import Api
    from cni_multus.cli.ipam.portable import Portable
    from cni_multus.cni.addressing import Cidr, Ip

    class Target(Protocol):
        """One of those below."""

        lost: str
        """What it cannot record, "" where it records everything."""

        def look(self, portable: Portable) -> bool:
            """Whether the lease is there already; raises Taken where somebody else has an address of it."""

        def put(self, portable: Portable) -> bool:
            """Take it over whole or not at all; False where it is there already. Raises Taken as `look` does."""


PLACES = (FILE, HOST_LOCAL_ENGINE, KUBERNETES)


class Taken(TryAgainLater):
    """Somebody else has an address of the lease."""


def target(where: str, arguments: argparse.Namespace) -> Target:
    """The place of that name."""
    if where == FILE:
        return Node(arguments.data_dir)
    if where == HOST_LOCAL_ENGINE:
        return HostLocal(arguments.host_local_dir)
    api = connect(arguments)
    if api is None:
        raise InvalidNetworkConfig("no API server is named: neither by --kubeconfig nor by the flat file")
    return Pools(api)


class Node:
    """The leases of whereabouts on this node."""

    lost = ""

    def __init__(self, data_dir: str) -> None:
        self._store = Store(data_dir)

    def look(self, portable: Portable) -> bool:
        key = portable.lease.holder.key
        holders = [self._store.holder_of(domain, address.ip) for domain, address in _slots(portable)]
        for other, address in zip(holders, portable.lease.addresses, strict=True):
            if other not in (None, key):
                raise Taken(f"{address.ip} is taken by {self._store.describe(str(other))}")
        if all(holders):
            return True
        known = self._store.lease(key)
        if known is not None:
            has = ", ".join(map(str, known.lease.addresses))
            raise Taken(f"{portable.lease.holder} has other addresses here: {has}")
        return False

    def put(self, portable: Portable) -> bool:
        from cni_multus.state.leases.byhand import adopt

        if self.look(portable):
            return False
        try:
            adopt(self._store, portable.lease.holder, _slots(portable), portable.lease.since)
        except TryAgainLater as error:
            raise Taken(error.message) from error
        for domain, address in _slots(portable):
            self._describe(domain, portable.network_name, "" if portable.exclusive else str(address.network))
        return True

    def _describe(self, domain: str, network_name: str, pool: str) -> None:
        """Say once what a domain is, for people."""
        path = self._store.layout.domain(domain)
        if files.read(path) is None:
            files.make_directory(f"{self._store.layout.root}/domain")
            files.write_atomically(path, print_compact({"network_name": network_name, "pool": pool}) + b"\n")


class HostLocal:
    """host-local's files: the container and the interface are all that they say."""

    lost = "host-local records neither pod, UID, claim, node, namespace, boot nor time, and no domain but its network"

    def __init__(self, data_dir: str) -> None:
        self._data_dir = data_dir

    def look(self, portable: Portable) -> bool:
        attachment, there = portable.lease.holder.attachment, 0
        for address in portable.lease.addresses:
            owner = read_owner(f"{self._data_dir}/{attachment.network}/{address.ip}")
            there += self._is_ours(portable, address.ip, owner)
        return there == len(portable.lease.addresses)

    def put(self, portable: Portable) -> bool:
        attachment = portable.lease.holder.attachment
        with Reservations(self._data_dir, attachment.network, f"cannot take over {portable}") as reservations:
            missing = [
                address.ip
                for address in portable.lease.addresses
                if not self._is_ours(portable, address.ip, reservations.holder(address.ip))
            ]
            if missing:
                reservations.reserve(Owner(attachment.container_id, attachment.ifname), missing)
            return bool(missing)

    @staticmethod
    def _is_ours(portable: Portable, ip: Ip, owner: Owner | None) -> bool:
        attachment = portable.lease.holder.attachment
        if owner is None or (owner.container_id, owner.ifname) == (attachment.container_id, attachment.ifname):
            return owner is not None
        raise Taken(f"{ip} is taken by {owner}")


class Pools:
    """The cluster's pools; what is written there is what Whereabouts writes, with our annotation."""

    lost = "the cluster records no lease of networks without overlap protection but its container, pod and interface"

    def __init__(self, api: Api) -> None:
        self._client = api.client
        self._namespace = api.namespace

    def look(self, portable: Portable) -> bool:
        there = [self._is_there(portable, address) for address in portable.lease.addresses]
        return all(there)

    def put(self, portable: Portable) -> bool:
        missing = [address for address in portable.lease.addresses if not self._is_there(portable, address)]
        done: list[Cidr] = []
        try:
            for address in missing:
                self._take(portable, address)
                done.append(address)
        except BaseException:
            for address in done:
                self._give_back(portable, address)
            raise
        return bool(missing)

    def _is_there(self, portable: Portable, address: Cidr) -> bool:
        """Whether the pool has it; raises Taken where the pool, or the reservation, has it for somebody else."""
        entry = _entry(portable)
        if portable.exclusive:
            other = read_reservation(self._client, self._namespace, reservation_name(portable.network_name, address.ip))
            if other is not None and not other.is_of(entry, portable.lease.holder.uid):
                raise Taken(f"{address.ip} is reserved for {other}")
        view = pools.read_pool(self._client, self._namespace, pool_name(portable.network_name, address.network))
        found = view.entries.get(_offset(address)) if view else None
        if found is not None and found != entry:
            raise Taken(f"{address.ip} is taken by {found}")
        return found is not None

    def _take(self, portable: Portable, address: Cidr) -> None:
        name, uid = reservation_name(portable.network_name, address.ip), ""
        entry = _entry(portable)
        try:
            if portable.exclusive:
                uid = create_reservation(self._client, self._namespace, name, entry, portable.lease)
        except AlreadyExists:
            uid = ""  # it is the same holder's: looked at before
        try:
            self._write_entry(portable, address, entry)
        except BaseException:
            if uid:
                delete_reservation(self._client, self._namespace, name, uid)
            raise

    def _write_entry(self, portable: Portable, address: Cidr, entry: Entry) -> None:
        place = self._place(portable, address)
        try:
            if pools.read_pool(self._client, self._namespace, place.name) is None:
                pools.create_pool(self._client, place, {})
        except AlreadyExists:
            pass  # another one made it just now
        try:
            pools.take(self._client, place, _offset(address), entry)
        except Unprocessable as error:
            if error.test_failed:
                raise Taken(f"{address.ip} of {place} was taken meanwhile, or its range is another") from error
            raise

    def _give_back(self, portable: Portable, address: Cidr) -> None:
        place, entry = self._place(portable, address), _entry(portable)
        pools.drop(self._client, self._namespace, place.name, _offset(address), entry)
        name = reservation_name(portable.network_name, address.ip)
        if portable.exclusive and (made := read_reservation(self._client, self._namespace, name)):
            delete_reservation(self._client, self._namespace, name, made.uid)

    def _place(self, portable: Portable, address: Cidr) -> pools.Place:
        base = address.network
        whole = Pool(base, base.first, base.last)
        return pools.Place(self._namespace, pool_name(portable.network_name, base), base, whole)


def _entry(portable: Portable) -> Entry:
    holder = portable.lease.holder
    return Entry(holder.attachment.container_id, podref(holder), holder.attachment.ifname)


def _offset(address: Cidr) -> int:
    return address.ip.number - address.first


def _slots(portable: Portable) -> list[tuple[str, Cidr]]:
    return [
        (domain_name(portable.network_name, None if portable.exclusive else address.network), address)
        for address in portable.lease.addresses
    ]
