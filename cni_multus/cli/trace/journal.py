"""What happens in the journal: a record is begun, completed, emptied, or a DEL has failed.

The kernel tells which names were touched; where it does not, and while the directory is not there, all of them are
looked at. Nothing is locked: whoever writes a record does not notice.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.attachment import network_name, plugins_of
from cni_multus.cli.inspect.notes import READ_FILES, Note, note
from cni_multus.cli.trace.event import JOURNAL, Event
from cni_multus.cli.trace.inotify import Directory
from cni_multus.cni.errors import CniError
from cni_multus.state.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.state.journal import Record

    Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _Known:
    """What was last seen of a record; `begun` is of the monotonic clock, 0 where nobody saw it."""

    stamp: Stamp
    record: Record | None = None
    begun: float = 0.0


class Following:
    """Changes of the journal since it was made; `pods` are the names of containers' pods, `notes` what is not seen."""

    def __init__(self, cni_dir: str) -> None:
        self.pods: dict[str, tuple[str, str]] = {}
        self.notes: list[Note] = []
        self._journal = Journal(cni_dir)
        self._path = os.path.join(cni_dir, "journal")
        self._known: dict[str, _Known] = {}
        self._identity: tuple[int, int] | None = None
        try:
            self._directory: Directory | None = Directory()
        except (OSError, AttributeError):
            self._directory = None  # then by looking
        self._is_blind = self._directory is None
        for _ in self._look():
            pass
        for known in self._known.values():
            known.begun = 0.0

    @property
    def fd(self) -> int:
        """What to poll for; -1 where there is only looking."""
        return self._directory.fd if self._directory else -1

    def events(self) -> Iterator[Event]:
        """What has happened since the last time."""
        touched, lost = self._directory.names() if self._directory else (set(), True)
        if lost or self._is_blind or self._identity is None or self._identity != _identity(self._path):
            self._identity = None
            yield from self._look()
            return
        for name in sorted(touched):
            yield from self._changed(name)

    def close(self) -> None:
        """Follow no more."""
        if self._directory:
            self._directory.close()

    def _look(self) -> Iterator[Event]:
        """At everything; the watch comes first, so that nothing happens unseen in between."""
        identity = _identity(self._path)
        if identity != self._identity and identity and self._directory:
            try:
                self._directory.watch(self._path)
            except FileNotFoundError:
                identity = None
            except OSError:
                self._is_blind = True
        self._identity = identity
        try:
            names = set(os.listdir(self._path)) if identity else set()
        except FileNotFoundError:
            names = set()
        except OSError as error:
            if not self.notes:
                self.notes.append(note(self._path, error, READ_FILES))
            return
        for name in sorted(names | set(self._known)):
            yield from self._changed(name)

    def _changed(self, name: str) -> Iterator[Event]:
        container_id, at, ifname = name.partition("@")
        if not at:
            return
        stamp = _stamp(os.path.join(self._path, name))
        before = self._known.get(name)
        if stamp is None:
            if self._known.pop(name, None) and before is not None and before.record:
                yield self._event(container_id, ifname, "detached: its record is gone", good=True)
            return
        if before is not None and before.stamp == stamp:
            return
        now = _Known(stamp, begun=before.begun if before else time.monotonic())
        self._known[name] = now
        try:
            now.record = self._journal.find(container_id, ifname) if stamp[1] else None
        except CniError as error:
            yield self._event(container_id, ifname, f"the record cannot be read: {error.message}", good=False)
            return
        yield from self._told(container_id, ifname, before, now)

    def _told(self, container_id: str, ifname: str, before: _Known | None, now: _Known) -> Iterator[Event]:
        record, earlier = now.record, before.record if before else None
        if record is None:
            if earlier is not None:
                now.begun = 0.0
                yield self._event(container_id, ifname, "detached: its record is empty", good=True)
            else:
                yield self._event(container_id, ifname, "an ADD has begun")
            return
        arguments = record.arguments
        if name := arguments.get("K8S_POD_NAME", ""):
            pod = f"{arguments.get('K8S_POD_NAMESPACE', '')}/{name}"
            self.pods[container_id] = pod, arguments.get("K8S_POD_UID", "")
        if record.failed:
            left = ", ".join(one.ifname for one in record.attachments)
            yield self._event(container_id, ifname, f"a DEL failed, and left {left or 'nothing'} on record", good=False)
        elif record.complete:
            yield from self._attached(record, now.begun)
        elif earlier is not None and len(record.attachments) < len(earlier.attachments):
            yield self._event(container_id, ifname, "an ADD failed, and could not take all of it back", good=False)
        else:
            for one in record.attachments:
                types = ", ".join(plugin.text("type") for plugin in plugins_of(one))
                yield self._event(container_id, one.ifname, f"to be attached to {network_name(one)} by {types}")

    def _attached(self, record: Record, begun: float) -> Iterator[Event]:
        for one in record.attachments:
            ips = [str(ip.address) for ip in one.result.ips] if one.result else []
            what = f"attached to {network_name(one)}" + (f" with {', '.join(ips)}" if ips else "")
            yield self._event(record.container_id, one.ifname, what, good=True)
        took = f" {(time.monotonic() - begun) * 1000:.0f} ms after it was begun" if begun else ""
        yield self._event(record.container_id, record.ifname, f"the record is complete{took}", good=True)

    def _event(self, container_id: str, ifname: str, what: str, good: bool | None = None) -> Event:
        pod, uid = self.pods.get(container_id, ("", ""))
        return Event(JOURNAL, what, pod, container_id, ifname, good, names=(uid,) if uid else ())


def _stamp(path: str) -> Stamp | None:
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
