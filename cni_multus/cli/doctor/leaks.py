"""What nobody owns any more: links, objects of nftables, addresses; and pools that are full."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.finding import ERROR, WARNING, Check, Finding, Mending
from cni_multus.cli.doctor.records import data_dirs
from cni_multus.cli.inspect.leftovers import leftovers
from cni_multus.cli.inspect.notes import READ_FILES
from cni_multus.cli.inspect.sandbox import ANOTHER, EARLIER, GONE
from cni_multus.cli.ipam.evidence import GONE as OWNER_GONE
from cni_multus.cli.ipam.evidence import LIKELY_GONE
from cni_multus.cli.ipam.fsck import examine
from cni_multus.cli.ipam.held import IN_FLIGHT
from cni_multus.cli.ipam.leaks import judge
from cni_multus.cli.ipam.options import FILE
from cni_multus.cni.errors import IoFailure
from cni_multus.cni.request import Attachment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient
    from cni_multus.cli.inspect.leftovers import Leftover

_MARK = "multus:"
_ALMOST = 0.95
_SHOWN = 8
_LONG_WAIT = 300.0


def links_and_filters(patient: Patient, what: str) -> Iterator[Finding]:
    """What stands on the node with the mark of an attachment that no record has."""
    if not _are_records_known(patient):
        return
    owners: dict[str, list[Leftover]] = {}
    for each in leftovers(patient.node):
        if each.what.startswith(what) and each.why == "no record has it":
            owners.setdefault(each.owner, []).append(each)
    kind = "link" if what == "link" else "objects of nftables"
    for owner, left in owners.items():
        attachment = _attachment(owner)
        names = ", ".join(each.what.removeprefix("nftables ") for each in left[:_SHOWN])
        yield Finding(
            WARNING,
            f"leaked {kind} of {owner.removeprefix(_MARK)}: {names}",
            [f"{each.what}: its mark is {each.owner}, and {each.why}" for each in left[:_SHOWN]],
            "it takes a bridge's port, and keeps an address alive"
            if what == "link"
            else "traffic of whoever has the address, or the port, next goes the wrong way",
            f"`multus doctor --fix`, or {'ip link delete' if what == 'link' else 'nft delete'} by hand",
            _removal(patient, owner, attachment, left) if attachment else None,
        )


def addresses(patient: Patient) -> Iterator[Finding]:
    """Addresses whose owner is gone."""
    if not _are_records_known(patient):
        return
    dead = {sandbox.known.container_id for sandbox in patient.sandboxes if sandbox.known and sandbox.state in _DEAD}
    for place in patient.places:
        for held in place.held():
            if held.container_id in dead:
                continue  # that its pod is gone is the cause, and is told
            verdict = judge(patient.evidence, held)
            if verdict.state not in (OWNER_GONE, LIKELY_GONE):
                continue
            is_sure = verdict.state == OWNER_GONE
            if not is_sure and time.time() - held.since < IN_FLIGHT:
                continue  # runtimes remember an attachment of others when it is complete
            yield Finding(
                ERROR if is_sure else WARNING,
                f"leaked address {held.ip} of pool {held.pool}: its owner is {verdict.state}",
                [f"{held.record}: {held.who} {held.ifname}".rstrip(), verdict.because],
                "nobody can get the address, and the pool runs out before its time",
                f"multus ipam release {held.ip} --owner {held.owner}",
                Mending(f"release {held.ip} of pool {held.pool}, which {held.owner} has", partial(place.release, held))
                if is_sure
                else None,
            )


def pools(patient: Patient) -> Iterator[Finding]:
    """Pools that have no address left, or hardly any."""
    for place in patient.places:
        for pool in place.pools():
            if not pool.size or pool.used < pool.size * _ALMOST:
                continue
            is_full = pool.used >= pool.size
            yield Finding(
                ERROR if is_full else WARNING,
                f"pool {pool.pool} is {'full' if is_full else 'almost full'}: {pool.used} of {pool.size} addresses are "
                "taken",
                [f"ranges: {', '.join(pool.ranges)}", f"records: {pool.record}"],
                "pods with that network do not start (code 11)" if is_full else "soon pods with it do not start",
                "`multus ipam leaks` finds addresses that nobody has any more; else give the network a larger range",
            )


def inconsistent(patient: Patient) -> Iterator[Finding]:
    """What `multus ipam fsck` finds."""
    for place in patient.places:
        for fault in examine(place, patient.evidence, IN_FLIGHT):
            mend = fault.mend
            yield Finding(
                WARNING,
                f"records of addresses do not agree: {fault.kind}, {fault.what}",
                [fault.message],
                fault.breaks,
                fault.cure,
                Mending(f"{fault.kind} {fault.what}: {fault.cure}", mend) if mend else None,
            )


def _are_records_known(patient: Patient) -> bool:
    """Whether one may say that nobody has something."""
    if not patient.knows_records:
        patient.note(
            f"leaks are not looked for: nothing says that the records are in {patient.site.cni_dir} (--cni-dir)"
        )
        return False
    unread = next((note for note in patient.node.notes if note.needs == READ_FILES), None)
    if unread is not None:
        patient.note(f"leaks are not looked for: {unread}")
    return unread is None


def waiting(patient: Patient) -> Iterator[Finding]:
    """Addresses of the cluster that a DEL could not give back, since the API server did not answer."""
    from ipam.whereabouts.cluster.journal import Journal

    for directory in sorted(data_dirs(patient)[FILE]):
        if not os.path.isdir(directory):
            continue
        journal = Journal(directory)
        todo, since = journal.todo(), journal.todo_since()
        if todo and time.time() - since > _LONG_WAIT:
            yield Finding(
                WARNING,
                f"{len(todo)} attachments wait for the cluster to get their addresses back, for "
                f"{(time.time() - since) / 60:.0f} min",
                [f"{journal.directory}: {', '.join(todo[:_SHOWN])}"],
                "nobody else can get these addresses",
                "`multus ipam reconcile` gives them back as soon as the API server answers; so do the next ADD and DEL",
            )


_DEAD = (GONE, ANOTHER, EARLIER)


def _attachment(owner: str) -> Attachment | None:
    """Whose mark it is; None where it had to be shortened."""
    parts = owner.removeprefix(_MARK).split(":")
    return Attachment(*parts) if len(parts) == 3 and all(parts) and "~" not in owner else None


def _removal(patient: Patient, owner: str, attachment: Attachment, left: list[Leftover]) -> Mending:
    if left[0].what.startswith("link "):
        says = f"delete {', '.join(each.what for each in left)} of {owner.removeprefix(_MARK)}"
        return Mending(says, partial(_remove_links, patient, owner, attachment))
    return Mending(
        f"delete {len(left)} objects of nftables of {owner.removeprefix(_MARK)}",
        partial(_remove_filters, patient, owner, attachment),
    )


def _is_recorded(patient: Patient, attachment: Attachment) -> bool:
    """Whether an ADD has come meanwhile."""
    from cni_multus.state.journal import Journal

    return any(key[0] == attachment.container_id for key in Journal(patient.site.cni_dir).keys())  # noqa: SIM118


def _remove_links(patient: Patient, owner: str, attachment: Attachment) -> bool:
    from cni_multus.linux.links import list_links, remove_link
    from cni_multus.linux.netns import Namespace

    if _is_recorded(patient, attachment):
        return False
    with Namespace.host() as host:
        names = [link.name for link in list_links(host) if link.alias == owner]
        for name in names:
            remove_link(host, name)
    return bool(names)


def _remove_filters(patient: Patient, owner: str, attachment: Attachment) -> bool:
    from cni_multus.bridging import spoofing
    from cni_multus.cli.inspect import nft
    from cni_multus.firewall import rules
    from cni_multus.linux.netns import Namespace
    from cni_multus.masquerade import nftables
    from cni_multus.portmaps import release

    if _is_recorded(patient, attachment):
        return False
    with Namespace.host() as host:
        nftables.remove(host, attachment)
        release.release(host, attachment)
        rules.forget(host, lambda comment: comment == owner)
        spoofing.release(host, attachment)
        if left := nft.look(host).objects.get(owner):
            raise IoFailure(f"{len(left)} objects of {owner} are still there: {left[0]}")
    return True


CHECKS = (
    Check("pool-full", "pools have addresses left", pools),
    Check("address-leaked", "every address has an owner who lives", addresses),
    Check("address-inconsistent", "records of addresses agree with each other", inconsistent),
    Check("address-waiting", "addresses of the cluster were given back to it", waiting),
    Check("link-leaked", "every link of ours is on record", partial(links_and_filters, what="link")),
    Check("nft-leaked", "every object of nftables of ours is on record", partial(links_and_filters, what="nftables")),
)
