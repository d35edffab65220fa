"""Which device of the node a host-device configuration means, and whether the node can do without it."""

from __future__ import annotations

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.linux import devices
from cni_multus.linux.links import find_link, find_link_by_index, list_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.routes import Route

KEYS = ("device", "hwaddr", "kernelpath", "pciBusID")
"""In the order of the reference: the first that is configured counts."""

_IFF_LOOPBACK = 0x8
_MAIN = 254


class Selector:
    """A key of the configuration and its value, checked, which mean one device."""

    __slots__ = ("key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value

    @property
    def pci(self) -> str:
        """The PCI address, "" where it is something else."""
        return self.value if devices.is_pci_address(self.value) else ""

    @property
    def place(self) -> str:
        """What the kernel calls the device, or the value."""
        return self.value.rstrip("/").rpartition("/")[2] if self.key == "kernelpath" else self.value

    def wrong(self, why: str) -> InvalidNetworkConfig:
        """The error that says why the device cannot be attached."""
        return InvalidNetworkConfig(f"{self.key}: {why}")

    def userspace_driver(self) -> str:
        """The driver that hands a PCI device to programs, "" if its driver makes a link; there must be one."""
        if not self.pci:
            return ""
        if not devices.pci_device_exists(self.pci):
            raise self.wrong(f"the node has no PCI device {self.pci}")
        driver = devices.pci_driver(self.pci)
        if not driver:
            raise self.wrong(f"no driver is bound to the PCI device {self.pci}")
        return driver if driver in devices.USERSPACE_DRIVERS else ""

    def find(self, host: Namespace) -> Link | None:
        """The device's link, None where the node does not show one."""
        return next((found for name in self._names(host) if (found := find_link(host, name)) is not None), None)

    def _names(self, host: Namespace) -> list[str]:
        if self.key == "device":
            return [self.value]
        if self.key == "hwaddr":
            return self._names_by_mac(host)
        if self.key == "kernelpath":
            try:
                return devices.links_of_kernel_path(self.value)
            except ValueError as error:
                raise self.wrong(str(error)) from None
        if self.pci:
            return devices.links_of_pci_device(self.pci)
        if not devices.auxiliary_device_exists(self.value):
            raise self.wrong(f"the node has no auxiliary device {self.value}")
        return devices.links_of_auxiliary_device(self.value)

    def _names_by_mac(self, host: Namespace) -> list[str]:
        """The link with that MAC; a VLAN has its parent's, and the ports of a bond have the bond's."""
        found = [each for each in list_links(host) if each.mac == self.value]
        for own in ([one for one in found if not one.kind], [one for one in found if one.permanent_mac == self.value]):
            found = own or found
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            raise self.wrong(f"{self.value} is the address of {names}: name one of them as device")
        return [each.name for each in found]


def parse_selectors(config: Section) -> list[Selector]:
    """The configured one, then the one that the runtime gave; with both, both must mean the same device."""
    pci = config.text("pciBusID").lower()
    if pci and not devices.is_pci_address(pci):
        raise config.wrong("pciBusID", f"{pci!r} is not a PCI address (as in 0000:01:10.0)")
    values = (config.text("device"), _hardware_address(config), config.text("kernelpath"), pci)
    configured = [Selector(key, value) for key, value in zip(KEYS, values, strict=True) if value][:1]
    runtime = config.section("runtimeConfig")
    given = runtime.text("deviceID")
    if not given:
        return configured
    if devices.is_pci_address(given.lower()):
        given = given.lower()
    elif not devices.is_auxiliary_name(given):
        raise runtime.wrong("deviceID", f"{given!r} is neither a PCI address nor the name of an auxiliary device")
    # As in the reference, what the kubelet chose takes the place of a PCI address; of what else is configured it does
    # not: that would be another device than the one that is named.
    return [one for one in configured if one.key != "pciBusID"] + [Selector(runtime.where("deviceID"), given)]


def refuse_unmovable(host: Namespace, selector: Selector, device: Link, *, force: bool) -> None:
    """Raise where the node would lose more than the device; `force` means that it may."""
    if device.flags & _IFF_LOOPBACK:
        raise selector.wrong(f"{device.name} is the node's loopback device, which no pod can have")
    if force:
        return
    hint = "set force if that is really meant"
    if device.master:
        master = find_link_by_index(host, device.master)
        name = master.name if master else f"link {device.master}"
        raise selector.wrong(f"{device.name} is a port of {name}, which would lose it; {hint}")
    from cni_multus.linux.routes import list_routes

    for route in list_routes(host, table=_MAIN):
        if route.default and any(device.index in _stack(host, hop) for hop in _hops(route)):
            raise selector.wrong(
                f"the node's default route leaves by {device.name}, and the node would be cut off; {hint}"
            )


def _hardware_address(config: Section) -> str:
    """A MAC, or one of the 8 or 20 bytes that FireWire and InfiniBand have."""
    groups = config.text("hwaddr").lower().replace("-", ":").split(":")
    if len(groups) in (8, 20) and all(len(group) == 2 and devices.is_hexadecimal(group) for group in groups):
        return ":".join(groups)
    return config.mac("hwaddr")


def _hops(route: Route) -> list[int]:
    return [route.index] if route.index else [index for index, _ in route.multipath]


def _stack(host: Namespace, index: int) -> list[int]:
    """A link and what it stands on, as a VLAN does on its parent."""
    stack: list[int] = []
    while index and index not in stack:
        stack.append(index)
        found = find_link_by_index(host, index)
        index = found.parent if found and found.parent_nsid is None else 0
    return stack
