"""Devices of the node that pods have on loan: what is on record of each, and how it comes home. It selects none.

A record is written before the device leaves and removed when it is back. One whose device is neither in the pod nor on
the node stays: a namespace that dies gives its physical devices back in its own time.
"""

from __future__ import annotations

import errno
import time

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, NetlinkFailure
from cni_multus.cni.names import wrong_with_ifname
from cni_multus.cni.request import Attachment
from cni_multus.linux.devices import is_pci_address, pci_device_exists
from cni_multus.linux.links import find_link, link
from cni_multus.linux.moves import Home, find_moved, find_returning, give_back, mend, move, require_free
from cni_multus.linux.netns import Namespace
from cni_multus.state.backups import Backups
from cni_multus.state.datadir import data_dir_if_any
from cni_multus.state.files import make_directory
from cni_multus.state.lock import Lock
from cni_multus.undo import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link

DATA_DIR = "/run/multus/host-device"
PATIENCE = 1.0
"""Seconds for the kernel to take a dead namespace apart; it takes some tenths."""
_PASSING = (errno.ENOMEM, errno.ENOBUFS, errno.EBUSY, errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT)


class Loan:
    """A device that an attachment has: what it was on the node, None where `driver` hands it to programs.

    `netns` and `cookie` are the path of the namespace that has it, and the kernel's number of that namespace.
    """

    __slots__ = ("cookie", "driver", "home", "netns", "pci")

    def __init__(self, netns: str, cookie: int, home: Home | None, *, pci: str = "", driver: str = "") -> None:
        self.netns = netns
        self.cookie = cookie
        self.home = home
        self.pci = pci
        self.driver = driver

    @staticmethod
    def parse(document: dict[str, object]) -> Loan | None:
        """Read what `to_json` made; None where something else stands there."""
        section = Section(document)
        try:
            home = Home.parse(section.section("home")) if section.has("home") else None
            netns, cookie = section.text("netns"), section.number("cookie", high=1 << 64)
            loan = Loan(netns, cookie, home, pci=section.text("pciID"), driver=section.text("driver"))
        except CniError:
            return None
        return loan if home is None or home.name else None

    def to_json(self) -> dict[str, object]:
        """For a file."""
        home = self.home.to_json() if self.home else None
        return {"netns": self.netns, "cookie": self.cookie, "home": home, "pciID": self.pci, "driver": self.driver}

    def is_known_as(self, value: str) -> bool:
        """Whether a selector's value, a name, a MAC or a place in the machine, means this device."""
        home = self.home
        known = (home.name, home.mac, home.permanent_mac, home.parent_device) if home else ()
        return bool(value) and value in (*known, self.pci)

    def find_stray(self, host: Namespace) -> Link | None:
        """The device, where a dead namespace gave it back to the node, under whatever name."""
        return find_moved(host, self.home) if self.home is not None and self.home.is_physical else None

    def find_in(self, container: Namespace) -> Link | None:
        """The device, where it is in `container`; virtual links are told by their index, which is a namespace's own."""
        if self.home is None or not (self.home.is_physical or self.cookie == container.cookie):
            return None
        return find_moved(container, self.home)


class Loans:
    """The records in a directory."""

    __slots__ = ("_directory", "_records")

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._records = Backups(directory)

    @staticmethod
    def of(request: Request) -> Loans:
        """For verbs that must not depend on the configuration."""
        return Loans(data_dir_if_any(request.config, DATA_DIR))

    def turn(self, attempt: str) -> Lock:
        """`with loans.turn(attempt):` no device of these records leaves or comes home meanwhile."""
        make_directory(self._directory, 0o700)
        return Lock(f"{self._directory}/lock", attempt)

    def find(self, attachment: Attachment) -> Loan | None:
        """What an attachment has on loan."""
        document = self._records.read(attachment)
        # The file's name has no network in it.
        return Loan.parse(document) if document and document.get("network") == attachment.network else None

    def every(self) -> list[tuple[Attachment, Loan]]:
        """Every loan on record, of any network."""
        parsed = [(attachment, Loan.parse(document)) for attachment, document in self._records.every()]
        return [(attachment, loan) for attachment, loan in parsed if loan is not None]

    def write(self, attachment: Attachment, loan: Loan) -> None:
        """Put a loan on record."""
        self._records.write(attachment, loan.to_json())

    def forget(self, attachment: Attachment) -> None:
        """Remove an attachment's record, or what a killed ADD has begun of it; succeeds where there is none."""
        self._records.forget(attachment)

    def forget_others(self, device: Link, mine: Attachment) -> None:
        """Remove what others have on record of a device that was on the node: nobody ended those loans."""
        for attachment, loan in self.every():
            known = loan.home is not None and loan.home.is_physical and loan.home.is_of(device)
            if known and (attachment.container_id, attachment.ifname) != (mine.container_id, mine.ifname):
                self.forget(attachment)

    def at_home(self, host: Namespace, found: Link) -> Link:
        """A link of the node, made what it was if a dead namespace gave it back under another name."""
        for _, loan in self.every():
            home = loan.home
            if home is not None and home.is_physical and home.is_of(found) and found.name != home.name:
                failure = mend(host, found, home)
                if failure is not None:
                    raise failure
                return link(host, home.name)
        return found

    def end(
        self, host: Namespace, attachment: Attachment, netns: str = "", *, patience: float = PATIENCE
    ) -> CniError | None:
        """Bring a device home and forget the loan; raises where the device stays in the pod.

        What keeps a device that is on the node from being what it was is returned.
        """
        deadline = time.monotonic() + patience
        while True:
            with self.turn(f"cannot bring home what {attachment.ifname} of {attachment.container_id} has"):
                loan = self.find(attachment)
                if loan is None:
                    return None
                is_gone, failure = _recall(host, loan, netns)
                if is_gone:
                    self.forget(attachment)
            if is_gone or failure is not None or time.monotonic() >= deadline:
                return failure
            time.sleep(0.02)


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


def collect_loans(request: Request) -> None:
    """GC: end the loans of the network whose attachments the runtime does not know any more."""
    loans, valid = Loans.of(request), request.valid_attachments()
    stale = [each for each, _ in loans.every() if (each.container_id, each.ifname) not in valid]

    def end(attachment: Attachment) -> None:
        failure = loans.end(host, attachment, patience=0.0)
        if failure is not None:
            raise failure

    with Namespace.host() as host:
        do_all(end, [each for each in stale if each.network == request.name])


def _recall(host: Namespace, loan: Loan, netns: str) -> tuple[bool, CniError | None]:
    """Whether nothing is left to be done, and what could not be; raises where the device stays in the pod."""
    home = loan.home
    if home is None:
        return True, None
    for path in dict.fromkeys((netns, loan.netns)):
        container = Namespace.find(path)
        if container is None:
            continue
        with container:
            # A path of a process may lead anywhere by now.
            there = loan.find_in(container) if container.identity != host.identity else None
            if there is not None:
                return _unless_passing(give_back(container, there, host, home))
    stray = loan.find_stray(host) if home.is_physical else find_returning(host, home)
    if stray is None and not home.is_physical:
        return True, None  # it died with its namespace, or never left
    if stray is not None:
        try:
            return _unless_passing(mend(host, stray, home))
        except NetlinkFailure as failure:
            return False, failure
    # It was pulled out, or its VF was taken away; else it is in a namespace that is dying, or that nobody told us of.
    return is_pci_address(home.parent_device) and not pci_device_exists(home.parent_device), None


def _unless_passing(failure: NetlinkFailure | None) -> tuple[bool, CniError | None]:
    """What could not be restored is done with, but for what the kernel had no room for: the next DEL tries again."""
    return failure is None or failure.errno not in _PASSING, failure


def _is_told(request: Request, link: Link) -> bool:
    found = request.previous.of_interface(request.ifname, request.netns) if request.previous else None
    return found is None or not found[1].mac or found[1].mac.lower() == link.mac
