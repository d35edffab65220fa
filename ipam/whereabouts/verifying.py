"""CHECK on this node's files: what differs between the lease and what is believed."""

from __future__ import annotations

from cni_multus.cni.errors import CniError
from ipam.whereabouts.taking import domains_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Cidr, Ip
    from cni_multus.state.leases.lease import Holder
    from cni_multus.state.leases.record import Record
    from cni_multus.state.leases.store import Store
    from ipam.whereabouts.config import WhereaboutsConfig


def differences(store: Store, config: WhereaboutsConfig, holder: Holder, addresses: list[Cidr]) -> list[str]:
    """A sentence for each."""
    attachment = holder.attachment
    try:
        record = store.lease_of(attachment)
    except CniError as error:
        return [error.message]
    if record is None:
        return [f"no lease of network {attachment.network} leads to {holder}"]
    theirs = record.lease.holder.attachment
    if (theirs.container_id, theirs.ifname) != (attachment.container_id, attachment.ifname):
        return [f"the addresses of {holder} have gone to {record.lease.holder}"]
    believed = {address.ip for address in addresses}
    kept = {ip for _, ip in record.slots}
    wrong = [f"{ip} is not in the lease of {holder}" for ip in sorted(believed - kept, key=_order)]
    wrong += [f"{ip} is leased to {holder} and not known" for ip in sorted(kept - believed, key=_order)]
    return wrong + _unlinked(store, record) + _misplaced(config, record)


def _unlinked(store: Store, record: Record) -> list[str]:
    """Addresses that the lease has, and that are not taken for it."""
    wrong = []
    for domain, ip in record.slots:
        key = store.holder_of(domain, ip)
        if key is None:
            wrong.append(f"{ip} is leased to {record.lease.holder}, and is not taken")
        elif key != record.key:
            wrong.append(f"{ip} is leased to {record.lease.holder}, and is taken by {store.describe(key)}")
    return wrong


def _misplaced(config: WhereaboutsConfig, record: Record) -> list[str]:
    """Pools of the configuration that the lease has no address of: somebody has changed them since."""
    return [
        f"{record.lease.holder} has no address of {pool}"
        for domain, pool in zip(domains_of(config), config.pools, strict=True)
        if not any(domain == other and pool.cidr.contains(ip) for other, ip in record.slots)
    ]


def _order(ip: Ip) -> tuple[int, int]:
    return ip.family, ip.number
