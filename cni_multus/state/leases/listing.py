"""The store as operators look at it: without the lock, one entry at a time, whatever changes meanwhile."""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.state import files
from cni_multus.state.leases.layout import is_key, parse_address
from cni_multus.state.leases.record import Damaged, Record
from cni_multus.state.leases.remains import addresses, attachments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cni.addressing import Ip
    from cni_multus.cni.request import Attachment
    from cni_multus.state.leases.store import Store


class Domain:
    """Addresses that are given once: those of all networks with this `network_name`, or of one `pool` of them."""

    __slots__ = ("name", "network_name", "pool")

    def __init__(self, name: str, network_name: str, pool: str) -> None:
        self.name = name
        self.network_name = network_name
        self.pool = pool


class Listing:
    """What is in a store. What appears or goes while it is listed may be told or not."""

    __slots__ = ("_root", "_store")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._root = store.layout.root

    def domains(self) -> list[Domain]:
        """Every domain that an address was ever taken in."""
        known = {*files.names(f"{self._root}/domain"), *files.names(f"{self._root}/address")}
        return [self._domain(name) for name in sorted(known)]

    def networks(self) -> list[str]:
        """Every network that ever had an attachment."""
        return sorted(name for name in files.names(f"{self._root}/attachment") if not name.startswith(files.TEMPORARY))

    def leases(self, domain: str = "") -> Iterator[Record]:
        """Every lease, or those with an address in a domain; damaged ones are left out."""
        for key in self.every_key():
            try:
                record = self._store.lease(key)
            except Damaged:
                continue
            if record is not None and (not domain or domain in record.domains):
                yield record

    def every_key(self) -> Iterator[str]:
        """The key of every lease."""
        for shard in sorted(files.names(f"{self._root}/lease")):
            if not shard.startswith(files.TEMPORARY):
                yield from filter(is_key, files.names(f"{self._root}/lease/{shard}"))

    def addresses(self, domain: str) -> Iterator[tuple[Ip, str]]:
        """Every address of a domain that is taken, ascending within 65536 of them, and the key of who has it."""
        for (_, ip), key in addresses(self._store, domain):
            yield ip, key

    def count(self, domain: str, first: int | None = None, last: int | None = None, family: int | None = None) -> int:
        """How many addresses of a domain are taken, from `first` to `last` where those are given."""
        total = 0
        directory = f"{self._root}/address/{domain}"
        for shard in files.names(directory):
            for name in files.names(f"{directory}/{shard}"):
                ip = parse_address(name)
                if ip is None or (family is not None and ip.family != family):
                    continue
                total += (first is None or ip.number >= first) and (last is None or ip.number <= last)
        return total

    def attachments(self, network: str = "") -> Iterator[tuple[Attachment, str]]:
        """Every attachment, or those of a network, and the key of the lease that it leads to."""
        return attachments(self._store, network)

    def is_held(self, record: Record) -> bool:
        """Whether its holder has all that the lease says: no, where an ADD was interrupted."""
        return self._store.is_held(record)

    def _domain(self, name: str) -> Domain:
        path = self._store.layout.domain(name)
        try:
            section = Section(parse_object(files.read(path) or b"{}", path))
            return Domain(name, section.text("network_name"), section.text("pool"))
        except CniError:  # written without a sync, and only for people
            return Domain(name, "", "")
