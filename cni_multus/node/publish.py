"""Our configuration put where the runtime finds it, and taken away again.

There is one file of ours at a time. It is complete or not there, and replaces the last one when it is known to be good;
the other form of it (.conf, .conflist) goes after it. What is not ours, or was edited, is left alone. All of it happens
under a lock on the directory itself, which leaves no file behind; whoever is killed is finished by who comes next.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError, IoFailure, TryAgainLater
from cni_multus.node import aside
from cni_multus.node.aside import is_plain
from cni_multus.node.marker import EDITED, FOREIGN, OURS, read_mark
from cni_multus.node.primary import ENDINGS
from cni_multus.node.root import resolved
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from cni_multus.node.generate import Document
    from cni_multus.node.marker import Mark

CREATED, REPLACED, UNCHANGED = "created", "replaced", "unchanged"
HIDDEN = ".cilium_bak"
"""What Cilium's exclusive mode puts behind the names of other plugins' files."""

_TEMPORARY = ".multus-config"
_PATIENCE = 10.0
_PAUSE = 0.02


class Uninstalling(TryAgainLater):
    """What stands in our place is left of us until the last attachment is taken apart."""


class Refused(CniError):
    """A file in the way is not ours, or was edited: `owner` says which; it is left as it is."""

    code = IoFailure.code

    def __init__(self, path: str, owner: str) -> None:
        how = "was edited after it had been generated" if owner == EDITED else "was not written by this program"
        super().__init__(f"{path} {how}, and is left as it is; --force replaces it")
        self.path = path
        self.owner = owner


@dataclass(frozen=True)
class Published:
    """Where the configuration is on the node, what that changed, and what went for it."""

    path: str
    change: str
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Withdrawn:
    """The names of files that were removed, that have their former name back, and that were left because of an edit."""

    removed: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def publish(root: str, conf_dir: str, document: Document, *, force: bool = False, revive: bool = False) -> Published:
    """Make `document` the one configuration of ours in the node's `conf_dir`.

    Raises Refused or Uninstalling, and then changed nothing. `force` replaces what was edited or is another
    meta-plugin's, `revive` what an uninstallation has put there.
    """
    directory = resolved(root, conf_dir)
    path = os.path.join(conf_dir, document.name)
    target = os.path.join(directory, document.name)
    with exclusive(directory, f"cannot publish {path}"):
        there = files.read(target)
        ours = own_files(directory)
        if not revive and any(mark.uninstalling for mark in ours.values()):
            raise Uninstalling(f"multus is being uninstalled from this node: {conf_dir} is left as it is")
        siblings = _siblings(conf_dir, document.name, ours, force=force)
        if there is not None and not force and (owner := read_mark(there).owner) in (EDITED, FOREIGN):
            raise Refused(path, owner)
        if there != document.data:
            files.write_atomically(target, document.data, temporary=os.path.join(directory, _TEMPORARY))
        for name in siblings:
            files.remove(os.path.join(directory, name))
        _sync(directory)
    change = CREATED if there is None else UNCHANGED if there == document.data else REPLACED
    return Published(path, change, tuple(siblings))


def withdraw(root: str, conf_dir: str, *, force: bool = False, last: bool = True) -> Withdrawn:
    """Remove what is ours from the node's `conf_dir`, after a primary that was renamed has its name back.

    At no time is there no configuration, unless there was no primary's. What was edited is left, unless `force`; what
    an uninstallation has put there goes only with the `last` one.
    """
    directory = resolved(root, conf_dir)
    if not files.is_directory(directory):
        return Withdrawn()
    with exclusive(directory, f"cannot take the configuration from {conf_dir}"):
        ours = own_files(directory)
        going = {
            name: mark
            for name, mark in ours.items()
            if (mark.owner == OURS or force) and (last or not mark.uninstalling)
        }
        restored = _restore(root, going)
        _sync(directory)
        for name in going:
            files.remove(os.path.join(directory, name))
        files.remove(os.path.join(directory, _TEMPORARY))
        _sync(directory)
    return Withdrawn(tuple(sorted(going)), restored, tuple(sorted(set(ours) - set(going))))


def restore_renamed(root: str, conf_dir: str) -> tuple[str, ...]:
    """Give primaries that were renamed their names back, with ours still in place; hold `conf_lock`."""
    return _restore(root, own_files(resolved(root, conf_dir)))


def conf_lock(root: str, conf_dir: str) -> AbstractContextManager[None]:
    """The lock of whoever changes our file in the node's `conf_dir`."""
    return exclusive(resolved(root, conf_dir), f"cannot change {conf_dir}")


def own_files(directory: str) -> dict[str, Mark]:
    """Our files in a directory, also those that Cilium renamed, and what each says of itself."""
    found = {}
    for name in sorted(files.names(directory)):
        if name.removesuffix(HIDDEN).endswith(ENDINGS):
            mark = _mark(os.path.join(directory, name))
            if mark and mark.owner in (OURS, EDITED):
                found[name] = mark
    return found


@contextmanager
def exclusive(directory: str, attempt: str, patience: float = _PATIENCE) -> Iterator[None]:
    """One at a time in a directory, with nothing left in it; raises TryAgainLater after `patience` seconds."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise files.failure(error, f"open the directory {directory}") from error
    try:
        deadline = time.monotonic() + patience
        while not locked(fd):
            if time.monotonic() > deadline:
                raise TryAgainLater(f"{attempt}: another process has had {directory} locked for {patience:g} s")
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(fd)


def locked(fd: int) -> bool:
    """Whether the lock on an open file is ours now."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _siblings(conf_dir: str, name: str, ours: dict[str, Mark], *, force: bool) -> list[str]:
    """Our other files that a runtime would load; raises Refused for one that was edited."""
    found = []
    for other, mark in ours.items():
        if other == name or not other.endswith(ENDINGS):
            continue
        if mark.owner == EDITED and not force:
            raise Refused(os.path.join(conf_dir, other), EDITED)
        found.append(other)
    return found


def _restore(root: str, ours: dict[str, Mark]) -> tuple[str, ...]:
    renamed = {
        (os.path.dirname(mark.source), mark.renamed)
        for mark in ours.values()
        if is_plain(mark.renamed) and mark.source.startswith("/")
    }
    return tuple(sorted(name for where, name in renamed if aside.give_back(resolved(root, where), name)))


def _mark(path: str) -> Mark | None:
    try:
        data = files.read(path)
    except IoFailure:  # a link, a directory, or gone bad: not one that we wrote
        return None
    return None if data is None else read_mark(data)


def _sync(directory: str) -> None:
    try:
        files.sync_directory(directory)
    except OSError as error:
        raise files.failure(error, f"sync {directory}") from error
