"""A node and a pod of its own: network namespaces that only this process can see and that go when it does."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyroute2 import IPRoute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UPLINK = "ens1"

CLONE_NEWNS = 0x20000
CLONE_NEWNET = 0x40000000
MNT_DETACH = 2
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class World:
    """The paths of two network namespaces; the node has an UPLINK that macvlans can be put on."""

    node: Path
    pod: Path


def isolate() -> None:
    """Give this process mounts of its own, so that whatever happens none of them is left to the machine.

    /run is empty there: plugins keep files in it.
    """
    _checked(LIBC.unshare(CLONE_NEWNS))
    _checked(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    _checked(LIBC.mount(b"run", b"/run", b"tmpfs", 0, None))


@contextmanager
def make_world(directory: Path) -> Iterator[World]:
    """A fresh node and pod, bound to files below `directory` as a runtime does it."""
    directory.mkdir()
    world = World(directory / "node", directory / "pod")
    with netns(world.node), netns(world.pod):
        with entered(world.node), IPRoute() as kernel:
            kernel.link("add", ifname=UPLINK, kind="veth", peer="wire")
            for name in ("lo", UPLINK, "wire"):
                kernel.link("set", index=kernel.link_lookup(ifname=name)[0], state="up")
        yield world


@contextmanager
def entered(netns: Path) -> Iterator[None]:
    """This thread inside a network namespace; what it spawns is there as well."""
    with open("/proc/thread-self/ns/net", "rb") as home, open(netns, "rb") as target:
        _checked(LIBC.setns(target.fileno(), CLONE_NEWNET))
        try:
            yield
        finally:
            _checked(LIBC.setns(home.fileno(), CLONE_NEWNET))


@contextmanager
def netns(path: Path) -> Iterator[None]:
    """A fresh network namespace, bound to a file."""
    path.touch()
    with open("/proc/thread-self/ns/net", "rb") as home:
        _checked(LIBC.unshare(CLONE_NEWNET))
        try:
            _checked(LIBC.mount(b"/proc/thread-self/ns/net", bytes(path), b"none", MS_BIND, None))
        finally:
            _checked(LIBC.setns(home.fileno(), CLONE_NEWNET))
    try:
        yield
    finally:
        _checked(LIBC.umount2(bytes(path), MNT_DETACH))


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
