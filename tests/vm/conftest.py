"""What only the virtual machine has."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

PCI = Path("/sys/bus/pci")
FUNCTIONS = 2
APPEARANCE = 30
"""Seconds that the driver may take to make a network interface of a virtual function."""


@pytest.fixture(scope="session")
def drivers() -> None:
    """The drivers of the cards; nothing loads them by itself, since nobody listens to what the kernel finds."""
    subprocess.run(["modprobe", "-a", "igb", "igbvf"], check=True)


@pytest.fixture
def card(drivers: None) -> Path:
    """A card that can have virtual functions, as a directory of sysfs named like its PCI address."""
    return min(PCI.joinpath("drivers/igb").glob("*:*")).resolve()


@pytest.fixture
def functions(card: Path) -> list[str]:
    """The PCI addresses of a card's virtual functions, each of which has a new network interface."""
    number = card / "sriov_numvfs"
    if int(number.read_text()) != FUNCTIONS:
        number.write_text(str(FUNCTIONS))  # they stay: taking them away would keep the card busy for seconds
    made = [os.readlink(card / f"virtfn{which}").rpartition("/")[2] for which in range(FUNCTIONS)]
    for address in made:
        give_to_driver(PCI / "devices" / address)
    deadline = time.monotonic() + APPEARANCE
    while not all(list(PCI.glob(f"devices/{address}/net/*")) for address in made):
        assert time.monotonic() < deadline, "the virtual functions have no network interfaces"
        time.sleep(0.01)
    return made


def give_to_driver(device: Path) -> None:
    """Let the driver begin anew with a device, whoever has it, and wherever its network interface is."""
    if (device / "driver").exists():
        (device / "driver/unbind").write_text(device.name)
    (device / "driver_override").write_text("\n")
    (PCI / "drivers_probe").write_text(device.name)
