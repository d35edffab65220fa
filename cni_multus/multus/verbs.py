"""The meta-plugin: plan, journal, attach, undo; and the same backwards."""

from __future__ import annotations

import os
import time

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CheckFailed, CniError, InvalidEnvironment, NotAvailable, TryAgainLater
from cni_multus.cni.verbs import Plugin
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.multus import records
from cni_multus.multus.detach import detach, joined
from cni_multus.multus.log import Log
from cni_multus.multus.plan import Planned, configured, decide, recorded, refuse_taken_names, require_programs
from cni_multus.multus.records import Found, Turn
from cni_multus.multus.settings import Settings, blame, pod_of
from cni_multus.state.journal import Journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result

READINESS_WAIT = 45.0


class Multus(Plugin):
    """Several networks for one sandbox."""

    def add(self, request: Request) -> Result:
        from cni_multus.multus.attach import attach  # no other verb needs it

        settings = Settings(request)
        log = Log(settings, pod_of(request))
        planned = decide(request, settings)
        log.debug(f"ADD in {request.netns}: " + ", ".join(f"{one.ifname} to {one.name}" for one in planned))
        _await_readiness(settings)
        require_programs(planned, request, settings)
        journal = Journal(settings.cni_dir)
        with Turn(journal, request.container_id, request.ifname):
            _clear_remains(request, settings, journal, log)
            refuse_taken_names(planned, request.netns)
            record = records.new(request, planned)
            journal.write(record)
            return attach(request, settings, planned, record, journal, log)[0]

    def delete(self, request: Request) -> None:
        settings = Settings(request)
        journal = Journal(settings.cni_dir)
        if not records.any_trace(request, settings, journal):
            return
        with Turn(journal, request.container_id, request.ifname, needed=False):
            _delete(request, settings, journal, Log(settings, pod_of(request)))

    def check(self, request: Request) -> None:
        settings = Settings(request)
        found = records.find(request, settings, Journal(settings.cni_dir))
        pairs, errors = recorded(_attached(found, request, settings).record)
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
            raise NotAvailable(
                f"readinessindicatorfile: {settings.readiness_file} is not there: the primary CNI is not ready"
            )
        _refuse_unwritable(settings.cni_dir)
        networks, errors = configured(settings)
        if errors:
            raise errors[0]
        for network in networks.values():
            network.status(Planned(network, "", Section({})).request(request, settings, ""))

    def collect_garbage(self, request: Request) -> None:
        from cni_multus.multus.garbage import collect

        collect(request, Settings(request))


def _delete(request: Request, settings: Settings, journal: Journal, log: Log) -> None:
    found = records.find(request, settings, journal)
    if found is None:
        return
    if found.damage is not None:
        log.error(f"detaching what the configuration names: {found.damage.message}")
    record = found.record
    log.debug(f"DEL in {request.netns}: " + ", ".join(attachment.ifname for attachment in record.attachments))
    told = record.failed
    errors = detach(request, settings, record, log)
    try:
        if errors:
            record.failed = True
            records.keep_what_is_left(journal, record)
        else:
            records.forget(record, settings, journal)
    except CniError as error:
        errors.append(error)
    # A plugin that can never be deleted again must not keep a pod for ever: what is left stays on record
    # for GC, and the runtime hears of it once, or every time where it asks for that.
    if errors and (settings.retry_delete or not told):
        raise blame(joined(errors), f"Multus: [{pod_of(request)}]")


def _clear_remains(request: Request, settings: Settings, journal: Journal, log: Log) -> None:
    """Take back what an earlier ADD left that was killed, or that was of an earlier boot, before anything is made."""
    found = records.find(request, settings, journal)
    if found is None:
        return
    if _is_attached(found, request):
        raise InvalidEnvironment(
            f"{request.container_id} {request.ifname} is attached already: a DEL must come before the next ADD"
        )
    record = found.record
    errors = detach(request, settings, record, log)
    if errors:
        records.keep_what_is_left(journal, record)
        raise blame(joined(errors), f"Multus: [{pod_of(request)}]: cannot clear what an earlier ADD left")
    records.forget(record, settings, journal)


def _is_attached(found: Found, request: Request) -> bool:
    record = found.record
    if found.damage is not None:
        return False
    if not found.foreign:
        return record.complete and not record.failed and record.is_of(request.netns)
    with Namespace.open(request.netns) as container:
        return any(find_link(container, attachment.ifname) for attachment in record.attachments)


def _attached(found: Found | None, request: Request, settings: Settings) -> Found:
    """The record of a sandbox that is attached; raises CheckFailed where it is not."""
    who = f"{request.container_id} {request.ifname}"
    if found is None:
        raise CheckFailed(f"there is no record of an ADD of {who} in {settings.cni_dir}")
    if found.damage is not None:
        raise CheckFailed(f"the record of {who} cannot be read: {found.damage.message}", found.damage.details)
    if not found.record.complete:
        raise CheckFailed(f"the ADD of {who} was never completed")
    if found.record.failed:
        raise CheckFailed(f"a DEL of {who} was begun and has not ended")
    return found


def _await_readiness(settings: Settings) -> None:
    deadline = time.monotonic() + READINESS_WAIT
    while settings.readiness_file and not os.path.exists(settings.readiness_file):
        if time.monotonic() > deadline:
            raise TryAgainLater(
                f"readinessindicatorfile: {settings.readiness_file} did not appear within {READINESS_WAIT:g} s: "
                "the primary CNI is not ready"
            )
        time.sleep(0.1)


def _refuse_unwritable(cni_dir: str) -> None:
    from cni_multus.state.readiness import why_not_writable

    if why := why_not_writable(cni_dir):
        raise NotAvailable(f"cniDir: no record could be written in {cni_dir}: {why}")
