"""What only the virtual machine has."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CARDS = Path("/sys/bus/pci/drivers/igb")
FUNCTIONS = 2
APPEARANCE = 30
"""Seconds that the driver may take to make a network interface of a virtual function."""


@pytest.fixture(scope="session")
def drivers() -> None:
    """The drivers of the cards; nothing loads them by itself, since nobody listens to what the kernel finds."""
    subprocess.run(["modprobe", "-a", "igb", "igbvf"], check=True)


@pytest.fixture
def card(drivers: None) -> str:
    """The PCI address of a card that can have virtual functions, and has none."""
    return min(path.name for path in CARDS.iterdir() if path.is_symlink() and ":" in path.name)


@pytest.fixture
def functions(card: str) -> Iterator[list[str]]:
    """The PCI addresses of a card's virtual functions, each of which has its network interface; gone with the test."""
    device = CARDS / card
    number = device / "sriov_numvfs"
    number.write_text(str(FUNCTIONS))
    made = [os.path.basename(os.readlink(device / f"virtfn{which}")) for which in range(FUNCTIONS)]
    deadline = time.monotonic() + APPEARANCE
    while not all(list((device.resolve().parent / address).glob("net/*")) for address in made):
        assert time.monotonic() < deadline, "the virtual functions have no network interfaces"
        time.sleep(0.01)
    yield made
    number.write_text("0")
