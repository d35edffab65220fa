"""How requests went, counted from the lines that sum them up in the log file, in either of its formats."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.node.exposition import metric
from cni_multus.node.root import resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

VERBS = ("ADD", "DEL", "CHECK", "GC", "STATUS")
OUTCOMES = ("ok", "failed")
MOST = 16 << 20
"""Bytes that are read at a time; of a log that grew by more, the oldest part is passed over."""


class RequestLog:
    """Counts from where the log ended when it was first asked; a log that is rotated away is read to its end.

    Not for two threads at once.
    """

    def __init__(self, root: str, path: str) -> None:
        self._root = root
        self._path = path
        self._fd = -1
        self._rest = b""
        self._counts = {(verb, outcome): 0 for verb in VERBS for outcome in OUTCOMES}
        self._seconds = dict.fromkeys(VERBS, 0.0)
        self._began = False

    def metrics(self) -> Iterator[str]:
        """The counters; raises OSError."""
        if not self._path:
            return
        self._read_on()
        text = "Requests, as the log file has them, since this process was first asked."
        counts = [({"verb": verb, "outcome": outcome}, count) for (verb, outcome), count in self._counts.items()]
        yield metric("multus_requests_total", "counter", text, counts)
        times = [({"verb": verb}, seconds) for verb, seconds in self._seconds.items()]
        yield metric("multus_request_seconds_total", "counter", "How long they took.", times)

    def _read_on(self) -> None:
        path = resolved(self._root, self._path)
        if self._fd >= 0:
            self._read()
            if not _is_at(path, self._fd):
                os.close(self._fd)
                self._fd, self._rest = -1, b""
        if self._fd < 0:
            try:
                self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            except FileNotFoundError:
                self._began = True  # all of it is new, when it comes
                return
            if not self._began:
                os.lseek(self._fd, 0, os.SEEK_END)
            self._began = True
            self._read()

    def _read(self) -> None:
        end, at = os.fstat(self._fd).st_size, os.lseek(self._fd, 0, os.SEEK_CUR)
        if not 0 <= end - at <= MOST:  # cut off, or too much
            os.lseek(self._fd, max(0, end - MOST), os.SEEK_SET)
            self._rest = b""
        while data := os.read(self._fd, 1 << 16):
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._count(line)

    def _count(self, line: bytes) -> None:
        verb, outcome, milliseconds = _of_object(line) if line.startswith(b"{") else _of_text(line)
        if (verb, outcome) in self._counts:
            self._counts[verb, outcome] += 1
            self._seconds[verb] += milliseconds / 1000


def _of_object(line: bytes) -> tuple[str, str, float]:
    try:
        members = parse_object(line, "the line")
    except CniError:
        return "", "", 0.0
    took = members.get("ms")
    return str(members.get("verb")), str(members.get("outcome")), took if isinstance(took, (int, float)) else 0.0


def _of_text(line: bytes) -> tuple[str, str, float]:
    """Of `<time> [<level>] [<pod>] ADD ok in 23.4 ms, ...`."""
    words = line.decode("ascii", "replace").split(" ", 7)
    if len(words) < 7 or words[5] != "in" or not words[2].startswith("["):
        return "", "", 0.0
    try:
        return words[3], words[4], float(words[6])
    except ValueError:
        return "", "", 0.0


def _is_at(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))
    except OSError:
        return False
