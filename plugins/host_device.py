"""host-device: a device of the node, moved into the pod, and back as it was when the pod goes."""

from __future__ import annotations

import errno

from cni_multus.cni.errors import (
    CheckFailed,
    CniError,
    InvalidNetworkConfig,
    NetlinkFailure,
    NotAvailable,
    TryAgainLater,
)
from cni_multus.cni.result import Interface
from cni_multus.linux.devices import USERSPACE_DRIVERS, is_pci_address, pci_driver
from cni_multus.linux.links import Link, find_link, link
from cni_multus.linux.moves import Home, move
from cni_multus.linux.netns import Namespace
from cni_multus.loans import Loan, all_loans, as_at_home, end, end_foreign, find_loan, find_stray, take_back
from cni_multus.plugin import Attached, InterfacePlugin, find_ipam
from cni_multus.state.backups import Backups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Attachment, Request
    from cni_multus.cni.result import Result
    from cni_multus.nodedevices import Selector
    from cni_multus.undo import Undo

DATA_DIR = "/run/multus/host-device"


class HostDeviceConfig:
    """The keys of a host-device configuration; of two selectors the last, the runtime's, has the last word."""

    __slots__ = ("data_dir", "driver", "force", "found", "selectors")

    def __init__(self, request: Request) -> None:
        from cni_multus.nodedevices import KEYS, parse_selectors  # no DEL needs them

        config = request.config
        self.force = config.flag("force")
        self.data_dir = config.text("dataDir") or DATA_DIR
        if not self.data_dir.startswith("/"):
            raise config.wrong("dataDir", f"{self.data_dir!r} is not an absolute path")
        self.selectors = parse_selectors(config)
        expected = request.command == "STATUS" and config.section("capabilities").flag("deviceID")
        if not self.selectors and request.command != "CHECK" and not expected:
            raise InvalidNetworkConfig(
                f"{KEYS[0]}: nothing says which device is meant: none of {', '.join(KEYS)} is configured, "
                "and the runtime gave no deviceID"
            )
        self.found: Link | None = None
        """The device, once it was looked up; None then means that `driver` hands it to programs."""
        self.driver = ""

    @property
    def pci(self) -> str:
        """The PCI address of the device, "" where it has none."""
        at = self.found.parent_device if self.found else ""
        return self.selectors[-1].pci or (at if is_pci_address(at) else "")


class HostDevice(InterfacePlugin["HostDeviceConfig"]):
    """See README.md for the keys."""

    def parse(self, request: Request) -> HostDeviceConfig:
        return HostDeviceConfig(request)

    def add(self, request: Request) -> Result:
        self._end_half_an_add(request)
        return super().add(request)

    def prepare(self, request: Request, config: HostDeviceConfig, host: Namespace, container: Namespace) -> None:
        from cni_multus.nodedevices import refuse_unmovable

        records = Backups(config.data_dir)
        chosen = config.selectors[-1]
        config.driver = chosen.userspace_driver()
        config.found = None if config.driver else _find(host, records, chosen)
        for other in config.selectors[:-1]:
            _refuse_another(host, other, config)
        if config.found is not None:
            refuse_unmovable(host, chosen, config.found, force=config.force)

    def attach(
        self,
        request: Request,
        config: HostDeviceConfig,
        host: Namespace,
        container: Namespace,
        ipam: Result,
        undo: Undo,
    ) -> Attached:
        records, device = Backups(config.data_dir), config.found
        home = Home.of(host, device) if device else None
        loan = Loan(request.netns, home, pci=config.pci, driver=config.driver)
        undo.callback(records.remove, request.attachment)
        records.write(request.attachment, loan.to_json())
        if device is None or home is None:
            shown = Interface(request.ifname, sandbox=request.netns, pci_id=config.pci)
            return Attached([shown], 0, Link(0, 0, {}), up=False)
        undo.callback(take_back, host, container, home)
        moved = _move(request, device, host, container)
        if moved.index != home.index:  # the pod had another link of that index
            home.index = moved.index
            records.write(request.attachment, loan.to_json())
        for attachment, other in all_loans(records):
            if (
                other.home
                and other.home.is_physical
                and other.home.is_of(moved)
                and not _same(attachment, request.attachment)
            ):
                records.remove(attachment)  # it was left on the node, and nobody ended that loan
        shown = Interface(request.ifname, moved.mac, request.netns, moved.mtu, pci_id=config.pci)
        return Attached([shown], 0, moved)

    def verify(
        self, request: Request, config: HostDeviceConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        wrong = [] if link.up else ["it is down"]
        loan = find_loan(Backups(config.data_dir), request.attachment)
        if loan and loan.home and not loan.home.is_of(link):
            wrong.append(f"it is not {loan.home.name} of the node, the device that was attached")
        return wrong

    def check(self, request: Request) -> None:
        config = self.parse(request)
        loan = find_loan(Backups(config.data_dir), request.attachment)
        pci = loan.pci if loan else config.selectors[-1].pci if config.selectors else ""
        driver = pci_driver(pci) if pci else ""
        if loan.driver if loan else driver in USERSPACE_DRIVERS:
            _check_userspace(request, pci, driver)
        else:
            super().check(request)

    def ready(self, request: Request, config: HostDeviceConfig, host: Namespace) -> None:
        try:
            for selector in config.selectors:
                if not selector.userspace_driver():
                    _look_up(host, Backups(config.data_dir), selector)
        except TryAgainLater:
            return  # a pod has it
        except InvalidNetworkConfig as error:
            raise NotAvailable(error.message) from error

    def delete(self, request: Request) -> None:
        records = _records(request)
        loan = find_loan(records, request.attachment)
        failure: CniError | None = None
        with Namespace.host() as host:
            # What stays in the pod raises: it keeps its addresses.
            if loan is not None:
                failure = end(host, records, request.attachment, loan, request.netns)
            else:
                end_foreign(request, host)
        ipam = find_ipam(request)
        if ipam:
            ipam.delete(request)
        if failure:
            raise failure

    def collect_garbage(self, request: Request) -> None:
        records, valid = _records(request), request.valid_attachments()
        failures: list[CniError] = []
        with Namespace.host() as host:
            for attachment, loan in all_loans(records):
                if attachment.network != request.name or (attachment.container_id, attachment.ifname) in valid:
                    continue
                try:
                    failure = end(host, records, attachment, loan, "", patience=0.0)
                except CniError as error:
                    failure = error
                failures += [failure] if failure else []
        super().collect_garbage(request)
        if failures:
            raise failures[0]

    def _end_half_an_add(self, request: Request) -> None:
        """An ADD of this attachment that was killed may have moved the device: then it is still down."""
        records = Backups(self.parse(request).data_dir)
        loan = find_loan(records, request.attachment)
        if loan is None or loan.home is None:
            return
        with Namespace.open(request.netns) as container, Namespace.host() as host:
            there = find_link(container, request.ifname)
            if there is not None and loan.home.is_of(there) and not there.up:
                failure = end(host, records, request.attachment, loan, request.netns)
                if failure:
                    raise failure


def _look_up(host: Namespace, records: Backups, selector: Selector) -> Link:
    """The device that a selector means, as it is; TryAgainLater where a pod has it."""
    found = selector.find(host)
    if found is not None:
        return found
    known = [(holder, loan) for holder, loan in all_loans(records) if loan.is_known_as(selector.place)]
    for holder, loan in known:
        stray = find_stray(host, loan)
        if stray is not None:
            return stray
        raise TryAgainLater(
            f"{selector.key}: {selector.value} is in use: container {holder.container_id} has it as {holder.ifname} "
            f"(network {holder.network})"
        )
    raise selector.wrong(f"the node has no link that is {selector.value}")


def _find(host: Namespace, records: Backups, selector: Selector) -> Link:
    return as_at_home(host, records, _look_up(host, records, selector))


def _refuse_another(host: Namespace, selector: Selector, config: HostDeviceConfig) -> None:
    """Raise where the configuration names another device than the one that the runtime chose."""
    one = selector.find(host)
    if one is None or config.found is None or one.index != config.found.index:
        chosen = config.selectors[-1]
        told = f"{chosen.value} ({config.found.name if config.found else config.driver})"
        raise selector.wrong(
            f"{selector.value} is not the device that the runtime chose for this pod, {told} by {chosen.key}: "
            f"leave {selector.key} out of the configuration"
        )


def _move(request: Request, device: Link, host: Namespace, container: Namespace) -> Link:
    attempt = f"cannot move {device.name} into {container} as {request.ifname}"
    try:
        move(host, device.index, container, name=request.ifname, alias=device.name, attempt=attempt)
    except NetlinkFailure as failure:
        if failure.errno == errno.ENODEV:
            raise TryAgainLater(f"{attempt}: somebody else took it meanwhile") from failure
        if failure.errno == errno.EINVAL:
            failure.message += f"; the kernel keeps a {device.kind or 'device'} of this kind where it was made"
        raise
    return link(container, request.ifname)


def _check_userspace(request: Request, pci: str, driver: str) -> None:
    if request.previous is None:
        raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
    if request.previous.of_interface(request.ifname, request.netns) is None:
        raise CheckFailed(f"prevResult has no interface {request.ifname} in {request.netns}")
    if driver not in USERSPACE_DRIVERS:
        raise CheckFailed(f"{pci} is not as it was attached: its driver is {driver or 'gone'}, which serves no program")
    ipam = find_ipam(request)
    if ipam:
        ipam.check(request)


def _records(request: Request) -> Backups:
    """For verbs that must not depend on the configuration: an ADD was refused with one that is wrong."""
    directory = request.config.value("dataDir")
    return Backups(directory if isinstance(directory, str) and directory.startswith("/") else DATA_DIR)


def _same(one: Attachment, other: Attachment) -> bool:
    return (one.network, one.container_id, one.ifname) == (other.network, other.container_id, other.ifname)
