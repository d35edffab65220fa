"""What operators do with leases: take over those of another program, and release one that nobody else will."""

from __future__ import annotations

from cni_multus.cni.errors import InvalidNetworkConfig, TryAgainLater
from cni_multus.state.leases.change import Change
from cni_multus.state.leases.lease import Lease
from cni_multus.state.leases.record import Damaged, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cni.addressing import Cidr, Ip
    from cni_multus.state.leases.layout import Slot
    from cni_multus.state.leases.lease import Holder
    from cni_multus.state.leases.store import Store


def adopt(store: Store, holder: Holder, addresses: Sequence[tuple[str, Cidr]], since: float = 0.0) -> Record:
    """Give `holder` these addresses, each in its domain, all or none; `since` is now where it is 0.

    Raises TryAgainLater where another has one of them. A holder that has exactly these is left as it is; one that has
    others is refused: it is not for an import to take addresses away.
    """
    with Change(store, "cannot take over a lease") as change:
        before = change.store.lease(holder.key)
        lease = Lease(holder, [address for _, address in addresses], since or change.now.wall)
        record = Record(holder.key, lease, [domain for domain, _ in addresses])
        if len(set(record.slots)) != len(record.slots):
            raise InvalidNetworkConfig(f"{holder} is to have an address twice: {', '.join(map(str, lease.addresses))}")
        if before is not None and set(before.slots) != set(record.slots):
            had = ", ".join(map(str, before.lease.addresses)) or "none"
            raise TryAgainLater(f"{holder} has other addresses already: {had}")
        for slot in record.slots:
            _require_free(change, slot, record.key)
        if before is not None and not before.is_released:
            record = before
        change.take(record, before)
        for domain, ip in record.slots:
            change.hints(domain).mark(ip)
        return record


def release(store: Store, seen: Record) -> bool:
    """Free the addresses of a lease at once; False where it is not any more as it was `seen`."""
    with Change(store, f"cannot release the lease of {seen.lease.holder}", giving_back=True) as change:
        record = change.store.lease(seen.key)
        if record is None or record.print() != seen.print():
            return False
        change.drop_with_attachment(record)
        return True


def release_address(store: Store, domain: str, ip: Ip, seen_key: str) -> bool:
    """Free an address whose lease is damaged, missing or without it; False where that is not so, or not any more."""
    with Change(store, f"cannot release {ip}", giving_back=True) as change:
        slot = (domain, ip)
        if change.holder_of(slot) != seen_key:
            return False
        try:
            record = change.store.lease(seen_key)
        except Damaged:
            record = None
        if record is not None and slot in record.slots:
            return False
        change.free([slot], seen_key)
        return True


def _require_free(change: Change, slot: Slot, key: str) -> None:
    holder = change.holder_of(slot)
    if holder not in (None, key):
        raise TryAgainLater(f"{slot[1]} is taken by {change.store.describe(holder)}")
