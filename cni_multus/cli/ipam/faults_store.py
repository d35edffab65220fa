"""What can be wrong among the leases of this node: the store finds it, here it is said what each thing breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.ipam.finding import Finding
from cni_multus.cli.ipam.nodestore import ENGINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.ipam.nodestore import NodeStore

MEANINGS = {
    "address without lease": ("nobody ever gets the address", "it is given free"),
    "address not of its lease": ("nobody ever gets the address", "it is given free"),
    "lease without address": ("its holder has an address that others may get", "the address is taken for it again"),
    "lease without attachment": ("DEL and GC do not find it: it stays for ever", "the attachment leads to it again"),
    "damaged lease": ("its addresses stay taken, and DEL cannot give them back", "it is written again from its links"),
    "temporary file": ("it takes an inode", "it is removed"),
    "attachment without lease": ("nothing; it takes an inode", "it is removed"),
    "attachment of another container": ("nothing; it takes an inode", "it is removed"),
    "wrong hint": ("the search takes longer, or calls a pool full that is not", "the hint is made anew"),
    "lost release": ("the addresses stay kept although their time is over", "it waits for its time again"),
}
BY_HAND = "`multus ipam release` each of its addresses, when it is known that nobody has them"
_OTHERWISE = ("see the message", "the store mends it")


def faults_of_store(place: NodeStore) -> Iterator[Finding]:
    """Every one that the store finds."""
    from cni_multus.state.leases.audit import findings

    if not place.store.exists():
        return
    for found in findings(place.store):
        breaks, cure = MEANINGS.get(found.kind, _OTHERWISE)
        mend = found.mend if found.mendable else None
        cure = cure if mend else BY_HAND
        yield Finding(ENGINE, found.kind, found.path, found.message, breaks, cure, mend)
