"""Devices by where they sit in the machine: what sysfs tells of PCI addresses, auxiliary devices and kernel paths.

What comes from outside becomes part of a path only once its syntax was checked. The `net` directories show the links of
the namespace that sysfs was mounted in: on a node, the node's own.

    bus/pci/devices/<dddd:bb:dd.f>/{driver, net/<link>, virtio<n>/net/<link>}
    bus/auxiliary/devices/<module>.<name>.<id>/net/<link>
"""

from __future__ import annotations

import os

SYSFS = "/sys"

USERSPACE_DRIVERS = ("vfio-pci", "uio_pci_generic", "igb_uio")
"""Drivers that hand a PCI device to a program: the kernel has no link for it."""

_HEXADECIMAL = frozenset("0123456789abcdef")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")


def is_pci_address(text: str) -> bool:
    """Whether `text`, in lower case, is domain:bus:device.function (0000:01:10.0); domains may exceed four digits."""
    parts = text.replace(".", ":").split(":")
    if len(parts) != 4 or text.count(".") != 1 or text.rfind(".") < text.rfind(":"):
        return False
    domain, *rest = parts
    return (
        4 <= len(domain) <= 8
        and [len(part) for part in rest] == [2, 2, 1]
        and all(is_hexadecimal(part) for part in parts)
        and int(parts[2], 16) < 32
        and int(parts[3], 16) < 8
    )


def is_hexadecimal(text: str) -> bool:
    """Whether `text` is hexadecimal digits in lower case."""
    return bool(text) and _HEXADECIMAL.issuperset(text)


def is_auxiliary_name(text: str) -> bool:
    """Whether `text` has the form that the kernel gives to auxiliary devices (mlx5_core.sf.4)."""
    parts = text.split(".")
    return len(parts) == 3 and all(parts) and _NAME.issuperset(text) and parts[2].isdecimal()


def pci_device_exists(address: str, sysfs: str = SYSFS) -> bool:
    """Whether the machine has a device at a PCI address."""
    return os.path.isdir(_pci(address, sysfs))


def auxiliary_device_exists(name: str, sysfs: str = SYSFS) -> bool:
    """Whether the machine has an auxiliary device of that name."""
    return os.path.isdir(_auxiliary(name, sysfs))


def pci_driver(address: str, sysfs: str = SYSFS) -> str:
    """The driver of a PCI device, "" where none is bound to it."""
    try:
        return os.path.basename(os.readlink(f"{_pci(address, sysfs)}/driver"))
    except OSError:
        return ""


def links_of_pci_device(address: str, sysfs: str = SYSFS) -> list[str]:
    """The names of a PCI device's links, those of a virtio device on it included."""
    device = _pci(address, sysfs)
    own = _names(f"{device}/net")
    return own or [
        link
        for child in _names(device)
        if child.startswith("virtio") and child[6:].isdecimal()
        for link in _names(f"{device}/{child}/net")
    ]


def links_of_auxiliary_device(name: str, sysfs: str = SYSFS) -> list[str]:
    """The names of an auxiliary device's links."""
    return _names(f"{_auxiliary(name, sysfs)}/net")


def links_of_kernel_path(path: str, sysfs: str = SYSFS) -> list[str]:
    """The names of the links of the device at `path`; ValueError where that is not below devices/ of sysfs."""
    real = os.path.realpath(path)
    if not real.startswith(f"{sysfs}/devices/"):
        raise ValueError(f"{path!r} is not a directory below {sysfs}/devices")
    return _names(f"{real}/net")


def _pci(address: str, sysfs: str) -> str:
    if not is_pci_address(address):
        raise ValueError(f"{address!r} is not a PCI address (as in 0000:01:10.0)")
    return f"{sysfs}/bus/pci/devices/{address}"


def _auxiliary(name: str, sysfs: str) -> str:
    if not is_auxiliary_name(name):
        raise ValueError(f"{name!r} is not the name of an auxiliary device (as in mlx5_core.sf.4)")
    return f"{sysfs}/bus/auxiliary/devices/{name}"


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
