"""TAP devices, by ioctl in another namespace."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.links import list_links
from cni_multus.linux.taps import TYPE_TAP, add_tap

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace


def devices(ns: Namespace) -> dict[str, dict[str, int]]:
    return {link.name: link.data for link in list_links(ns) if link.kind == "tun"}


def test_it_is_made_in_the_namespace_and_stays_there(host: Namespace, container: Namespace) -> None:
    was = os.stat("/proc/thread-self/ns/net").st_ino
    add_tap(container, "tap0", owner=0xFFFFFFFE, group=0, multi_queue=True)
    assert os.stat("/proc/thread-self/ns/net").st_ino == was
    assert devices(container) == {"tap0": {"type": TYPE_TAP, "owner": 0xFFFFFFFE, "group": 0, "multi_queue": 1}}
    assert devices(host) == {}


def test_without_an_owner_it_has_none(container: Namespace) -> None:
    add_tap(container, "tap0")
    assert devices(container) == {"tap0": {"type": TYPE_TAP, "multi_queue": 0}}


def test_a_name_that_is_taken_is_left_alone(container: Namespace) -> None:
    add_tap(container, "tap0", owner=1)
    with pytest.raises(NetlinkFailure, match=r"^cannot add tap tap0: Device or resource busy") as failure:
        add_tap(container, "tap0", owner=2)
    assert failure.value.errno == errno.EBUSY
    assert devices(container)["tap0"]["owner"] == 1


def test_one_that_cannot_be_finished_is_gone(container: Namespace) -> None:
    """The user ID is the one that means none."""
    with pytest.raises(NetlinkFailure, match="Invalid argument"):
        add_tap(container, "tap0", owner=0xFFFFFFFF)
    assert devices(container) == {}
