"""The program on a node: versions side by side, one link that says which is executed, and what no process uses pruned.

    <binDir>/.multus/versions/<version>-<hash>/     a version, complete from the moment that it has its name
    <binDir>/.multus/current                        the link that one rename switches, forwards and back

A process keeps the version that it began with: the frozen program finds its own directory once, by the file that the
kernel executes. A version goes when it is neither current nor previous, and no process executes it.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

from cni_multus.node import bundle, interpreter, processes
from cni_multus.node.bundle import EXECUTABLE
from cni_multus.node.receipt import HOME, home
from cni_multus.state import files

if TYPE_CHECKING:
    from cni_multus.node.bundle import Source
    from cni_multus.node.receipt import Receipt

VERSIONS, CURRENT = "versions", "current"
CURRENT_PROGRAM = f".multus/{CURRENT}/{EXECUTABLE}"
"""What the links in `binDir` say."""

_PAUSE = 0.2


def versions(receipt: Receipt) -> list[str]:
    """The versions that are there, complete."""
    place = _versions(receipt)
    return sorted(name for name in files.names(place) if not name.startswith("."))


def current(receipt: Receipt) -> str:
    """The version that is executed; "" where there is none yet."""
    try:
        return os.path.basename(os.readlink(os.path.join(home(receipt.root, receipt.bin_dir), CURRENT)))
    except OSError:
        return ""


def is_whole(receipt: Receipt, name: str) -> bool:
    """Whether a version is there as it was built."""
    place = os.path.join(_versions(receipt), name)
    if not os.path.isdir(place) or bundle.content(place)[:12] != name.rpartition("-")[2]:
        return False
    return interpreter.is_bound(os.path.join(place, EXECUTABLE), _home(receipt, name))


def add(receipt: Receipt, source: Source) -> None:
    """Copy a version; one of the name that is damaged is mended file by file, since processes may use it."""
    place = os.path.join(_versions(receipt), source.name)
    files.make_directory(_versions(receipt))
    if os.path.isdir(place):
        bundle.mend(source.directory, place, _home(receipt, source.name))
    else:
        coming = os.path.join(_versions(receipt), f".coming-{source.name}")
        bundle.copy(source.directory, place, coming, _home(receipt, source.name))


def switch(receipt: Receipt, name: str) -> None:
    """Let `name` be executed from now on; what was until then is what a roll-back goes to."""
    before = current(receipt)
    if before not in ("", name):
        receipt.previous = before
    receipt.retired.pop(name, None)
    for other in versions(receipt):
        if other not in (name, receipt.previous):
            receipt.retired.setdefault(other, _boot())
    receipt.retired.pop(receipt.previous, None)
    receipt.write()
    place_link(receipt, os.path.join(home(receipt.root, receipt.bin_dir), CURRENT), f"{VERSIONS}/{name}")


def place_link(receipt: Receipt, path: str, target: str) -> None:
    """Make `path` a link, or let it lead elsewhere, with no moment in between; what a killed process leaves is ours."""
    temporary = os.path.join(home(receipt.root, receipt.bin_dir), f"{files.TEMPORARY}{os.path.basename(path)}")
    try:
        files.remove(temporary)
        os.symlink(target, temporary)
        os.rename(temporary, path)
        files.sync_directory(os.path.dirname(path))
    except OSError as error:
        raise files.failure(error, f"make the link {path}") from error


def unused(receipt: Receipt) -> list[str]:
    """The versions that may go: neither current nor previous, and executed by no process."""
    kept = {current(receipt), receipt.previous}
    names = [name for name in versions(receipt) if name not in kept]
    if names and processes.can_be_seen(receipt.root):
        time.sleep(_PAUSE)  # one that the kernel was just about to execute is there now
    return [name for name in names if not _is_used(receipt, name)]


def remove(receipt: Receipt, name: str) -> None:
    """Remove a version; what of it a process has open stays for that process."""
    place = os.path.join(_versions(receipt), name)
    going = os.path.join(_versions(receipt), f".going-{name}")
    try:
        os.rename(place, going)
        shutil.rmtree(going)
    except FileNotFoundError:
        return
    except OSError as error:
        raise files.failure(error, f"remove {place}") from error


def remove_remains(receipt: Receipt) -> None:
    """Remove what a killed process left of a copy, or of a removal."""
    for name in list(files.names(_versions(receipt))):
        if name.startswith("."):
            shutil.rmtree(os.path.join(_versions(receipt), name), ignore_errors=True)


def users(receipt: Receipt, names: list[str]) -> list[int]:
    """The processes, other than this one, that execute one of these versions."""
    if not processes.can_be_seen(receipt.root):
        return []
    programs = [os.path.join(_versions(receipt), name, EXECUTABLE) for name in names]
    return processes.executing(receipt.root, programs)


def _is_used(receipt: Receipt, name: str) -> bool:
    """Whether a process may execute it; where they cannot be seen, until the next boot."""
    if not processes.can_be_seen(receipt.root):
        return receipt.retired.get(name, _boot()) == _boot()
    return bool(users(receipt, [name]))


def _versions(receipt: Receipt) -> str:
    return os.path.join(home(receipt.root, receipt.bin_dir), VERSIONS)


def _home(receipt: Receipt, name: str) -> str:
    """A version's directory as the node has it."""
    return os.path.join(receipt.bin_dir, HOME, VERSIONS, name)


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
