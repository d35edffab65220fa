"""The meta-plugin: plan, journal, attach, undo; and the same backwards."""

from __future__ import annotations

import os
import time

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CheckFailed, CniError, InvalidEnvironment, IoFailure, NotAvailable, TryAgainLater
from cni_multus.cni.verbs import Plugin
from cni_multus.multus.attach import attach, statuses
from cni_multus.multus.detach import detach, joined
from cni_multus.multus.log import Log
from cni_multus.multus.plan import Planned, configured, decide, recorded, refuse_taken_names
from cni_multus.multus.settings import Settings, blame, pod_of
from cni_multus.state.files import Lock, make_directory
from cni_multus.state.journal import Attachment, Journal, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result

READINESS_WAIT = 45.0
TURN_WAIT = 60.0
"""Seconds that a request waits for another one of the same container."""


class Multus(Plugin):
    """Several networks for one sandbox."""

    def add(self, request: Request) -> Result:
        settings = Settings(request)
        log = Log(settings, pod_of(request))
        planned = decide(request, settings)
        _await_readiness(settings)
        journal = Journal(settings.cni_dir)
        with _turn(settings, request.container_id):
            self._clear_remains(request, settings, journal, log)
            refuse_taken_names(planned, request.netns)
            record = _record(request, planned)
            journal.write(record)
            try:
                results = attach(request, settings, planned, record, log)
            except CniError as error:
                log.error(error.message)
                _keep_what_is_left(journal, record)
                raise
            for attachment, result, status in zip(record.attachments, results, statuses(planned, results), strict=True):
                attachment.result, attachment.status = result, status
            record.complete = True
            journal.write(record)
        log.verbose(f"network-status: {_printed(record)}")
        return results[0]

    def delete(self, request: Request) -> None:
        settings = Settings(request)
        if not os.path.isdir(settings.cni_dir):
            return
        turn = _turn_if_possible(settings, request.container_id)
        try:
            self._delete(request, settings)
            if turn is not None:
                turn.remove()
        finally:
            if turn is not None:
                turn.__exit__(None, None, None)

    def check(self, request: Request) -> None:
        settings = Settings(request)
        log = Log(settings, pod_of(request))
        record, _ = self._find(request, settings, Journal(settings.cni_dir), log)
        if record is None:
            raise CheckFailed(f"there is no record of an ADD of {request.container_id} {request.ifname} in {settings.cni_dir}")
        if not record.complete:
            raise CheckFailed(f"the ADD of {request.container_id} {request.ifname} was never completed")
        pairs, errors = recorded(record, settings)
        for planned, attachment in pairs:
            try:
                planned.network.check(
                    planned.request(request, settings, request.netns), attachment.result, planned.capabilities
                )
            except CniError as error:
                errors.append(blame(error, f"network {planned.name}"))
        if errors:
            raise blame(joined(errors), f"Multus: [{pod_of(request)}]")

    def status(self, request: Request) -> None:
        settings = Settings(request)
        if settings.readiness_file and not os.path.exists(settings.readiness_file):
            raise NotAvailable(f"readinessindicatorfile: {settings.readiness_file} is not there: the primary CNI is not ready")
        try:
            make_directory(settings.cni_dir, 0o700)
        except CniError as error:
            raise NotAvailable(f"cniDir: {error.message}") from error
        for network in configured(settings):
            planned = Planned(network, "", Section({}))
            network.status(planned.request(request, settings, ""))

    def collect_garbage(self, request: Request) -> None:
        from cni_multus.multus.garbage import collect

        collect(request, Settings(request))

    def _delete(self, request: Request, settings: Settings) -> None:
        log = Log(settings, pod_of(request))
        journal = Journal(settings.cni_dir)
        record, foreign = self._find(request, settings, journal, log)
        if record is None:
            return
        before = record.failed
        errors = detach(request, settings, record, request.netns or record.living_netns(), log)
        if not errors:
            journal.remove(record.container_id, record.ifname)
            if foreign:
                from cni_multus.multus import takeover

                takeover.forget(settings.cni_dir, request.container_id)
            return
        record.failed = True
        try:
            _keep_what_is_left(journal, record)
        except CniError as error:
            errors.append(error)
        # A plugin that can never be deleted again must not keep a pod for ever: what is left stays on record
        # for GC, and the runtime hears of it once, or every time where it asks for that.
        if settings.retry_delete or not before:
            raise blame(joined(errors), f"Multus: [{pod_of(request)}]")

    def _clear_remains(self, request: Request, settings: Settings, journal: Journal, log: Log) -> None:
        """An ADD that was killed half-way left a record: take that back before anything new is made."""
        record, _ = self._find(request, settings, journal, log)
        if record is None:
            return
        if record.complete and not record.failed:
            raise InvalidEnvironment(
                f"{request.container_id} {request.ifname} is attached already: a DEL must come before the next ADD"
            )
        errors = detach(request, settings, record, request.netns, log)
        if errors:
            _keep_what_is_left(journal, record)
            raise blame(joined(errors), f"Multus: [{pod_of(request)}]: cannot clear what an earlier ADD left")
        journal.remove(record.container_id, record.ifname)

    def _find(self, request: Request, settings: Settings, journal: Journal, log: Log) -> tuple[Record | None, bool]:
        """The sandbox's record, and whether it is the Go Multus's."""
        try:
            record = journal.find(request.container_id, request.ifname)
        except CniError as error:
            log.error(error.message)
            record = self._best_guess(request, settings)
        if record is not None:
            return record, False
        if not _go_multus_was_here(settings.cni_dir, request.container_id):
            return None, False
        from cni_multus.multus import takeover

        record = takeover.find_record(settings.cni_dir, request)
        return record, record is not None

    def _best_guess(self, request: Request, settings: Settings) -> Record | None:
        """A damaged record: what the configuration would attach is what it most likely listed."""
        try:
            return _record(request, decide(request, settings))
        except CniError:
            return None


def _go_multus_was_here(cni_dir: str, container_id: str) -> bool:
    return os.path.lexists(os.path.join(cni_dir, container_id)) or os.path.isdir(os.path.join(cni_dir, "results"))


def _record(request: Request, planned: list[Planned]) -> Record:
    record = Record(request.container_id, request.ifname, request.netns, request.arguments)
    record.attachments = [
        Attachment(one.network.raw, one.network.version, one.ifname, one.capabilities.raw) for one in planned
    ]
    return record


def _keep_what_is_left(journal: Journal, record: Record) -> None:
    if record.attachments:
        journal.write(record)
    else:
        journal.remove(record.container_id, record.ifname)


def _turn(settings: Settings, container_id: str) -> Lock:
    """Requests of one container one after another; those of different containers do not meet."""
    directory = os.path.join(settings.cni_dir, "locks")
    make_directory(directory, 0o700)
    return Lock(os.path.join(directory, container_id), f"another request for container {container_id}", wait=TURN_WAIT)


def _turn_if_possible(settings: Settings, container_id: str) -> Lock | None:
    """For DEL: on a disk that is full or read-only no lock can be made, but links and addresses can still go."""
    try:
        return _turn(settings, container_id).__enter__()
    except IoFailure:
        return None


def _await_readiness(settings: Settings) -> None:
    deadline = time.monotonic() + READINESS_WAIT
    while settings.readiness_file and not os.path.exists(settings.readiness_file):
        if time.monotonic() > deadline:
            raise TryAgainLater(
                f"readinessindicatorfile: {settings.readiness_file} did not appear within {READINESS_WAIT:g} s: "
                "the primary CNI is not ready"
            )
        time.sleep(0.1)


def _printed(record: Record) -> str:
    from cni_multus.cni.document import print_compact

    return print_compact([entry for attachment in record.attachments for entry in attachment.status]).decode()
