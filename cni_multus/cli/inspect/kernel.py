"""A network namespace as the kernel shows it: each table read once, and put in order by the link it is about.

Netlink goes through the program's own codec, which reads a pod's namespace in a third of a millisecond. pyroute2, which
the tests hold against it, takes twenty times that.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.notes import ENTER_NAMESPACES, SEE_PROCESSES, Note, note
from cni_multus.cli.inspect.policy import Policy, list_policies
from cni_multus.cli.inspect.queueing import Queueing, list_queueing
from cni_multus.cni.errors import CniError
from cni_multus.linux import sysctl
from cni_multus.linux.addresses import list_addresses
from cni_multus.linux.bridgevlans import list_vlans
from cni_multus.linux.links import list_links
from cni_multus.linux.netns import Namespace
from cni_multus.linux.routes import list_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from cni_multus.linux.addresses import Address
    from cni_multus.linux.links import Link
    from cni_multus.linux.routes import Route

    T = TypeVar("T")

LOCAL_TABLE = 255
"""What the kernel keeps for itself: its routes say nothing that the addresses do not."""


@dataclass(slots=True)
class Space:
    """One namespace; `trouble` is why nothing of it could be read, `notes` what of it could not be."""

    path: str
    identity: str = ""
    """Device and inode as the journal writes them, "" where there is nothing at the path."""
    links: dict[int, Link] = field(default_factory=dict)
    addresses: dict[int, list[Address]] = field(default_factory=dict)
    table: list[Route] = field(default_factory=list)
    """Every route of every table but the local one."""
    routes: dict[int, list[Route]] = field(default_factory=dict)
    """By each link that one leaves by; 0 for those that leave by none (blackhole)."""
    policies: list[Policy] = field(default_factory=list)
    """The routing rules, without the three that every namespace has."""
    queueing: dict[int, list[Queueing]] = field(default_factory=dict)
    vlans: dict[int, dict[int, int]] = field(default_factory=dict)
    """Of ports of bridges, and of bridges: {VLAN: flags}; read of the node only."""
    trouble: Note | None = None
    notes: list[Note] = field(default_factory=list)
    _named: dict[str, Link] = field(default_factory=dict)

    def take(self, links: Iterable[Link]) -> None:
        """Put the links in order."""
        self.links = {link.index: link for link in links}
        self._named = {link.name: link for link in self.links.values()}

    def named(self, name: str) -> Link | None:
        """The link with that name."""
        return self._named.get(name)

    @property
    def own(self) -> list[Link]:
        """Every link but `lo`, in the kernel's order."""
        return [link for link in self.links.values() if link.name != "lo"]


def look(path: str) -> Space:
    """The namespace at `path`; whatever is wrong with it is told in the result."""
    space = Space(path, identity(path))
    try:
        with Namespace.open(path) as ns:
            _read(ns, space)
    except CniError as error:
        opening = SEE_PROCESSES if path.startswith("/proc/") else ENTER_NAMESPACES
        space.trouble = note(path, error, ENTER_NAMESPACES if "enter" in error.message else opening)
    return space


def look_here() -> Space:
    """The namespace that this process is in, the node's, with the VLANs of its bridges."""
    space = Space("the node's namespace")
    try:
        with Namespace.host() as host:
            space.path, (device, inode) = host.path, host.identity
            space.identity = f"{device}:{inode}"
            _read(host, space)
            _attempt(space, lambda: space.vlans.update(list_vlans(host)))
    except CniError as error:
        space.trouble = note(space.path, error)
    return space


def settings(path: str, names: Iterable[str]) -> dict[str, str | None]:
    """The values of settings "net/…" in the namespace at `path`; CniError where it cannot be entered."""
    with Namespace.open(path) as ns:
        return sysctl.read_many(ns, names)


def identity(path: str) -> str:
    """Device and inode of what is at a path, as the journal writes them; "" where there is nothing."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{found.st_dev}:{found.st_ino}"


def running_boot() -> str:
    """The kernel's name for the time since it was started, as the journal writes it; "" where it does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _read(ns: Namespace, space: Space) -> None:
    ns.netlink.takes_torn = True  # on a busy node there is always somebody who changes something
    space.take(list_links(ns))  # what fails here, fails for all
    for address in _attempt(space, lambda: list_addresses(ns)) or ():
        space.addresses.setdefault(address.index, []).append(address)
    listed = _attempt(space, lambda: list_routes(ns)) or []
    space.table = [route for route in listed if route.table != LOCAL_TABLE]
    for route in space.table:
        for index in {hop for hop, _ in route.multipath} or {route.index}:
            space.routes.setdefault(index, []).append(route)
    space.policies = _attempt(space, lambda: list_policies(ns)) or []
    for each in _attempt(space, lambda: list_queueing(ns)) or ():
        space.queueing.setdefault(each.index, []).append(each)
    if ns.netlink.was_torn:
        space.notes.append(Note(space.path, f"{space.path} changed while it was read, again and again: look once more"))


def _attempt(space: Space, read: Callable[[], T]) -> T | None:
    """What `read` returns; None, and a note, where the kernel does not tell or what it tells makes no sense."""
    try:
        return read()
    except (CniError, ValueError) as error:
        space.notes.append(note(space.path, error))
        return None
