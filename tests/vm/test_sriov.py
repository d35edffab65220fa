"""A card that does SR-IOV: qemu's igb, with Debian's drivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_multus.linux.links import find_link, list_links
from cni_multus.linux.netns import Namespace

pytestmark = pytest.mark.vm

DEVICES = Path("/sys/bus/pci/devices")


def test_virtual_functions_are_network_interfaces(card: str, functions: list[str]) -> None:
    with Namespace.open("/proc/self/ns/net") as here:
        for address in functions:
            [interface] = (path.name for path in (DEVICES / address / "net").iterdir())
            assert (DEVICES / address / "physfn").resolve().name == card
            found = find_link(here, interface)
            assert found is not None
            assert (found.kind, found.parent_device) == ("", address)


def test_they_go_with_the_test(card: str) -> None:
    assert not list((DEVICES / card).glob("virtfn*"))
    with Namespace.open("/proc/self/ns/net") as here:
        assert card in {link.parent_device for link in list_links(here)}
