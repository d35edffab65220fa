"""Where targets run: a process with a network and mounts of its own, in which every change that it makes is seen.

All file systems are read-only to it, apart from empty ones in the places where the program keeps its files.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Any

from tests.conftest import CLONE_NEWNET, LIBC, MS_BIND, checked
from tests.fuzz.target import CORPUS, WORK
from tests.node import CLONE_NEWNS, MS_PRIVATE, MS_REC

SCRATCH = Path("/run/fuzz")
"""The only place in which a target may change anything; it is empty when an input's turn comes."""

_HIDDEN = ("/run", "/var/lib", "/etc/cni", "/opt/cni")
_AT_FDCWD, _AT_RECURSIVE, _MOUNT_SETATTR, _READ_ONLY = -100, 0x8000, 442, 1
"""Numbers of <linux/fcntl.h>, <asm/unistd.h> and <linux/mount.h>."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ON_PATHS = {
    *("os.remove", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"),
    *("os.chown", "os.utime", "os.setxattr", "os.removexattr", "shutil.rmtree"),
}
_NEVER = {
    *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen", "os.kill"),
    *("os.putenv", "os.unsetenv", "os.chdir", "socket.connect", "socket.sendto", "socket.sendmsg", "ctypes.dlopen"),
}


class _Watch:
    """What the process did while it was `on`, apart from reading and from what is in the scratch directory."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = flags & _WRITING if mode is None else set(mode) & set("wax+")
            if writes and _outside(path) and path != "/dev/null":
                self.seen.append(f"open {path!r} for writing")
        elif event in _ON_PATHS:
            paths = [each for each in arguments[:2] if isinstance(each, str | bytes) and _outside(each)]
            if paths:
                self.seen.append(f"{event} {paths}")
        elif event in _NEVER:
            self.seen.append(f"{event} {arguments!r}"[:200])


watch = _Watch()


def enter() -> None:
    """Leave the machine's network and mounts, and hide what the program keeps there; for the life of the process."""
    checked(LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS))
    checked(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    for kept in (WORK, CORPUS):
        kept.mkdir(parents=True, exist_ok=True)
    _let_write(b"/", allowed=False)
    for kept in (WORK, CORPUS):
        checked(LIBC.mount(bytes(kept), bytes(kept), None, MS_BIND, None))
        _let_write(bytes(kept), allowed=True)
    for path in filter(os.path.isdir, _HIDDEN):
        checked(LIBC.mount(b"none", path.encode(), b"tmpfs", 0, b"size=64m"))
    SCRATCH.mkdir()
    sys.addaudithook(watch)


def _let_write(path: bytes, *, allowed: bool) -> None:
    """Whether the mount `path`, and what is mounted below it, can be written to by this process."""
    attributes = struct.pack("=QQQQ", 0 if allowed else _READ_ONLY, _READ_ONLY if allowed else 0, 0, 0)
    size = ctypes.c_size_t(len(attributes))
    checked(LIBC.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, attributes, size))


def clean() -> None:
    """Remove what is in the scratch directory."""
    for found in os.scandir(SCRATCH):
        if found.is_dir(follow_symlinks=False):
            import shutil

            shutil.rmtree(found.path)
        else:
            os.unlink(found.path)


def _outside(path: str | bytes | int) -> bool:
    if isinstance(path, int):
        return False  # a descriptor was opened before, and seen then
    text = os.fsdecode(path)
    # Settings of a network are a namespace's own; /proc is read-only all the same.
    allowed = (f"{SCRATCH}/", "/proc/sys/net/")
    return text.startswith("/") and not (text == str(SCRATCH) or os.path.normpath(text).startswith(allowed))
