"""CHECK: whether journal, pools and reservations agree about what a holder has; a lost reservation is made again."""

from __future__ import annotations

from cni_multus.cni.addressing import Ip
from cni_multus.kube.errors import AlreadyExists
from cni_multus.state.leases.lease import HELD, Lease
from ipam.whereabouts.cluster.pools import read_pool
from ipam.whereabouts.cluster.reservations import create_reservation, read_reservation
from ipam.whereabouts.cluster.session import peek

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Cidr
    from cni_multus.kube.client import Client
    from cni_multus.state.leases.lease import Holder
    from ipam.whereabouts.cluster.journal import Locked
    from ipam.whereabouts.cluster.record import Record, Take
    from ipam.whereabouts.cluster.session import Session
    from ipam.whereabouts.config import WhereaboutsConfig


def verify(session: Session, holder: Holder, locked: Locked, addresses: list[Cidr]) -> list[str]:
    """What is wrong, a sentence each."""
    record = locked.record
    if record is None or record.state != HELD:
        return [locked.damage or f"nothing is on record of {holder}"]
    if not record.is_held_by(holder.attachment.container_id):
        return [f"the addresses of {holder} are those of container {record.holder.attachment.container_id} now"]
    client = session.client(record.kubeconfig)
    uids = [take.uid for take in record.takes]
    wrong = []
    for address in addresses:
        take = next((each for each in record.takes if each.address == address), None)
        wrong += _wrong_with(client, record, take) if take else [f"{address} is not on record for {holder}"]
    wrong += [
        f"{take.address} is on record, and not in prevResult" for take in record.takes if take.address not in addresses
    ]
    if uids != [take.uid for take in record.takes]:
        locked.write(record)
    return wrong


def verify_unknown(session: Session, config: WhereaboutsConfig, holder: Holder, addresses: list[Cidr]) -> list[str]:
    """The same for a container that nothing is on record of here: Whereabouts itself may have attached it."""
    assert config.cluster
    client = session.client(config.cluster.kubeconfig)
    container_id, ifname = holder.attachment.container_id, holder.attachment.ifname
    theirs: set[Ip] = set()
    for place in filter(None, [peek(client, config, pool) for pool in config.pools]):
        view = read_pool(client, place.namespace, place.name)
        theirs |= {
            Ip(place.base.family, place.base.first + offset)
            for offset, entry in (view.entries if view else {}).items()
            if entry.id == container_id and entry.ifname in ("", ifname)
        }
    return [
        f"nothing is on record of {holder}, and no pool has {address} for it"
        for address in addresses
        if address.ip not in theirs
    ]


def _wrong_with(client: Client, record: Record, take: Take) -> list[str]:
    wrong = []
    view = read_pool(client, record.namespace, take.pool)
    entry = view.entries.get(take.offset) if view else None
    if entry != record.entry:
        has = f"has it for {entry}" if entry else "does not have it" if view else "is gone"
        wrong.append(f"{take.address}: IPPool {record.namespace}/{take.pool} {has}")
    if take.reservation and not wrong:
        wrong += _reserve_again(client, record, take)
    return wrong


def _reserve_again(client: Client, record: Record, take: Take) -> list[str]:
    """A peer whose ADD failed takes the reservation of somebody else along; the entry is still there."""
    found = read_reservation(client, record.namespace, take.reservation)
    if found is None:
        lease = Lease(record.holder, [take.address], record.since)
        try:
            take.uid = create_reservation(client, record.namespace, take.reservation, record.entry, lease)
        except AlreadyExists:
            found = read_reservation(client, record.namespace, take.reservation)
    if found is None or found.is_of(record.entry, record.holder.uid):
        take.uid = found.uid if found else take.uid
        return []
    return [f"{take.address}: reservation {take.reservation} is that of {found}"]
