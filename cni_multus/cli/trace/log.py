"""What the meta-plugin writes into its log from now on, wherever the file goes: it is moved aside, cut, made again."""

from __future__ import annotations

import os
from stat import S_ISREG
from typing import TYPE_CHECKING

from cni_multus.cli.history.entry import Chatter, Entry, read_line
from cni_multus.cli.history.logs import LONGEST
from cni_multus.cli.inspect.notes import READ_FILES, Note, note
from cni_multus.cli.trace.event import LOG, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_CHUNK = 1 << 18


class Tail:
    """The lines that are added to a file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.notes: list[Note] = []
        self._fd = -1
        self._begin = b""
        self._open(at_end=True)

    def events(self) -> Iterator[Event]:
        """What the lines since the last time tell."""
        for line in self._lines():
            told = read_line(line)
            if isinstance(told, Entry):
                yield _of_request(told)
            elif isinstance(told, Chatter):
                pod, uid = _named(told.pod)
                yield Event(LOG, told.message, pod, good=False if told.level == "error" else None, names=uid)

    def close(self) -> None:
        """Read no more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _lines(self) -> Iterator[bytes]:
        yield from self._new()
        if self._is_elsewhere():
            # Whoever moved it aside had it for himself: nothing is written to it any more.
            yield from self._new()
            self.close()
            self._begin = b""
        if self._fd < 0:
            self._open(at_end=False)
            yield from self._new()

    def _new(self) -> Iterator[bytes]:
        if self._fd < 0:
            return
        if os.fstat(self._fd).st_size < os.lseek(self._fd, 0, os.SEEK_CUR):
            os.lseek(self._fd, 0, os.SEEK_SET)
            self._begin = b""
        while chunk := os.read(self._fd, _CHUNK):
            *lines, self._begin = (self._begin + chunk).split(b"\n")
            yield from lines
            self._begin = self._begin[-LONGEST:]

    def _open(self, *, at_end: bool) -> None:
        try:
            fd = os.open(self.path, _FLAGS)
        except FileNotFoundError:
            return
        except OSError as error:
            self._note(note(self.path, error, READ_FILES))
            return
        if not S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            self._note(Note(self.path, f"{self.path} is not a regular file: nothing can be read back"))
            return
        if at_end:
            os.lseek(fd, 0, os.SEEK_END)
        self._fd = fd

    def _note(self, what: Note) -> None:
        if not self.notes:
            self.notes.append(what)

    def _is_elsewhere(self) -> bool:
        if self._fd < 0:
            return False
        try:
            named = os.stat(self.path)
        except OSError:
            return True
        opened = os.fstat(self._fd)
        return (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino)


def _of_request(entry: Entry) -> Event:
    pod, uid = _named(entry.pod)
    parts = ", ".join(f"{part} {ms}" for part, ms in entry.shares.items() if ms)
    what = f"{entry.verb} {entry.outcome} in {entry.ms} ms" + (f" ({parts})" if parts else "")
    if entry.failed:
        what += f": code {entry.code}: {entry.message}"
    return Event(LOG, what, pod, entry.container, good=not entry.failed, more={"request": entry.to_json()}, names=uid)


def _named(pod: str) -> tuple[str, tuple[str, ...]]:
    """NAMESPACE/NAME and the UID, of how the log names a pod."""
    words = pod.split("/")
    return ("/".join(words[:2]), (words[2],)) if len(words) == 3 else (pod, ())
