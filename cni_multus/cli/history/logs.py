"""The log's files read from their end: the one that is written, then those that were moved aside, the newest first.

Only as much is read as is asked for, so that a log of gigabytes costs no more than its tail. A packed file has no end
to begin at: it is read through, and no more of it kept than is asked for.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections import deque
from dataclasses import dataclass, field
from itertools import islice, pairwise
from stat import S_ISREG
from typing import TYPE_CHECKING

from cni_multus.cli.history.entry import Chatter, Entry, clock, read_line
from cni_multus.cli.inspect.notes import READ_FILES, Note, note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

BLOCK = 1 << 16
LONGEST = 1 << 20
"""Bytes of a line, from which on it is none of ours."""
STREAK = 1000
"""So many requests in a row that are too old, and no younger one is behind them, whatever the clock did."""
JUMP = 60
"""Seconds by which a clock that goes back is worth a word: requests side by side end in any order."""
MOST = 1 << 28
"""Bytes that are looked through for requests that are asked for and hardly ever there."""
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass
class Logs:
    """What is in a log; `notes` says what could not be read."""

    path: str
    notes: list[Note] = field(default_factory=list)
    read: int = 0
    """How many files were opened."""
    foreign: int = 0
    since: float = 0.0
    most_bytes: int = MOST
    _old: int = 0

    def last(self, most: int, wanted: Callable[[Entry], bool]) -> list[Entry]:
        """The last `most` requests that are wanted (0: all of them), the newest last."""
        found = list(islice(self._backwards(wanted, most), most or None))
        found.reverse()
        if self.foreign:
            self.notes.append(Note(self.path, f"{self.path}: {self.foreign} lines are torn, or not of multus"))
        self._note_jumps(found)
        return found

    def _backwards(self, wanted: Callable[[Entry], bool], most: int) -> Iterator[Entry]:
        for path in self._files():
            try:
                with open(os.open(path, _FLAGS), "rb") as file:
                    if not S_ISREG(os.fstat(file.fileno()).st_mode):
                        self.notes.append(Note(path, f"{path} is not a regular file: nothing can be read back"))
                        continue
                    self.read += 1
                    if path.endswith(".gz"):
                        yield from self._packed(path, file, wanted, most)
                    else:
                        yield from self._requests(_lines_backwards(file), wanted)
            except FileNotFoundError:
                continue  # it has just been moved, packed or dropped
            except OSError as error:
                self.notes.append(note(path, error, READ_FILES))
            if self._old >= STREAK or self._is_enough():
                return

    def _is_enough(self) -> bool:
        if self.most_bytes > 0:
            return False
        self.notes.append(Note(self.path, f"{self.path}: only the last {MOST >> 20} MB of the log were looked through"))
        return True

    def _requests(self, lines: Iterable[bytes], wanted: Callable[[Entry], bool]) -> Iterator[Entry]:
        for line in lines:
            entry = self._read(line)
            if self.most_bytes <= 0:
                return
            if entry is None:
                continue
            if entry.at < self.since:
                self._old += 1
                if self._old >= STREAK:
                    return
                continue
            self._old = 0
            if wanted(entry):
                yield entry

    def _packed(self, path: str, file: BinaryIO, wanted: Callable[[Entry], bool], most: int) -> Iterator[Entry]:
        kept: deque[Entry] = deque(maxlen=most or None)
        young = False
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                while line := unpacked.readline(LONGEST):
                    entry = self._read(line)
                    if entry is not None and entry.at >= self.since:
                        young = True
                        if wanted(entry):
                            kept.append(entry)
        except (EOFError, OSError, zlib.error) as error:
            self.notes.append(Note(path, f"{path} is damaged ({error}): what could be unpacked of it is shown"))
        if not young and self.since:
            self._old = STREAK
        yield from reversed(kept)

    def _read(self, line: bytes) -> Entry | None:
        self.most_bytes -= len(line) + 1
        told = read_line(line)
        if told is None:
            self.foreign += bool(line.strip(b"\0\r\n\t "))
        return None if isinstance(told, Chatter) else told

    def _files(self) -> Iterator[str]:
        """The log, and what was moved aside of it; one that is just being packed may be there in both forms."""
        yield self.path
        directory, name = os.path.split(self.path)
        try:
            names = os.listdir(directory or ".")
        except FileNotFoundError:
            return
        except OSError as error:
            self.notes.append(note(directory, error, READ_FILES))
            return
        prefix = name + "-"
        stems = {
            each.removesuffix(".gz")
            for each in names
            if each.startswith(prefix)
            and each[len(prefix) : len(prefix) + 8].isdecimal()
            and not each.endswith(".part")
        }
        for stem in sorted(stems, reverse=True):
            path = os.path.join(directory, stem)
            yield path if os.path.exists(path) else path + ".gz"

    def _note_jumps(self, found: list[Entry]) -> None:
        back = [later for earlier, later in pairwise(found) if later.at < earlier.at - JUMP]
        if back:
            text = f"the clock went back before {clock(back[0].at)}: requests stand as they were written, not by time"
            self.notes.append(Note(self.path, text))


def _lines_backwards(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file from the last to the first; what is too long for a line comes in pieces."""
    position = file.seek(0, os.SEEK_END)
    rest = b""
    while position:
        size = min(BLOCK, position)
        position -= size
        file.seek(position)
        first, *lines = (file.read(size) + rest).split(b"\n")
        yield from reversed(lines)
        rest = first
        if len(rest) > LONGEST:
            yield rest
            rest = b""
    yield rest
