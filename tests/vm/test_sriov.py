"""A card that does SR-IOV: qemu's igb, with Debian's drivers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cni_multus.linux.links import find_link, link
from cni_multus.linux.netns import Namespace

pytestmark = pytest.mark.vm

DEVICES = Path("/sys/bus/pci/devices")


def interface(function: str) -> str:
    [found] = (path.name for path in (DEVICES / function / "net").iterdir())
    return found


def test_virtual_functions_are_network_interfaces(card: Path, functions: list[str]) -> None:
    with Namespace.open("/proc/self/ns/net") as here:
        for function in functions:
            assert (DEVICES / function / "physfn").resolve() == card
            found = find_link(here, interface(function))
            assert found is not None
            assert (found.kind, found.parent_device) == ("", function)


@pytest.mark.parametrize("spoiled", [False, True], ids=["before", "after"])
def test_every_test_gets_new_ones(spoiled: bool, functions: list[str], container: Namespace) -> None:
    """The first of the two leaves one in a namespace that goes, and the other without a driver."""
    with Namespace.open("/proc/self/ns/net") as here:
        for function in functions:
            assert link(here, interface(function)).mtu == 1500
        if not spoiled:
            spoil = ["mtu", "1400", "netns", container.path]
            subprocess.run(["ip", "link", "set", interface(functions[0]), *spoil], check=True)
    (DEVICES / functions[1] / "driver/unbind").write_text(functions[1])
