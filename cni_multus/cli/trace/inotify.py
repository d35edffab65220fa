"""The kernel's word for what changes in a directory (inotify(7)), by the C library: Python's own has none."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MODIFY, MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x2, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
OVERFLOW, IGNORED, ONLY_DIRECTORIES = 0x4000, 0x8000, 0x1000000
"""Numbers of <linux/inotify.h>."""
_MASK = MODIFY | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF | ONLY_DIRECTORIES
_LOST = OVERFLOW | IGNORED | DELETE_SELF | MOVE_SELF
_HEAD = struct.Struct("iIII")


class Directory:
    """A directory that is watched: the names in it that somebody touched."""

    def __init__(self) -> None:
        """Raises OSError where the kernel gives no more watches, or knows none."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self.fd < 0:
            raise _failure("inotify_init1")
        self._watch = -1

    def watch(self, path: str) -> None:
        """Watch this one, and no other any more; raises OSError."""
        if self._watch >= 0:
            self._libc.inotify_rm_watch(self.fd, self._watch)
        self._watch = self._libc.inotify_add_watch(self.fd, os.fsencode(path), _MASK)
        if self._watch < 0:
            raise _failure(path)

    def names(self) -> tuple[set[str], bool]:
        """The names that were touched, and whether events got lost, or the directory itself."""
        touched: set[str] = set()
        lost = False
        for watch, mask, name in self._events():
            if watch not in (self._watch, -1):
                continue  # of the directory before
            lost = lost or bool(mask & _LOST)
            if name:
                touched.add(name)
        return touched, lost

    def close(self) -> None:
        """Watch no more."""
        os.close(self.fd)

    def _events(self) -> Iterator[tuple[int, int, str]]:
        while True:
            try:
                data = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                watch, mask, _, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size
                yield watch, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))
                at += length


def _failure(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), what)
