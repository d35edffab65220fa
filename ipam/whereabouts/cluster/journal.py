"""What this node took through the API, or is taking or giving back: written before the API is asked, not after.

    <dataDir>/journal/
      attachment/<hh>/<hash of (network, containerID, ifname)>   symlink to "<holder's key>": DEL has nothing else
      holder/<hh>/<holder's key>    lines `<crc32> <Record as JSON>`, the last good one counts; also the holder's lock
      network/<hash of the network> it has, or had, a record
      todo/<holder's key>           the record is released, and the API is still to be told

A holder's file is one of `cni_multus/state/lines.py`; whoever works for the holder has a lock on it.
"""

from __future__ import annotations

import os

from cni_multus.cni.errors import CniError, TryAgainLater
from cni_multus.cni.request import Attachment
from cni_multus.hashes import digest
from cni_multus.state import files, lines
from cni_multus.state.lock import Lock
from ipam.whereabouts.cluster.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


class Locked:
    """`with journal.locked(key, attempt, wait) as locked:` a holder's record, which nobody else touches meanwhile."""

    def __init__(self, journal: Journal, key: str, lock: Lock) -> None:
        self.key = key
        self.record: Record | None = None
        """The last that was written; None where there is none, or none that can be read."""
        self.damage = ""
        """Why there is none that can be read."""
        self._journal = journal
        self._lock = lock
        self._empty = False

    def __enter__(self) -> Locked:
        self._lock.enter(self._load)
        return self

    def _load(self) -> None:
        try:
            self.record = self._journal.record(self.key)
            self._empty = self.record is None
        except CniError as error:
            self.damage = error.message

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._empty:
                self._lock.remove()
        finally:
            self._lock.__exit__(kind, error, trace)

    def write(self, record: Record, *, durable: bool = True) -> None:
        """Make it the record; `durable`: also against a power cut."""
        record.stamp()
        self._empty = False
        lines.append(self._journal.path(self.key), record.to_json(), durable=durable)
        self.record = record

    def forget(self) -> None:
        """The record goes, then what leads to it."""
        self._lock.remove()
        if self.record:
            self._journal.forget_pointer(self.record.holder.attachment)
        self._journal.note_done(self.key)
        self.record = None
        self._empty = False


class Journal:
    """The records below `data_dir`; nothing is made before the first is written."""

    def __init__(self, data_dir: str) -> None:
        self._root = os.path.join(data_dir, "journal")

    @property
    def directory(self) -> str:
        """Where it is."""
        return self._root

    def path(self, key: str) -> str:
        """The file of a holder."""
        return f"{self._root}/holder/{key[:2]}/{key}"

    def locked(self, key: str, attempt: str, wait: float) -> Locked:
        """The holder's record under its lock, waited for so many seconds; the file is made if there is none."""
        files.make_directory_durably(f"{self._root}/holder/{key[:2]}")
        return Locked(self, key, Lock(self.path(key), attempt, wait))

    def point(self, attachment: Attachment, key: str) -> None:
        """Let DEL find the holder by the attachment, whatever happens from here on."""
        path = self._pointer(attachment)
        files.make_directory_durably(os.path.dirname(path))
        files.make_directory(f"{self._root}/network")
        try:
            self._mark_network(attachment.network)
            if _target(path) == key:
                return
            if os.path.lexists(path):
                os.unlink(path)
            os.symlink(key, path)
            files.sync_directory(os.path.dirname(path))
        except OSError as error:
            raise files.failure(error, f"write {path}") from error

    def key_of(self, attachment: Attachment) -> str:
        """The key of the holder that has the attachment, "" where there is none."""
        key = _target(self._pointer(attachment))
        return key if key.isalnum() and len(key) == 40 else ""

    def forget_pointer(self, attachment: Attachment) -> None:
        """Nothing leads from the attachment any more."""
        files.remove(self._pointer(attachment))

    def find(self, attachment: Attachment) -> Record | None:
        """The record that an attachment leads to."""
        key = self.key_of(attachment)
        return self.record(key) if key else None

    def record(self, key: str) -> Record | None:
        """The record of a holder; raises DecodingFailure where the file is not what was written."""
        found = lines.last(self.path(key))
        return None if found is None else Record.parse(found)

    def keys(self) -> Iterator[str]:
        """The keys of all holders that have a file."""
        for shard in sorted(files.names(f"{self._root}/holder")):
            for key in sorted(files.names(f"{self._root}/holder/{shard}")):
                if not key.startswith(files.TEMPORARY):
                    yield key

    def records(self) -> Iterator[Record]:
        """Those that can be read."""
        for key in self.keys():
            try:
                record = self.record(key)
            except CniError:
                continue
            if record:
                yield record

    def unreadable(self) -> list[str]:
        """The files that hold no record that is whole, though something."""
        found = []
        for key in self.keys():
            try:
                self.record(key)
            except CniError:
                found.append(self.path(key))
        return found

    def has_records(self, network: str) -> bool:
        """Whether anything is on record for a network."""
        if not os.path.exists(f"{self._root}/network/{digest(network, 40)}"):
            return False
        return any(record.holder.attachment.network == network for record in self.records())

    def todo(self) -> list[str]:
        """The keys of the holders whose release the API is still to be told of."""
        return [key for key in sorted(files.names(f"{self._root}/todo")) if len(key) == 40]

    def todo_since(self) -> float:
        """When the oldest of them was noted, in seconds since 1970; 0 where there is none."""
        found = []
        for key in self.todo():
            try:
                found.append(os.stat(f"{self._root}/todo/{key}").st_mtime)
            except OSError:  # it was done meanwhile
                continue
        return min(found, default=0.0)

    def note_todo(self, key: str) -> None:
        """There is something to be done for the holder; noted before its record says so."""
        files.make_directory(f"{self._root}/todo")
        files.create_exclusively(f"{self._root}/todo/{key}", b"")

    def note_done(self, key: str) -> None:
        """There is not."""
        files.remove(f"{self._root}/todo/{key}")

    def sweep_pointers(self) -> None:
        """Remove what leads from an attachment to a holder that has another container by now, or to nothing."""
        for shard in list(files.names(f"{self._root}/attachment")):
            for name in list(files.names(f"{self._root}/attachment/{shard}")):
                self._sweep(f"{self._root}/attachment/{shard}/{name}", name)

    def _sweep(self, path: str, name: str) -> None:
        key = _target(path)
        if not os.path.exists(self.path(key)):
            files.remove(path)
            return
        try:
            with self.locked(key, "", 0.0) as locked:
                if not locked.damage and (not locked.record or _hash(locked.record.holder.attachment) != name):
                    files.remove(path)
        except TryAgainLater:
            return

    def _mark_network(self, network: str) -> None:
        marker = f"{self._root}/network/{digest(network, 40)}"
        if not os.path.exists(marker):
            files.create_exclusively(marker, network.encode())

    def _pointer(self, attachment: Attachment) -> str:
        name = _hash(attachment)
        return f"{self._root}/attachment/{name[:2]}/{name}"


def _hash(attachment: Attachment) -> str:
    return digest(f"{attachment.network}\0{attachment.container_id}\0{attachment.ifname}", 40)


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
