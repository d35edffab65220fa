"""ADD of the meta-plugin, from the pod's wishes to its status."""

from __future__ import annotations

import os
import time

from cni_multus.cni.errors import (
    CniError,
    DecodingFailure,
    TryAgainLater,
)
from cni_multus.multus import records
from cni_multus.multus.attach import attach
from cni_multus.multus.kubernetes import Kubernetes
from cni_multus.multus.plan import named, refuse_duplicates, refuse_taken_names, require_programs
from cni_multus.multus.records import Turn
from cni_multus.multus.settings import Settings, blame, pod_of
from cni_multus.multus.wanted import CLUSTER_NETWORK, configured, system_namespaces
from cni_multus.state.journal import Journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result
    from cni_multus.multus.kubernetes import Pod
    from cni_multus.multus.log import Summary
    from cni_multus.multus.plan import Planned
    from cni_multus.multus.telling import Telling
    from cni_multus.multus.wanted import Wanted
    from cni_multus.state.journal import Record

STATUS = "k8s.v1.cni.cncf.io/network-status"
OLDER_STATUS = "k8s.v1.cni.cncf.io/networks-status"
READINESS_WAIT = 45.0


class Adding:
    """One ADD; `telling` is what is told about it once the runtime has its answer."""

    def __init__(self, request: Request, summary: Summary) -> None:
        self.request = request
        self.settings = Settings(request)
        self.summary = summary
        self.log = summary.open(self.settings, request)
        self.kubernetes = Kubernetes(request, self.settings)
        self.pod: Pod | None = None
        self.wanted: dict[int, Wanted] = {}
        self.telling: Telling | None = None
        if self.kubernetes.has_api:
            from cni_multus.multus.telling import Telling

            self.telling = Telling(self.settings, self.kubernetes, self.log)

    def result(self) -> Result:
        """Attach everything; the primary's result."""
        planned = self._decide()
        self.summary.planned(planned)
        try:
            return self._attached(planned)
        except CniError as error:
            if self.telling:
                self.telling.failed(self.pod, error)
            raise

    def _attached(self, planned: list[Planned]) -> Result:
        request, settings, log = self.request, self.settings, self.log
        log.debug(f"ADD in {request.netns}: " + ", ".join(f"{one.ifname} to {one.name}" for one in planned))
        self._await_readiness()
        require_programs(planned, request, settings)
        journal = Journal(settings.cni_dir)
        begun = journal.has(request.container_id, request.ifname)
        with Turn(journal, request.container_id, request.ifname):
            if journal.is_closed:
                raise TryAgainLater("multus is being removed from this node; the runtime reads its configuration again")
            found = records.find(request, settings, journal)
            if found is None and begun:
                found = records.guessed(request, settings, journal)
            if found is not None:
                from cni_multus.multus.remains import clear

                clear(found, request, settings, journal, log)
            refuse_taken_names(planned, request.netns)
            record = records.new(request, planned)
            try:
                journal.write(record)
            except DecodingFailure as error:
                raise blame(error, f"{self._who}: cannot record the networks' configurations") from None
            publish = self._publish if self.pod and self.kubernetes.has_api else None
            results = attach(request, settings, planned, record, journal, log, publish)
            self.summary.attached(results)
            if self.telling:
                self.telling.added(self.pod, planned, results)
            return results[0]

    def _decide(self) -> list[Planned]:
        """What is to be attached; nothing is imported of what only pods need that ask for something."""
        request, settings = self.request, self.settings
        wanted, errors = configured(settings, self.kubernetes)
        if errors and settings.config.text(CLUSTER_NETWORK) and not self._is_ready():
            # The primary's file may be what is waited for.
            self._await_readiness()
            wanted, errors = configured(settings, self.kubernetes)
        if errors:
            raise errors[0]
        self.wanted = wanted
        self.pod = self.kubernetes.pod()
        if not (self.pod and self.pod.asks) and not any(one.resource for one in wanted.values()):
            planned = named(request, settings, wanted)
            refuse_duplicates(planned)
            return planned
        from cni_multus.multus.requested import Refusal, decide

        try:
            return decide(request, settings, self.kubernetes, self.pod, wanted)
        except Refusal as refusal:
            if self.telling:
                self.telling.warn(self.pod, refusal.reason, refusal.error)
            raise blame(refusal.error, self._who) from refusal

    def _publish(self, record: Record) -> None:
        """Write network-status, if the pod is one that is told."""
        pod = self.pod
        assert pod is not None
        if not pod.asks and pod.namespace in system_namespaces(self.settings):
            return
        from cni_multus.multus.status import render

        status = render([entry for attachment in record.attachments for entry in attachment.status])
        annotations = {STATUS: status, **({OLDER_STATUS: status} if self.kubernetes.older_status else {})}
        try:
            self.kubernetes.annotate(pod, annotations)
        except TryAgainLater as away:
            # A pod that has nothing but its own network must not wait for an API server that is away.
            if pod.asks:
                raise blame(away, f"{self._who}: cannot write network-status") from None
            self.log.verbose(f"network-status is not written: {away.message}")
        except CniError as error:
            raise blame(error, f"{self._who}: cannot write network-status") from None

    @property
    def _who(self) -> str:
        """How messages about the pod as a whole begin, as Multus's do."""
        return f"Multus: [{pod_of(self.request)}]"

    def _await_readiness(self) -> None:
        """Until `readinessindicatorfile` is there: the primary CNI says by it that it is ready."""
        deadline = time.monotonic() + READINESS_WAIT
        while not self._is_ready():
            if time.monotonic() > deadline:
                raise TryAgainLater(
                    f"readinessindicatorfile: {self.settings.readiness_file} did not appear within "
                    f"{READINESS_WAIT:g} s: the primary CNI is not ready"
                )
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        path = self.settings.readiness_file
        return not path or os.path.exists(path)
