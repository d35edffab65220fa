"""Events that wait for their delivery: one file each; it knows nothing of the API server.

    <cniDir>/events/
      <nanoseconds since 1970, 20 digits>-<16 hexadecimal digits>    an event: JSON
      lock                                                           held by whoever delivers

A file appears whole or not at all. It is not synced: an Event is of no use after a power cut. There are at most `MOST`
of them, the newest, and none is kept longer than an hour, which is how long the API server itself keeps Events.
"""

from __future__ import annotations

import os
import time

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError, DecodingFailure
from cni_multus.events.event import Event
from cni_multus.state import files

MOST = 1000
"""Events that wait at a time."""
LONGEST_WAIT = 3600
"""Seconds (the API server's --event-ttl)."""
LARGEST = 16 << 10
"""Bytes of a file."""
ABANDONED = 60
"""Seconds after which a file that is being written has nobody who writes it."""

_LOCK = "lock"
_DIGITS = frozenset("0123456789")


class Spool:
    """The events of one `cniDir`."""

    __slots__ = ("directory",)

    def __init__(self, cni_dir: str) -> None:
        self.directory = os.path.join(cni_dir, "events")

    @property
    def lock(self) -> str:
        """The file that whoever delivers holds a lock on."""
        return os.path.join(self.directory, _LOCK)

    def add(self, event: Event) -> str:
        """Keep an event for its delivery; never raises, but returns what there is to be said, "" if nothing."""
        if not event.namespace or not event.pod:
            return f"the Event {event.reason} is lost: it names no pod"
        data = print_compact(event.to_json())
        if len(data) > LARGEST:
            return f"the Event {event.reason} is lost: it is larger than {LARGEST >> 10} KiB"
        try:
            files.make_directory(self.directory, 0o700)
            dropped = self._make_room()
            files.create_exclusively(self._path(f"{event.moment:020}-{event.mark}"), data, durable=False)
        except CniError as error:
            return f"the Event {event.reason} is lost: {error}"
        return f"{MOST} Events wait for the API server: the oldest {dropped} are dropped" if dropped else ""

    def waiting(self) -> list[str]:
        """The names of the files of events, the oldest first; raises IoFailure."""
        return sorted(name for name in files.names(self.directory) if _moment(name))

    def is_empty(self) -> bool:
        """Whether nothing waits, as far as can be seen."""
        try:
            return not self.waiting()
        except CniError:
            return True

    def read(self, name: str) -> Event | None:
        """The event, None where it is gone; raises CniError where the file is no event, or one that is too old."""
        path = self._path(name)
        data = files.read(path)
        if data is None:
            return None
        if len(data) > LARGEST:
            raise DecodingFailure(f"{path} is larger than {LARGEST >> 10} KiB")
        event = Event.parse(Section(parse_object(data, path)))
        if time.time_ns() - event.moment > LONGEST_WAIT * 10**9:
            raise DecodingFailure(f"the Event {event.reason} of {event.namespace}/{event.pod} waited for an hour")
        return event

    def remove(self, name: str) -> None:
        """Forget an event; raises IoFailure."""
        files.remove(self._path(name))

    def sweep(self) -> list[str]:
        """Remove what killed processes were writing; the names of what is not ours. Call it under the lock."""
        strangers = []
        for name in files.names(self.directory):
            if name.startswith(files.TEMPORARY):
                if self._is_abandoned(name):
                    files.remove(self._path(name))
            elif not _moment(name) and name != _LOCK:
                strangers.append(name)
        return strangers

    def _path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def _make_room(self) -> int:
        """Drop the oldest for another one to come; how many those were."""
        names = self.waiting()
        oldest = names[: max(0, len(names) + 1 - MOST)]
        for name in oldest:
            self.remove(name)
        return len(oldest)

    def _is_abandoned(self, name: str) -> bool:
        try:
            age = time.time() - os.stat(self._path(name), follow_symlinks=False).st_mtime
        except OSError:
            return False
        return age > ABANDONED


def _moment(name: str) -> int:
    """The moment that a file's name begins with, 0 where it is no event's."""
    moment, _, mark = name.partition("-")
    return int(moment) if len(moment) == 20 and _DIGITS.issuperset(moment) and len(mark) == 16 else 0
