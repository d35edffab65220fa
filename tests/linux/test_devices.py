"""Devices by their place in the machine; a made tree stands for sysfs, since no auxiliary device here has a link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.linux import devices

if TYPE_CHECKING:
    from pathlib import Path

VF, VIRTIO, DPDK, BARE = "0000:01:10.0", "0000:00:03.0", "10000:0a:1f.7", "0000:05:00.0"
SF = "mlx5_core.sf.4"


@pytest.fixture
def sysfs(tmp_path: Path) -> str:
    """As the kernel lays it out: buses of links to the devices' own directories."""
    root = tmp_path / "sys"
    places = {
        VF: "devices/pci0000:00/0000:00:01.0/0000:01:10.0",
        VIRTIO: "devices/pci0000:00/0000:00:03.0",
        DPDK: "devices/pci10000:0a/10000:0a:1f.7",
        BARE: "devices/pci0000:00/0000:05:00.0",
    }
    for address, place in places.items():
        (root / place).mkdir(parents=True)
        bus = root / "bus" / "pci" / "devices"
        bus.mkdir(parents=True, exist_ok=True)
        (bus / address).symlink_to(root / place)
    for driver, address in (("igbvf", VF), ("virtio-pci", VIRTIO), ("vfio-pci", DPDK)):
        (root / "bus" / "pci" / "drivers" / driver).mkdir(parents=True)
        (root / places[address] / "driver").symlink_to(root / "bus" / "pci" / "drivers" / driver)
    for link in (f"{places[VF]}/net/ens6v1", f"{places[VF]}/net/ens6v0", f"{places[VIRTIO]}/virtio0/net/ens3"):
        (root / link).mkdir(parents=True)
    (root / places[VIRTIO] / "virtio_nonsense" / "net" / "other").mkdir(parents=True)
    (root / places[VF] / SF / "net" / "ens6s4").mkdir(parents=True)
    (root / "bus" / "auxiliary" / "devices").mkdir(parents=True)
    (root / "bus" / "auxiliary" / "devices" / SF).symlink_to(root / places[VF] / SF)
    return str(root)


@pytest.mark.parametrize("text", [VF, VIRTIO, DPDK, "00010000:ff:1f.7"])
def test_a_pci_address(text: str) -> None:
    assert devices.is_pci_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01:10.0",
        "0000:01:10",
        "0000:01:10:0",
        "0000.01:10.0",
        "0000:01.10:0",
        "0000:01:20.0",
        "0000:01:10.8",
        "0000:01:10.00",
        "000g:01:10.0",
        "0000:0A:10.0",
        "0000:01:10.0/..",
        "../0:01:10.0",
        "0000:\u0660\u0661:10.0",
        " 0000:01:10.0",
    ],
)
def test_no_pci_address(text: str) -> None:
    assert not devices.is_pci_address(text)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (SF, True),
        ("ice.roce.12", True),
        ("mlx5_core.eth-rep.0", True),
        ("", False),
        ("mlx5_core.sf", False),
        ("mlx5_core.sf.x", False),
        ("..4", False),
        ("...", False),
        ("../sf.4", False),
        ("mlx5_core.sf.4/..", False),
        ("mlx5_core.sf.4\n", False),
    ],
)
def test_auxiliary_names(text: str, is_one: bool) -> None:
    assert devices.is_auxiliary_name(text) == is_one


def test_links_of_a_pci_device_are_in_the_order_of_their_names(sysfs: str) -> None:
    assert devices.links_of_pci_device(VF, sysfs) == ["ens6v0", "ens6v1"]


def test_links_of_a_virtio_device_are_its_pci_devices(sysfs: str) -> None:
    assert devices.links_of_pci_device(VIRTIO, sysfs) == ["ens3"]


def test_what_has_no_link_has_none(sysfs: str) -> None:
    assert devices.links_of_pci_device(DPDK, sysfs) == []
    assert devices.links_of_pci_device("0000:ff:1f.7", sysfs) == []
    assert devices.links_of_auxiliary_device("mlx5_core.sf.5", sysfs) == []


def test_links_of_an_auxiliary_device(sysfs: str) -> None:
    assert devices.links_of_auxiliary_device(SF, sysfs) == ["ens6s4"]


def test_what_is_there(sysfs: str) -> None:
    assert [devices.pci_device_exists(address, sysfs) for address in (VF, "0000:ff:1f.7")] == [True, False]
    assert [devices.auxiliary_device_exists(name, sysfs) for name in (SF, "mlx5_core.sf.5")] == [True, False]


def test_drivers(sysfs: str) -> None:
    found = {address: devices.pci_driver(address, sysfs) for address in (VF, VIRTIO, DPDK, BARE)}
    assert found == {VF: "igbvf", VIRTIO: "virtio-pci", DPDK: "vfio-pci", BARE: ""}
    assert [address for address in found if found[address] in devices.USERSPACE_DRIVERS] == [DPDK]


@pytest.mark.parametrize("more", ["", "/", "/./", "/../0000:01:10.0"])
def test_a_kernel_path_is_normalised(more: str, sysfs: str) -> None:
    path = f"{sysfs}/devices/pci0000:00/0000:00:01.0/0000:01:10.0{more}"
    assert devices.links_of_kernel_path(path, sysfs) == ["ens6v0", "ens6v1"]


@pytest.mark.parametrize(
    "path", ["/etc", "{}", "{}/devices", "{}/devices/../bus", "{}/bus", "devices", "", "{}/devices2"]
)
def test_a_kernel_path_leads_nowhere_else(path: str, sysfs: str) -> None:
    with pytest.raises(ValueError, match=r"is not a directory below"):
        devices.links_of_kernel_path(path.format(sysfs), sysfs)


@pytest.mark.parametrize("bad", ["../../etc", "", "0000:01:10.0/../.."])
def test_what_is_no_name_never_becomes_a_path(bad: str, sysfs: str) -> None:
    for ask in (devices.links_of_pci_device, devices.pci_driver, devices.pci_device_exists):
        with pytest.raises(ValueError, match=r"is not a PCI address"):
            ask(bad, sysfs)
    for about in (devices.links_of_auxiliary_device, devices.auxiliary_device_exists):
        with pytest.raises(ValueError, match=r"is not the name of an auxiliary device"):
            about(bad, sysfs)
