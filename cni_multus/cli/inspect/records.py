"""What the node's files say of attachments: the journal, what the Go Multus left, and libcni's cache of the runtime.

They are read one by one, and nothing is locked. What cannot be read is a note, and does not hide the others.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from stat import S_ISREG
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.cache import Remembered, read_cache
from cni_multus.cli.inspect.notes import READ_FILES, Note, note
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.cni.names import is_name
from cni_multus.cni.request import Request
from cni_multus.multus import takeover
from cni_multus.state import files
from cni_multus.state.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cni_multus.cli.site import Site
    from cni_multus.state.journal import Record

JOURNAL, GO_MULTUS, LIBCNI = "journal", "go-multus", "libcni"
"""Where a record is from."""

PRIMARY = "eth0"
"""The interface that the Go Multus's first network is taken to have: its files do not say."""


@dataclass(slots=True)
class Known:
    """A sandbox as a file has it: `record` is None where that is damaged, or empty since a request has only begun."""

    origin: str
    path: str
    container_id: str
    ifname: str
    record: Record | None = None
    trouble: str = ""
    """Why the file cannot be believed."""
    worker: int = 0
    """The process that works for the sandbox just now (it holds the file's lock); 0 for none."""

    @property
    def arguments(self) -> dict[str, str]:
        """CNI_ARGS of the ADD."""
        return self.record.arguments if self.record else {}

    @property
    def pod(self) -> str:
        """NAMESPACE/NAME, "" where it is not known."""
        namespace, name = self.arguments.get("K8S_POD_NAMESPACE", ""), self.arguments.get("K8S_POD_NAME", "")
        return f"{namespace}/{name}" if name else ""

    @property
    def uid(self) -> str:
        """The pod's UID, "" where it is not known."""
        return self.arguments.get("K8S_POD_UID", "")

    @property
    def netns(self) -> str:
        """The path that the runtime gave."""
        return self.record.netns if self.record else ""

    @property
    def begun(self) -> bool:
        """Whether the file is there, and nothing in it yet: an ADD has only begun, or was killed then."""
        return self.record is None and not self.trouble


@dataclass(slots=True)
class Records:
    """Iterate over it for every sandbox, each once: the journal's word comes before the others'.

    `notes` fills while one does. Paths in records are the node's: `site.path` says where they are for this process.
    """

    site: Site
    notes: list[Note] = field(default_factory=list)

    def __iter__(self) -> Iterator[Known]:
        seen: set[tuple[str, str]] = set()
        for known in self._all():
            key = known.container_id, known.ifname
            if key not in seen:
                seen.add(key)
                yield known

    def journal(self) -> Iterator[Known]:
        """What our own journal has."""
        journal = Journal(self.site.cni_dir)
        workers = lock_holders()
        for container_id, ifname in self._keys(journal):
            yield self._read(journal, container_id, ifname, workers)

    def go_multus(self) -> Iterator[Known]:
        """What the Go Multus left in the same directory."""
        cached: dict[str, list[Remembered]] = {}
        for each in read_cache(takeover.results(self.site.cni_dir), self.notes):
            cached.setdefault(each.entry.container_id, []).append(each)
        for name in self._scratch_files():
            yield self._take_over(name, cached.pop(name, []))
        for container_id, remembered in cached.items():
            yield self._take_over(container_id, remembered)

    def runtime(self) -> Iterator[Known]:
        """What the runtime remembers, in libcni's cache."""
        for each in read_cache(self.site.results_dir, self.notes):
            entry = each.entry
            try:
                yield Known(LIBCNI, each.path, entry.container_id, entry.ifname, each.record())
            except CniError as error:
                yield Known(LIBCNI, each.path, entry.container_id, entry.ifname, trouble=error.message)

    def _all(self) -> Iterator[Known]:
        yield from self.journal()
        yield from self.go_multus()
        yield from self.runtime()

    def _keys(self, journal: Journal) -> list[tuple[str, str]]:
        try:
            return journal.keys()
        except CniError as error:
            self.notes.append(note(self.site.cni_dir, error, READ_FILES))
            return []

    def _read(self, journal: Journal, container_id: str, ifname: str, workers: dict[str, int]) -> Known:
        path = journal.path(container_id, ifname)
        known = Known(JOURNAL, path, container_id, ifname, worker=workers.get(_inode(path), 0))
        try:
            known.record = journal.find(container_id, ifname)
        except CniError as error:
            told = note(path, error, READ_FILES)
            known.trouble = told.text
            self.notes.append(told)
        return known

    def _scratch_files(self) -> Iterable[str]:
        directory = self.site.cni_dir
        try:
            names = sorted(files.names(directory))
        except CniError as error:
            self.notes.append(note(directory, error, READ_FILES))
            return []
        return [name for name in names if is_name(name) and _is_file(os.path.join(directory, name))]

    def _take_over(self, container_id: str, remembered: list[Remembered]) -> Known:
        path = os.path.join(self.site.cni_dir, container_id)
        netns = next((each.entry.netns for each in remembered if each.entry.netns), "")
        request = Request("CHECK", Section({}), {}, container_id=container_id, netns=netns, ifname=PRIMARY)
        known = Known(GO_MULTUS, path, container_id, PRIMARY)
        try:
            known.record = takeover.find_record(self.site.cni_dir, request, [each.entry for each in remembered])
        except CniError as error:
            told = note(path, error, READ_FILES)
            known.trouble = told.text
            self.notes.append(told)
            return known
        if known.record is not None:
            known.record.created = _written_at(path)
            for each in remembered:
                known.record.arguments = known.record.arguments or dict(each.entry.cni_args)
        return known


def lock_holders() -> dict[str, int]:
    """Which process holds a flock on which file, by `major:minor:inode`; empty where the kernel does not tell."""
    found: dict[str, int] = {}
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as file:
            for line in file:
                words = line.split()
                # "1: FLOCK ADVISORY WRITE 123 fe:01:1234 0 EOF"; those who wait have "->" in the second place.
                if len(words) >= 6 and words[1] == "FLOCK" and words[4].isdecimal():
                    found[words[5].lower()] = int(words[4])
    except OSError:
        return {}
    return found


def _inode(path: str) -> str:
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return ""
    return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"


def _is_file(path: str) -> bool:
    try:
        return S_ISREG(os.stat(path, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _written_at(path: str) -> int:
    try:
        return int(os.stat(path, follow_symlinks=False).st_mtime)
    except OSError:
        return 0
