"""Attachments of ours handed over to the Go Multus, pod by pod: no link and no address changes, only who knows of them.

Of a definition without a name in its configuration the Go Multus's network is `<name>`, and ours `<namespace>_<name>`:
host-local's reservations move along. Killed at any point, a DEL by either program leaves nothing:

1. `guard`: the record lists the network under both names, then the addresses are reserved under the Go Multus's.
   From here on nobody there gets them.
2. `hand_over`: they are given back under ours, the scratch file and libcni's cache are written, what only our plugins
   remember goes, and our record as the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Attachment as Whose
from cni_multus.multus import handing
from cni_multus.multus.plan import Planned
from cni_multus.multus.records import Turn
from cni_multus.nads.definition import Definition
from cni_multus.node.handable import why_not
from cni_multus.node.root import resolved
from cni_multus.state import files
from cni_multus.state.backups import Backups
from cni_multus.state.datadir import data_dir_if_any
from cni_multus.state.journal import Attachment, Journal
from cni_multus.state.owners import Owner
from cni_multus.state.reservations import Reservations
from ipam.host_local.plugin import DATA_DIR as NETWORKS
from ipam.static import DATA_DIR as STATIC
from ipam.whereabouts.cluster.journal import Journal as Holders
from ipam.whereabouts.engine import DATA_DIR as LEASES
from plugins.sbr import DATA_DIR as RULES
from plugins.vrf import DATA_DIR as VRFS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.node.receipt import Receipt
    from cni_multus.state.journal import Record

_STATES = {"sbr": RULES, "vrf": VRFS}
"""Plugins of ours that remember what is in the pod alone: the Go ones look at that instead."""
_TURN = 10.0


class HandOver:
    """What is done for the pods of one node, under the lock of whoever installs."""

    def __init__(self, receipt: Receipt) -> None:
        self._root = receipt.root
        self._bin_dir = receipt.bin_dir
        self._cni_dir = resolved(receipt.root, receipt.cni_dir)
        self._journal = Journal(self._cni_dir)

    def refusals(self) -> list[str]:
        """Why some pods cannot be handed over; empty if all can be."""
        found = [why for record in self._records() for why in why_not(record, self._root, self._bin_dir)]
        for container_id, ifname in sorted(self._journal.keys()):
            try:
                self._journal.find(container_id, ifname)
            except CniError as error:
                found.append(f"{container_id}@{ifname}: its record cannot be read: {error.message}")
        return found

    def keys(self) -> list[str]:
        """The sandboxes that are to be handed over."""
        return [record.key for record in self._records()]

    def guard(self) -> None:
        """Step 1, for all of them, before the first pod of the Go Multus starts."""
        for record in self._records():
            with Turn(self._journal, record.container_id, record.ifname, wait=_TURN):
                if now := self._find(record.container_id, record.ifname):
                    self._guard(now)

    def hand_over(self) -> list[str]:
        """Step 2, for those that can be; which they were. Requests that have begun a record are waited for."""
        done = []
        for container_id, ifname in sorted(self._journal.keys()):
            with Turn(self._journal, container_id, ifname):
                now = self._find(container_id, ifname)
                if now and not why_not(now, self._root, self._bin_dir):
                    self._guard(now)
                    self._hand_over(now)
                    done.append(now.key)
        return done

    def left(self) -> list[str]:
        """The sandboxes that something is on record of; a request that is just being served is none."""
        keys = sorted(self._journal.keys())
        return [f"{container_id}@{ifname}" for container_id, ifname in keys if self._holds(container_id, ifname)]

    def _holds(self, container_id: str, ifname: str) -> bool:
        return bool(files.read(self._journal.path(container_id, ifname)))

    def _find(self, container_id: str, ifname: str) -> Record | None:
        """The record, None where there is none that can be read: such a one is for its DEL, by the configuration."""
        try:
            record = self._journal.find(container_id, ifname)
        except CniError:
            return None
        return record if record is not None and record.attachments else None

    def _records(self) -> Iterator[Record]:
        for container_id, ifname in sorted(self._journal.keys()):
            if record := self._find(container_id, ifname):
                yield record

    def _guard(self, record: Record) -> None:
        known = {_key(one): one for one in record.attachments}
        pairs = [(one, known.get(_key(copy), copy)) for one in record.attachments if (copy := _renamed(one))]
        if new := [copy for _, copy in pairs if _key(copy) not in known]:
            record.attachments += new
            self._journal.write(record)
        for former, copy in pairs:
            if not self._reserve(former, copy, Owner(record.container_id, copy.ifname)):
                record.attachments.remove(copy)  # the name's addresses are another network's: it keeps its own
                self._journal.write(record)

    def _reserve(self, former: Attachment, copy: Attachment, owner: Owner) -> bool:
        """Whether the owner has under the new name what it has under the old one."""
        for data_dir, old, new in self._moves(former, copy):
            if not Reservations.exist(data_dir, old):
                continue
            attempt = f"cannot reserve the addresses of network {old} in {new}"
            with Reservations(data_dir, old, attempt) as mine, Reservations(data_dir, new, attempt) as theirs:
                held = mine.held_by(owner)
                holders = {ip: theirs.holder(ip) for ip in held}
                if any(holder and holder.key != owner.key for holder in holders.values()):
                    theirs.release(owner)
                    return False
                if missing := [ip for ip, holder in holders.items() if holder is None]:
                    theirs.reserve(owner, missing)
        return True

    def _hand_over(self, record: Record) -> None:
        both = record.attachments
        record.attachments = _latest(both)
        for former in both:
            copy = next(one for one in record.attachments if one.ifname == former.ifname)
            if copy is not former:
                self._give_back(former, copy, Owner(record.container_id, copy.ifname))
        handing.write(self._cni_dir, record)
        for attachment in both:
            self._forget(Planned.recorded(attachment), record)
        self._journal.remove(record.container_id, record.ifname)

    def _give_back(self, former: Attachment, copy: Attachment, owner: Owner) -> None:
        for data_dir, old, _ in self._moves(former, copy):
            if Reservations.exist(data_dir, old):
                with Reservations(data_dir, old, f"cannot give back the addresses of network {old}") as mine:
                    mine.give_back(owner, mine.held_by(owner))

    def _moves(self, former: Attachment, copy: Attachment) -> Iterator[tuple[str, str, str]]:
        """host-local's directories that an attachment is in, and the names of both networks."""
        for plugin in Planned.recorded(former).network.plugins:
            ipam = plugin.section("ipam")
            if ipam.text("type") == "host-local":
                yield self._state(ipam, NETWORKS), str(former.network["name"]), str(copy.network["name"])

    def _forget(self, planned: Planned, record: Record) -> None:
        """Remove what our plugins remember of an attachment and the Go ones need not."""
        whose = Whose(planned.name, record.container_id, planned.ifname)
        for plugin in planned.network.plugins:
            ipam = plugin.section("ipam")
            if default := _STATES.get(plugin.text("type")):
                Backups(self._state(plugin, default)).forget(whose)
            if ipam.text("type") == "static":
                self._forget_static(self._state(ipam, STATIC), whose)
            elif ipam.text("type") == "whereabouts":
                self._forget_holder(Holders(self._state(ipam, LEASES)), whose)

    def _forget_static(self, data_dir: str, whose: Whose) -> None:
        if Reservations.exist(data_dir, whose.network):
            attempt = f"cannot forget the addresses of network {whose.network}"
            with Reservations(data_dir, whose.network, attempt, giving_back=True) as reservations:
                reservations.release(Owner(whose.container_id, whose.ifname))

    def _forget_holder(self, holders: Holders, whose: Whose) -> None:
        """The entries of the pools stay: what is on record here is only who has to remove them."""
        if key := holders.key_of(whose):
            with holders.locked(key, f"cannot hand over what {whose.container_id} holds", _TURN) as locked:
                if locked.record and _is_same(locked.record.holder.attachment, whose):
                    locked.forget()
            holders.forget_pointer(whose)

    def _state(self, section: Section, default: str) -> str:
        return resolved(self._root, data_dir_if_any(section, default))


def _renamed(attachment: Attachment) -> Attachment | None:
    """The attachment with the name that its network has with the Go Multus; None where it is the same."""
    namespace, slash, name = attachment.label.partition("/")
    if not slash or attachment.network.get("name") != Definition(namespace, name, "").own_name:
        return None
    copy = Attachment.parse(Section({key: value for key, value in attachment.to_json().items() if value is not None}))
    copy.network = {**attachment.network, "name": name}
    return copy


def _key(attachment: Attachment) -> tuple[str, object]:
    return attachment.ifname, attachment.network.get("name")


def _latest(attachments: list[Attachment]) -> list[Attachment]:
    """The last of each interface, in the order of the first."""
    return list({one.ifname: one for one in attachments}.values())


def _is_same(one: Whose, other: Whose) -> bool:
    return (one.network, one.container_id, one.ifname) == (other.network, other.container_id, other.ifname)
