"""Which record a request is about: the sandbox's own, a guess where that is damaged, or what the Go Multus left."""

from __future__ import annotations

import errno
import os

from cni_multus.cni.errors import CniError, DecodingFailure, IoFailure
from cni_multus.multus.former import go_multus_attached_here
from cni_multus.multus.plan import guess
from cni_multus.state.files import exists, read
from cni_multus.state.journal import Attachment, Record
from cni_multus.state.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from cni_multus.cni.request import Request
    from cni_multus.multus.plan import Planned
    from cni_multus.multus.settings import Settings
    from cni_multus.state.journal import Journal

_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN)
TURN_WAIT = 60.0
"""Seconds that a request waits for another one of the same container."""


class Found:
    """A record and what it is worth: `damage` is why it is only a guess, `foreign` that the Go Multus wrote it."""

    __slots__ = ("damage", "foreign", "record")

    def __init__(self, record: Record, *, damage: CniError | None = None, foreign: bool = False) -> None:
        self.record = record
        self.damage = damage
        self.foreign = foreign


class Turn:
    """`with Turn(journal, container_id, ifname):` requests of one sandbox come one after another.

    The lock is on the record's own file, which goes at the end if it holds nothing. DEL does without (`needed` False)
    where the disk is full or read-only: links and addresses can still go.
    """

    __slots__ = ("_container_id", "_journal", "_lock", "_needed", "_path", "_wait")

    def __init__(
        self, journal: Journal, container_id: str, ifname: str, *, needed: bool = True, wait: float = TURN_WAIT
    ) -> None:
        self._journal = journal
        self._container_id = container_id
        self._path = journal.path(container_id, ifname)
        self._needed = needed
        self._wait = wait
        self._lock: Lock | None = None

    def __enter__(self) -> None:
        try:
            self._journal.make()
            attempt = f"another request for container {self._container_id} is under way"
            self._lock = Lock(self._path, attempt, wait=self._wait).__enter__()
        except IoFailure:
            if self._needed:
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is None:
            return
        try:
            if not read(self._path):
                self._lock.remove()
        except IoFailure:
            return  # an empty file that the next request takes over
        finally:
            self._lock.__exit__(kind, error, trace)


def new(request: Request, planned: list[Planned]) -> Record:
    """What is written before the first change."""
    record = Record(request.container_id, request.ifname, request.netns, request.arguments)
    for one in planned:
        attachment = Attachment(one.network.raw, one.network.version, one.ifname, _recorded(one))
        attachment.arguments, attachment.label = one.arguments, one.label
        record.attachments.append(attachment)
    return record


def _recorded(planned: Planned) -> dict[str, object]:
    """The network's capabilities; the pod's annotations, which may be long, only where a plugin takes them."""
    from cni_multus.multus.kubernetes import ANNOTATIONS

    declared = [plugin.value("capabilities") for plugin in planned.network.plugins]
    if any(isinstance(each, dict) and each.get(ANNOTATIONS) for each in declared):
        return planned.capabilities.raw
    return {key: value for key, value in planned.capabilities.raw.items() if key != ANNOTATIONS}


def find(request: Request, settings: Settings, journal: Journal) -> Found | None:
    """The record of the request's sandbox, None where nothing was ever attached to it."""
    try:
        record = journal.find(request.container_id, request.ifname)
    except CniError as error:
        if _may_pass(error, request):
            raise
        return Found(new(request, guess(request, settings)), damage=error)
    if record is not None:
        return Found(record)
    if not _go_multus_was_here(settings.cni_dir, request.container_id):
        return None
    from cni_multus.multus import takeover

    try:
        record = takeover.find_record(settings.cni_dir, request)
    except CniError as error:
        return Found(new(request, guess(request, settings)), damage=error, foreign=True)
    return None if record is None else Found(record, foreign=True)


def _may_pass(error: CniError, request: Request) -> bool:
    """Whether a record may be whole that was not read: who guessed then would forget what only the record knows."""
    cause = error.__cause__
    return isinstance(cause, OSError) and (request.command == "GC" or cause.errno in _PASSING)


def guessed(request: Request, settings: Settings, journal: Journal) -> Found:
    """What a sandbox has whose file holds nothing: its ADD was killed as it began, or the record was destroyed."""
    path = journal.path(request.container_id, request.ifname)
    return Found(new(request, guess(request, settings)), damage=DecodingFailure(f"{path} is empty"))


def any_trace(request: Request, settings: Settings, journal: Journal) -> bool:
    """Whether anything at all is there of the container, be it a request that is just being served."""
    container_id = request.container_id
    return journal.has(container_id, request.ifname) or _go_multus_was_here(settings.cni_dir, container_id)


def keep_what_is_left(journal: Journal, record: Record) -> None:
    """Write the record again if it has changed, or remove it where it has no attachment any more."""
    if not record.attachments:
        journal.remove(record.container_id, record.ifname)
    elif not _is_written(journal, record):
        journal.write(record)


def forget(record: Record, settings: Settings, journal: Journal) -> None:
    """Remove the record, and what the Go Multus knew of the container."""
    journal.remove(record.container_id, record.ifname)
    if _go_multus_was_here(settings.cni_dir, record.container_id):
        from cni_multus.multus import takeover

        takeover.forget(settings.cni_dir, record.container_id)


def _is_written(journal: Journal, record: Record) -> bool:
    """Whether the journal says just this: what fails again and again, for days, must not fill the disk."""
    try:
        written = journal.find(record.container_id, record.ifname)
    except CniError:
        return False
    return written is not None and written.to_json() == record.to_json()


def _go_multus_was_here(cni_dir: str, container_id: str) -> bool:
    return exists(os.path.join(cni_dir, container_id)) or go_multus_attached_here(cni_dir)
