"""The meta-plugin's log: lines to standard error and to a file that is rotated.

`logging` costs 12 ms to import; this is what a program that lives for 10 ms needs of it.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.multus.settings import Settings

LEVELS = ("panic", "error", "verbose", "debug")
MEGABYTE = 1 << 20
DAY = 86400


class Log:
    """Writes what is at or above the configured level; never raises: a full disk must not stop a pod."""

    __slots__ = ("_backups", "_compress", "_file", "_level", "_most", "_oldest", "_pod", "_stderr")

    def __init__(self, settings: Settings, pod: str) -> None:
        level = settings.log_level.lower()
        self._level = LEVELS.index(level) if level in LEVELS else 0
        self._stderr = settings.log_to_stderr
        self._file = settings.log_file
        self._pod = pod
        options = settings.log_options
        self._most = options.number("maxSize", 100, low=0) * MEGABYTE or 100 * MEGABYTE
        self._oldest = options.number("maxAge", 5, low=0) * DAY
        self._backups = options.number("maxBackups", 5, low=0)
        self._compress = options.flag("compress", True)
        if level and level not in LEVELS:
            self._write("error", f"logLevel {settings.log_level!r} is not one of {', '.join(LEVELS)}")

    def error(self, message: str) -> None:
        """Something failed."""
        self._log("error", message)

    def verbose(self, message: str) -> None:
        """Something was done."""
        self._log("verbose", message)

    def debug(self, message: str) -> None:
        """Something that only matters to whoever looks for a fault."""
        self._log("debug", message)

    def _log(self, level: str, message: str) -> None:
        if LEVELS.index(level) <= self._level:
            self._write(level, message)

    def _write(self, level: str, message: str) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        text = message.replace("\n", " ")
        line = f"{now} [{level}] [{self._pod}] {text}\n".encode(errors="replace")
        if self._stderr:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
        if self._file:
            try:
                self._append(line)
            except OSError as error:
                sys.stderr.buffer.write(f"cannot write {self._file}: {error.strerror}\n".encode(errors="replace"))

    def _append(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self._file, flags, 0o600)
        try:
            if os.fstat(fd).st_size + len(line) > self._most:
                os.close(fd)
                fd = -1
                self._rotate(len(line))
                fd = os.open(self._file, flags, 0o600)
            os.write(fd, line)
        finally:
            if fd >= 0:
                os.close(fd)

    def _rotate(self, coming: int) -> None:
        """Move the full file aside, unless another process just did; drop what is too old or too much."""
        directory, name = os.path.split(self._file)
        lock = os.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.stat(self._file).st_size + coming <= self._most:
                return
            moved = f"{self._file}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"
            os.rename(self._file, moved)
            if self._compress:
                _compress(moved)
            self._sweep(directory, name + "-")
        finally:
            os.close(lock)

    def _sweep(self, directory: str, prefix: str) -> None:
        kept = sorted(entry for entry in os.listdir(directory or ".") if entry.startswith(prefix))
        too_many = kept[: -self._backups] if self._backups else []
        for entry in kept:
            path = os.path.join(directory, entry)
            if entry in too_many or (self._oldest and time.time() - os.stat(path).st_mtime > self._oldest):
                os.unlink(path)


def _compress(path: str) -> None:
    import gzip  # only where a file is really full

    with open(path, "rb") as plain, gzip.open(path + ".gz", "wb") as packed:
        while chunk := plain.read(MEGABYTE):
            packed.write(chunk)
    os.chmod(path + ".gz", 0o600)
    os.unlink(path)
