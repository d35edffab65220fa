"""What a process that watches directories is woken by: changes in them, its end, and the time.

The kernel signals changes (F_NOTIFY, fcntl(2)); which one it was does not matter, since each look is at everything.
Where a directory cannot be watched, the time alone does it.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time

_CHANGES = fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_RENAME | fcntl.DN_MODIFY | fcntl.DN_MULTISHOT
_GATHER = 0.01
"""Seconds in which changes come together: most are more than one system call."""


class Wake:
    """Signals of the process, which it takes over; `stopped` says that it was told to end."""

    def __init__(self) -> None:
        self.stopped = False
        self._reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGIO, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._watched: dict[str, tuple[int, tuple[int, int]]] = {}

    def watch(self, directories: set[str]) -> None:
        """Be woken by changes in these, from now on; one that was replaced is another directory."""
        for path in set(self._watched) - directories:
            os.close(self._watched.pop(path)[0])
        for path in directories:
            self._watch(path)

    def wait(self, seconds: float) -> None:
        """Until something changes, but no longer than this."""
        if not self.stopped and select.select([self._reader], [], [], seconds)[0]:
            if not self.stopped:
                time.sleep(_GATHER)
            self._drain()

    def _watch(self, path: str) -> None:
        try:
            there = os.stat(path)
        except OSError:
            if path in self._watched:
                os.close(self._watched.pop(path)[0])
            return
        known = self._watched.get(path)
        if known and known[1] == (there.st_dev, there.st_ino):
            return
        if known:
            os.close(self._watched.pop(path)[0])
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            fcntl.fcntl(fd, fcntl.F_NOTIFY, _CHANGES)
        except OSError:  # a kernel, or a file system, without it
            os.close(fd)
            return
        opened = os.fstat(fd)
        self._watched[path] = fd, (opened.st_dev, opened.st_ino)

    def _drain(self) -> None:
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            pass

    def _stop(self, *_: object) -> None:
        self.stopped = True
