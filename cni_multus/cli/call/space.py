"""A network namespace for the length of a call. Its name tells whose it is, so that what a killed one left is found."""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cni_multus.cni.errors import IoFailure
from cni_multus.linux.links import change_link, find_link
from cni_multus.linux.netns import Namespace

if TYPE_CHECKING:
    from types import TracebackType

DIRECTORY = "/run/netns"
PREFIX = "multus-call-"
CAPABILITY = "CAP_SYS_ADMIN"

_CLONE_NEWNET = 0x40000000  # <linux/sched.h>
_MS_BIND = 0x1000  # <linux/mount.h>
_MNT_DETACH = 2
_DEAD = ("Z", "X")
"""States of a process that has ended, and that nobody has asked about yet."""


class Temporary:
    """`with Temporary() as space:` a namespace at `space.path`; with `keep` it stays."""

    def __init__(self, *, keep: bool = False) -> None:
        self.path = f"{DIRECTORY}/{PREFIX}{os.getpid()}-{_started(os.getpid())}"
        self._keep = keep

    def __enter__(self) -> Temporary:
        try:
            os.makedirs(DIRECTORY, exist_ok=True)
            os.close(os.open(self.path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
            try:
                with ThreadPoolExecutor(1) as thread:  # which has the new namespace alone, and ends with it
                    thread.submit(self._make).result()
            except BaseException:
                remove(self.path)
                raise
        except OSError as error:
            needs = f"; it takes {CAPABILITY}: run it as root on the node" if isinstance(error, PermissionError) else ""
            raise IoFailure(f"cannot make the namespace {self.path}: {error.strerror}{needs}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._keep:
            remove(self.path)

    def _make(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET) != 0:
            raise _last_error()
        if libc.mount(b"/proc/thread-self/ns/net", os.fsencode(self.path), None, _MS_BIND, None) != 0:
            raise _last_error()
        with Namespace.open(self.path) as inside:
            loopback = find_link(inside, "lo")
            if loopback is not None:
                change_link(inside, loopback.index, up=True)


def remove(path: str) -> None:
    """Take a namespace away that was made here; succeeds where nothing is left of it."""
    libc = ctypes.CDLL(None, use_errno=True)
    while libc.umount2(os.fsencode(path), _MNT_DETACH) == 0:
        pass  # a file may be mounted over more than once
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def is_ours(path: str) -> bool:
    """Whether a path is a namespace that a call made."""
    return os.path.dirname(path) == DIRECTORY and os.path.basename(path).startswith(PREFIX)


def leftovers() -> list[str]:
    """Namespaces of calls that do not run any more: they were kept, or killed."""
    try:
        names = os.listdir(DIRECTORY)
    except OSError:
        return []
    return [f"{DIRECTORY}/{name}" for name in sorted(names) if name.startswith(PREFIX) and not _runs(name)]


def _runs(name: str) -> bool:
    pid, _, started = name.removeprefix(PREFIX).partition("-")
    return pid.isdecimal() and _started(int(pid)) == started


def _started(pid: int) -> str:
    """When a process was started, in the kernel's ticks (proc_pid_stat(5), field 22); "" where none runs."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return "" if fields[0] in _DEAD else fields[19]
    except (OSError, IndexError):
        return ""


def _last_error() -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code))
