"""The meta-plugin: plan, journal, attach, undo; and the same backwards."""

from __future__ import annotations

import os

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CheckFailed, CniError, NotAvailable, TryAgainLater
from cni_multus.cni.verbs import Plugin
from cni_multus.multus import records
from cni_multus.multus.detach import detach, joined
from cni_multus.multus.log import Summary
from cni_multus.multus.plan import Planned, recorded
from cni_multus.multus.records import Found, Turn
from cni_multus.multus.settings import PASSING, Settings, blame, pod_of
from cni_multus.state.journal import Journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result
    from cni_multus.multus.adding import Adding


class Multus(Plugin):
    """Several networks for one sandbox."""

    def __init__(self) -> None:
        self._summary = Summary()
        self._adding: Adding | None = None
        self._leaving: Settings | None = None

    def add(self, request: Request) -> Result:
        if request.config.has(PASSING):
            return self._add_directly(request)
        from cni_multus.multus.adding import Adding  # no other verb needs it

        self._adding = Adding(request, self._summary)
        return self._adding.result()

    def _add_directly(self, request: Request) -> Result:
        """ADD while this program leaves the node."""
        from cni_multus.multus import direct

        self._leaving = settings = Settings(request)
        journal = Journal(settings.cni_dir)
        if records.any_trace(request, settings, journal):
            with Turn(journal, request.container_id, request.ifname):
                _delete(request, settings, journal, self._summary)
            self._summary.recorded([])  # that was what the sandbox had before
        return direct.add(request, settings)

    def told(self, request: Request, error: CniError | None) -> None:
        self._summary.tell(request, error)
        if self._leaving:
            from cni_multus.multus.direct import finish

            finish(self._leaving)
        if self._adding and self._adding.telling:
            self._adding.telling.deliver()

    def delete(self, request: Request) -> None:
        settings = Settings(request)
        journal = Journal(settings.cni_dir)
        if settings.config.has(PASSING):
            self._leaving = settings
        begun = journal.has(request.container_id, request.ifname)
        if begun or records.any_trace(request, settings, journal):
            with Turn(journal, request.container_id, request.ifname, needed=False):
                if _delete(request, settings, journal, self._summary, begun=begun):
                    return
        from cni_multus.multus import direct

        if errors := direct.delete(request, settings):
            raise blame(joined(errors), f"Multus: [{pod_of(request)}]")

    def check(self, request: Request) -> None:
        from cni_multus.multus.looking import Look  # no other verb needs it

        settings = Settings(request)
        journal = Journal(settings.cni_dir)
        with Look(journal, request.container_id, request.ifname):
            self._check(request, settings, journal)

    def _check(self, request: Request, settings: Settings, journal: Journal) -> None:
        found = records.find(request, settings, journal)
        if found is None and settings.config.has(PASSING):
            from cni_multus.multus import direct

            return direct.check(request, settings)
        record = _attached(found, request, settings).record
        self._summary.recorded(record.attachments)
        pairs, errors = recorded(record)
        for planned, attachment in pairs:
            try:
                planned.network.check(
                    planned.request(request, settings, request.netns), attachment.result, planned.capabilities
                )
            except CniError as error:
                errors.append(blame(error, f"network {planned.name}"))
        if errors:
            raise blame(joined(errors), f"Multus: [{pod_of(request)}]")
        return None

    def status(self, request: Request) -> None:
        settings = Settings(request)
        if settings.readiness_file and not os.path.exists(settings.readiness_file):
            raise NotAvailable(
                f"readinessindicatorfile: {settings.readiness_file} is not there: the primary CNI is not ready"
            )
        if not settings.config.has(PASSING):
            _refuse_unwritable(settings.cni_dir)
        from cni_multus.multus.kubernetes import Kubernetes
        from cni_multus.multus.wanted import configured

        kubernetes = Kubernetes(request, settings)
        networks, errors = configured(settings, kubernetes)
        if kubernetes.connected:
            kubernetes.connected.close()
        if errors and isinstance(errors[0], TryAgainLater):
            raise NotAvailable(errors[0].message, errors[0].details)
        if errors:
            raise errors[0]
        for one in networks.values():
            one.network.status(Planned(one.network, "", Section({})).request(request, settings, ""))

    def collect_garbage(self, request: Request) -> None:
        from cni_multus.multus.garbage import collect

        settings = Settings(request)
        collect(request, settings, self._summary.open(settings, request))


def _delete(request: Request, settings: Settings, journal: Journal, summary: Summary, *, begun: bool = False) -> bool:
    """Whether there was a record to do it by, or a file of one that is empty (`begun`)."""
    found = records.find(request, settings, journal)
    if found is None and begun:
        found = records.guessed(request, settings, journal)
    if found is None:
        return False
    log = summary.open(settings, request)
    if found.damage is not None:
        log.error(f"detaching what the configuration names: {found.damage.message}")
    record = found.record
    summary.recorded(record.attachments)
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
    return True


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


def _refuse_unwritable(cni_dir: str) -> None:
    from cni_multus.state.readiness import why_not_writable

    if why := why_not_writable(cni_dir):
        raise NotAvailable(f"cniDir: no record could be written in {cni_dir}: {why}")
