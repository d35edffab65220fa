"""One at a time: a lock on a file, waited for only so long, which dies with its holder."""

from __future__ import annotations

import fcntl
import os
import time

from cni_multus.cni.errors import TryAgainLater
from cni_multus.state.files import FLAGS, failure, remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_PAUSES = (0.0005, 0.001, 0.002, 0.004, 0.008)


class Lock:
    """`with Lock(path, attempt):` exclusive among processes and threads, for as long as the body runs.

    Raises TryAgainLater after `wait` seconds; its message begins with `attempt`, what the lock was wanted for. With
    O_DIRECTORY in the place of O_CREAT, it is on a directory that is there.
    """

    __slots__ = ("_attempt", "_fd", "_flags", "_mode", "_path", "_wait")

    def __init__(self, path: str, attempt: str, wait: float = 10.0, mode: int = 0o600, flags: int = os.O_CREAT) -> None:
        self._path = path
        self._attempt = attempt
        self._wait = wait
        self._mode = mode
        self._flags = flags
        self._fd = -1

    def __enter__(self) -> Lock:
        deadline = time.monotonic() + self._wait
        try:
            while self._fd < 0:
                self._fd = self._open_locked(deadline)
        except OSError as error:
            raise failure(error, f"lock {self._path}") from error
        return self

    def enter(self, load: Callable[[], object]) -> None:
        """Take it and call `load`; where that raises, it is given away again."""
        self.__enter__()
        try:
            load()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def remove(self) -> None:
        """Remove the lock's file; call it while the lock is held."""
        remove(self._path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        self._fd = -1

    def _open_locked(self, deadline: float) -> int:
        """The locked file, -1 where the name stands for another file by now."""
        fd = os.open(self._path, os.O_RDONLY | self._flags | FLAGS, self._mode)
        try:
            self._wait_for(fd, deadline)
            if _is_file_at(self._path, fd):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return -1

    def _wait_for(self, fd: int, deadline: float) -> None:
        attempts, begun = 0, 0.0
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return _note_waiting(begun) if begun else None
            except BlockingIOError:
                begun = begun or time.monotonic()
                if time.monotonic() >= deadline:
                    _note_waiting(begun)
                    raise self._busy() from None
            time.sleep(_PAUSES[min(attempts, len(_PAUSES) - 1)])
            attempts += 1

    def _busy(self) -> TryAgainLater:
        return TryAgainLater(
            f"{self._attempt}: {self._path} has been locked by another process for {self._wait:g} s; try again",
            f"`lslocks` and `fuser -v {self._path}` name the process; the lock goes when it ends",
        )


def _note_waiting(begun: float) -> None:
    from cni_multus import spent  # hardly ever

    spent.note(spent.WAITING, begun)


def _is_file_at(path: str, fd: int) -> bool:
    opened = os.fstat(fd)
    try:
        named = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)
