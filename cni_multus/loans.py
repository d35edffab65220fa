"""Devices of the node that pods have on loan: what is on record of each, and how it comes home. It selects none.

A record is written before the device leaves and removed when it is back. One whose device can be neither in the pod nor
on the node at the moment stays: a namespace that dies gives its physical devices back in its own time.
"""

from __future__ import annotations

import time

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, NetlinkFailure
from cni_multus.cni.request import wrong_with_ifname
from cni_multus.linux.devices import is_pci_address, pci_device_exists
from cni_multus.linux.links import find_link, link
from cni_multus.linux.moves import Home, find_moved, give_back, mend, move, require_free
from cni_multus.linux.netns import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Attachment, Request
    from cni_multus.linux.links import Link
    from cni_multus.state.backups import Backups

PATIENCE = 1.0
"""Seconds for the kernel to take a dead namespace apart; it takes some tenths."""


class Loan:
    """A device that an attachment has: what it was on the node, None where `driver` hands it to programs."""

    __slots__ = ("driver", "home", "netns", "pci")

    def __init__(self, netns: str, home: Home | None, *, pci: str = "", driver: str = "") -> None:
        self.netns = netns
        self.home = home
        self.pci = pci
        self.driver = driver

    @staticmethod
    def parse(document: dict[str, object]) -> Loan | None:
        """Read what `to_json` made; None where something else stands there."""
        section = Section(document)
        try:
            home = Home.parse(section.section("home")) if section.has("home") else None
            loan = Loan(section.text("netns"), home, pci=section.text("pciID"), driver=section.text("driver"))
        except CniError:
            return None
        return loan if home is None or home.name else None

    def to_json(self) -> dict[str, object]:
        """For a file."""
        home = self.home.to_json() if self.home else None
        return {"netns": self.netns, "home": home, "pciID": self.pci, "driver": self.driver}

    def is_known_as(self, value: str) -> bool:
        """Whether a selector's value, a name, a MAC or a place in the machine, means this device."""
        home = self.home
        known = (home.name, home.mac, home.permanent_mac, home.parent_device) if home else ()
        return bool(value) and value in (*known, self.pci)


def find_loan(records: Backups, attachment: Attachment) -> Loan | None:
    """What an attachment has on loan."""
    document = records.read(attachment)
    # The file's name has no network in it.
    return Loan.parse(document) if document and document.get("network") == attachment.network else None


def all_loans(records: Backups) -> list[tuple[Attachment, Loan]]:
    """Every loan on record, of any network."""
    parsed = [(attachment, Loan.parse(document)) for attachment, document in records.every()]
    return [(attachment, loan) for attachment, loan in parsed if loan is not None]


def find_stray(host: Namespace, loan: Loan) -> Link | None:
    """A device on loan that the node got back from a dead namespace, under whatever name."""
    return find_moved(host, loan.home) if loan.home is not None and loan.home.is_physical else None


def as_at_home(host: Namespace, records: Backups, found: Link) -> Link:
    """A link of the node, made what it was if it is such a stray."""
    for _, loan in all_loans(records):
        home = loan.home
        if home is not None and home.is_physical and home.is_of(found) and found.name != home.name:
            failure = mend(host, found, home)
            if failure is not None:
                raise failure
            return link(host, home.name)
    return found


def end(
    host: Namespace, records: Backups, attachment: Attachment, loan: Loan, netns: str, *, patience: float = PATIENCE
) -> CniError | None:
    """Bring a device home and forget the loan; raises where the device stays in the pod.

    What keeps a device that is on the node from being what it was is returned.
    """
    failure: CniError | None = None
    at_home, forget = loan.home is None, True
    container = Namespace.find(netns) or Namespace.find(loan.netns)
    if container is not None and loan.home is not None:
        with container:
            there = find_moved(container, loan.home)
            if there is not None:
                failure, at_home = give_back(container, there, host, loan.home), True
    if not at_home and loan.home is not None and loan.home.is_physical:
        failure, forget = _mend_on_node(host, loan.home, patience=0.0 if container else patience)
    if forget:
        records.remove(attachment)
    return failure


def take_back(host: Namespace, container: Namespace, home: Home) -> None:
    """Undo a move, wherever it came to an end; raises where the device is not what it was."""
    there = find_moved(container, home)
    failure = give_back(container, there, host, home) if there is not None else None
    if failure is not None:
        raise failure


def end_foreign(request: Request, host: Namespace) -> None:
    """Bring home what the Go host-device moved: it left no record, but the device's name on the node as its alias."""
    container = Namespace.find(request.netns)
    if container is None:
        return
    with container:
        there = find_link(container, request.ifname)
        if there is None or not there.alias or wrong_with_ifname(there.alias) or not _is_told(request, there):
            return
        attempt = f"cannot give {there.name} of {container} back to the node as {there.alias}"
        require_free(host, there.alias, attempt)
        move(container, there.index, host, name=there.alias, alias="", attempt=attempt)


def _is_told(request: Request, link: Link) -> bool:
    found = request.previous.of_interface(request.ifname, request.netns) if request.previous else None
    return found is None or not found[1].mac or found[1].mac.lower() == link.mac


def _mend_on_node(host: Namespace, home: Home, *, patience: float) -> tuple[CniError | None, bool]:
    """What went wrong, and whether nothing more is to be done."""
    deadline = time.monotonic() + patience
    while True:
        stray = find_moved(host, home)
        if stray is not None:
            try:
                return mend(host, stray, home), True
            except NetlinkFailure as failure:
                return failure, False
        if is_pci_address(home.parent_device) and not pci_device_exists(home.parent_device):
            return None, True  # it was pulled out, or its VF taken away
        if time.monotonic() >= deadline:
            return None, False  # in a namespace that nobody told us of, or that is just dying
        time.sleep(0.02)
