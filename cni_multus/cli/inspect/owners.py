"""Who has an attachment's addresses by the records of its IPAM; each is looked up by itself, without a lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.cni.names import is_name
from cni_multus.state.datadir import data_dir_if_any
from cni_multus.state.leases.store import Store
from cni_multus.state.owners import GARBAGE, read_owner
from ipam.host_local.plugin import DATA_DIR as HOST_LOCAL_DIR
from ipam.static import DATA_DIR as STATIC_DIR
from ipam.whereabouts.cluster.journal import Journal
from ipam.whereabouts.engine import DATA_DIR as WHEREABOUTS_DIR

if TYPE_CHECKING:
    from cni_multus.cli.site import Site
    from cni_multus.cni.addressing import Ip
    from cni_multus.cni.request import Attachment
    from cni_multus.state.leases.lease import Lease

_BY_FILE = {"host-local": HOST_LOCAL_DIR, "static": STATIC_DIR}


@dataclass(frozen=True, slots=True)
class Owned:
    """One address: `record` says that `owner` has it; `wrong` what is not as it should be."""

    address: str
    engine: str
    record: str = ""
    owner: str = ""
    wrong: str = ""

    def to_json(self) -> dict[str, object]:
        """What is known."""
        members = {"address": self.address, "engine": self.engine, "record": self.record, "owner": self.owner}
        return {key: value for key, value in {**members, "wrong": self.wrong}.items() if value}


def owned(site: Site, attachment: Attachment, ipam: Section, addresses: list[Ip]) -> list[Owned]:
    """What the IPAM of an attachment says of its addresses; nothing is known of an IPAM that is not bundled."""
    kind = _text(ipam, "type")
    try:
        if kind in _BY_FILE and is_name(attachment.network) and not _flag(ipam, "allowConflicts"):
            directory = site.path(data_dir_if_any(ipam, _BY_FILE[kind]))
            return [_by_file(f"{directory}/{attachment.network}/{ip}", kind, attachment, ip) for ip in addresses]
        if kind == "whereabouts":
            return _by_lease(site.path(data_dir_if_any(ipam, WHEREABOUTS_DIR)), attachment, addresses)
    except CniError as error:
        return [Owned(str(ip), kind, wrong=error.message) for ip in addresses]
    return [Owned(str(ip), kind) for ip in addresses] if kind else []


def _by_file(path: str, engine: str, attachment: Attachment, ip: Ip) -> Owned:
    owner = read_owner(path)
    if owner is None or owner is GARBAGE:
        return Owned(str(ip), engine, path, wrong=f"{ip} is not reserved")
    is_ours = owner.container_id == attachment.container_id and owner.ifname in ("", attachment.ifname)
    wrong = "" if is_ours else f"{ip} is reserved for {owner}"
    return Owned(str(ip), engine, path, str(owner), wrong)


def _by_lease(directory: str, attachment: Attachment, addresses: list[Ip]) -> list[Owned]:
    store = Store(directory)
    found = store.lease_of(attachment)
    if found is not None:
        return _leased(store.layout.lease(found.key), "whereabouts", found.lease, attachment, addresses)
    journal = Journal(directory)
    taken = journal.find(attachment)
    if taken is not None:
        path = journal.path(journal.key_of(attachment))
        return _leased(path, "whereabouts (API)", taken.lease, attachment, addresses)
    return [Owned(str(ip), "whereabouts", wrong=f"{ip} is not leased") for ip in addresses]


def _leased(path: str, engine: str, lease: Lease, attachment: Attachment, addresses: list[Ip]) -> list[Owned]:
    theirs = lease.holder.attachment
    is_ours = (theirs.container_id, theirs.ifname) == (attachment.container_id, attachment.ifname)
    kept = {address.ip for address in lease.addresses}
    found = []
    for ip in addresses:
        wrong = "" if is_ours else f"{ip} is leased to {lease.holder}"
        if ip not in kept:
            wrong = f"{ip} is not in the lease of {lease.holder}"
        found.append(Owned(str(ip), engine, path, f"{lease.holder}, {lease.state}", wrong))
    return found


def _text(section: Section, key: str) -> str:
    try:
        return section.text(key)
    except CniError:
        return ""


def _flag(section: Section, key: str) -> bool:
    try:
        return section.flag(key)
    except CniError:
        return False
