"""libcni's cache as a record: what a runtime, or the Go Multus, remembers of an attachment that it made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.notes import READ_FILES, Note, note
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.cni.result import Result
from cni_multus.cni.versions import OLDEST
from cni_multus.state import files
from cni_multus.state.journal import Attachment, Record
from cni_multus.state.libcni_cache import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Remembered:
    """An entry, and the file that it is from."""

    path: str
    entry: Entry

    def record(self) -> Record:
        """The same as a record of one attachment; raises CniError where its configuration cannot be read."""
        entry = self.entry
        network = parse_object(entry.config, f"{self.path}: config")
        record = Record(entry.container_id, entry.ifname, entry.netns, dict(entry.cni_args))
        record.complete, record.created = entry.result is not None, _changed(self.path)
        attachment = Attachment(network, "", entry.ifname, entry.capability_args)
        attachment.label = entry.network
        if entry.result is not None:
            attachment.result = Result.parse(Section(entry.result, f"{self.path}: result"), OLDEST)
        record.attachments = [attachment]
        return record


def read_cache(directory: str, notes: list[Note]) -> Iterator[Remembered]:
    """Every attachment that a cache remembers; a file that cannot be read becomes a note."""
    try:
        names = sorted(files.names(directory))
    except CniError as error:
        notes.append(note(directory, error, READ_FILES))
        return
    for name in names:
        path = os.path.join(directory, name)
        try:
            data = files.read(path)
            if data is not None and not name.startswith("."):
                yield Remembered(path, Entry.parse(data, path))
        except CniError as error:
            notes.append(note(path, error, READ_FILES))


def _changed(path: str) -> int:
    try:
        return int(os.stat(path, follow_symlinks=False).st_mtime)
    except OSError:
        return 0
