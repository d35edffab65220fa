"""A log file that many processes write, and that whoever finds it full moves aside; no line gets lost.

A line is written under a shared lock of the file that has the name at that moment, and a file is moved under an
exclusive one, so nobody writes to it any more when it is compressed. Nobody waits long for either lock: a file that
grows beyond its size for a while is better than a pod that does not start.
"""

from __future__ import annotations

import fcntl
import os
import time

from cni_multus.state.files import make_public_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section

MEGABYTE = 1 << 20
DAY = 86400
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_ATTEMPTS = 50
_PAUSE = 0.002


class LogFile:
    """The file, and `logOptions`: maxSize (MB), maxAge (days), maxBackups, compress; 0 is no limit."""

    __slots__ = ("_backups", "_compress", "_most", "_oldest", "path")

    def __init__(self, path: str, options: Section) -> None:
        self.path = path
        self._most = (options.number("maxSize", 100) or 100) * MEGABYTE
        self._oldest = options.number("maxAge", 5) * DAY
        self._backups = options.number("maxBackups", 5)
        self._compress = options.flag("compress", True)

    def append(self, line: bytes) -> None:
        """Write one line; raises OSError."""
        moved, may_move = "", True
        for left in range(_ATTEMPTS, -1, -1):
            fd = self._open()
            try:
                if left and not (_locked(fd) and self._is_at(fd)):
                    continue
                if left and may_move and os.fstat(fd).st_size + len(line) > self._most:
                    moved, may_move = self._move(fd), False
                    continue  # under another name, or without its lock: either way this one is not to be written to
                os.write(fd, line)
                break
            finally:
                os.close(fd)
        if moved:
            self._tidy(moved)

    def _open(self) -> int:
        try:
            return os.open(self.path, _FLAGS, 0o600)
        except FileNotFoundError:
            make_public_directory(os.path.dirname(self.path) or ".")
            return os.open(self.path, _FLAGS, 0o600)

    def _is_at(self, fd: int) -> bool:
        """Whether the open file still has the name."""
        try:
            named = os.lstat(self.path)
        except FileNotFoundError:
            return False
        opened = os.fstat(fd)
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)

    def _move(self, fd: int) -> str:
        """Give the full file another name, which is returned; "" where somebody is just writing to it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._is_at(fd):
                return ""
            now = time.time_ns()
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now // 10**9))
            moved = f"{self.path}-{stamp}.{now % 10**9 // 1000:06d}-{os.getpid()}"
            os.rename(self.path, moved)
        except OSError:
            return ""
        return moved

    def _tidy(self, moved: str) -> None:
        """Compress what was moved, and drop what is too old or too much; what fails here is tried again next time."""
        try:
            if self._compress:
                _compress(moved)
            self._drop_backups()
        except OSError:
            return

    def _drop_backups(self) -> None:
        directory, name = os.path.split(self.path)
        prefix = name + "-"
        backups = sorted(
            entry
            for entry in os.listdir(directory or ".")
            if entry.startswith(prefix) and entry[len(prefix) : len(prefix) + 8].isdecimal()
        )
        surplus = backups[: -self._backups] if self._backups else []
        for entry in backups:
            path = os.path.join(directory, entry)
            try:
                if entry in surplus or (self._oldest and time.time() - os.lstat(path).st_mtime > self._oldest):
                    os.unlink(path)
            except FileNotFoundError:
                continue


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_PAUSE)
        return False
    return True


def _compress(path: str) -> None:
    import gzip  # only where a file is really full

    packed = path + ".gz"
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    part = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(source, "rb") as plain, open(os.open(packed + ".part", part, 0o600), "wb") as file:
        with gzip.GzipFile(os.path.basename(path), "wb", 1, file) as target:
            while chunk := plain.read(MEGABYTE):
                target.write(chunk)
    os.rename(packed + ".part", packed)
    os.unlink(path)
