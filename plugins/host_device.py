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
from cni_multus.devices.loans import DATA_DIR, Loan, Loans, collect_loans, end_foreign
from cni_multus.linux.devices import USERSPACE_DRIVERS, is_pci_address, pci_driver
from cni_multus.linux.links import Link, find_link_by_index, link
from cni_multus.linux.moves import Home, move, take_back
from cni_multus.linux.netns import Namespace
from cni_multus.plugin.interface import Attached, InterfacePlugin, find_ipam, release_addresses
from cni_multus.state.datadir import parse_data_dir
from cni_multus.undo import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result
    from cni_multus.devices.selection import Selector
    from cni_multus.undo import Undo


class HostDeviceConfig:
    """The keys of a host-device configuration; of two selectors the last, the runtime's, has the last word."""

    __slots__ = ("driver", "force", "found", "loans", "selectors")

    def __init__(self, request: Request) -> None:
        from cni_multus.devices.selection import KEYS, parse_selectors  # no DEL needs them

        config = request.config
        self.force = config.flag("force")
        self.loans = Loans(parse_data_dir(config, DATA_DIR))
        self.selectors = parse_selectors(config)
        expected = request.command == "STATUS" and config.section("capabilities").flag("deviceID")
        if not (self.selectors or expected or request.command == "CHECK"):
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
        from cni_multus.devices.selection import refuse_unmovable

        chosen = config.selectors[-1]
        config.driver = chosen.userspace_driver()
        config.found = None if config.driver else config.loans.at_home(host, _look_up(host, config.loans, chosen))
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
        loans = config.loans
        if config.found is None:
            undo.callback(loans.forget, request.attachment)
            loans.write(request.attachment, Loan(request.netns, 0, None, pci=config.pci, driver=config.driver))
            shown = Interface(request.ifname, sandbox=request.netns, pci_id=config.pci)
            return Attached([shown], 0, Link(0, 0, {}), up=False)
        with loans.turn(f"cannot move {config.found.name} into {container}"):
            device = _still_there(host, config.found, container)
            home = Home.of(host, device)
            loan = Loan(request.netns, container.cookie, home, pci=config.pci)
            undo.callback(loans.forget, request.attachment)
            loans.write(request.attachment, loan)
            undo.callback(take_back, host, container, home)
            moved = _move(request, device, host, container)
            if moved.index != home.index:  # the pod had another link of that index
                home.index = moved.index
                loans.write(request.attachment, loan)
            loans.forget_others(moved, request.attachment)
        shown = Interface(request.ifname, moved.mac, request.netns, moved.mtu, pci_id=config.pci)
        return Attached([shown], 0, moved)

    def verify(
        self, request: Request, config: HostDeviceConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        wrong = [] if link.up else ["it is down"]
        loan = config.loans.find(request.attachment)
        if loan and loan.home and not loan.home.is_of(link):
            wrong.append(f"it is not {loan.home.name} of the node, the device that was attached")
        return wrong

    def check(self, request: Request) -> None:
        config = self.parse(request)
        loan = config.loans.find(request.attachment)
        pci = loan.pci if loan else config.selectors[-1].pci if config.selectors else ""
        driver = pci_driver(pci) if pci else ""
        if loan.driver if loan else driver in USERSPACE_DRIVERS:
            _check_userspace(request, pci, driver)
        else:
            super().check(request)

    def ready(self, request: Request, config: HostDeviceConfig, host: Namespace) -> None:
        from cni_multus.devices.selection import refuse_unmovable

        try:
            for selector in config.selectors:
                if not selector.userspace_driver():
                    found = _look_up(host, config.loans, selector)
                    refuse_unmovable(host, selector, found, force=config.force)
        except TryAgainLater:
            return  # a pod has it
        except InvalidNetworkConfig as error:
            raise NotAvailable(error.message) from error

    def delete(self, request: Request) -> None:
        loans = Loans.of(request)
        failure: CniError | None = None
        with Namespace.host() as host:
            # What stays in the pod raises: it keeps its addresses.
            if loans.find(request.attachment) is not None:
                failure = loans.end(host, request.attachment, request.netns)
            else:
                end_foreign(request, host)
                loans.forget(request.attachment)
        release_addresses(request)
        if failure:
            raise failure

    def collect_garbage(self, request: Request) -> None:
        do_all(lambda collect: collect(request), (collect_loans, super().collect_garbage))

    def _end_half_an_add(self, request: Request) -> None:
        """An ADD of this attachment that was killed may have moved the device: then it is still down."""
        loans = self.parse(request).loans
        loan = loans.find(request.attachment)
        if loan is None or loan.home is None:
            return
        with Namespace.open(request.netns) as container, Namespace.host() as host:
            there = loan.find_in(container)
            if there is not None and not there.up:
                failure = loans.end(host, request.attachment, request.netns)
                if failure:
                    raise failure


def _look_up(host: Namespace, loans: Loans, selector: Selector) -> Link:
    """The device that a selector means, as it is; TryAgainLater where a pod has it."""
    found = selector.find(host)
    if found is not None:
        return found
    for holder, loan in loans.every():
        if not loan.is_known_as(selector.place):
            continue
        stray = loan.find_stray(host)
        if stray is not None:
            return stray
        raise TryAgainLater(
            f"{selector.key}: {selector.value} is in use: container {holder.container_id} has it as {holder.ifname} "
            f"(network {holder.network})"
        )
    raise selector.wrong(f"the node has no link that is {selector.value}")


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


def _still_there(host: Namespace, device: Link, container: Namespace) -> Link:
    """The device as it is now that it is this request's turn."""
    found = find_link_by_index(host, device.index)
    if found is None or found.name != device.name:
        raise TryAgainLater(f"cannot move {device.name} into {container}: somebody else took it meanwhile")
    return found


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
