"""ADD of the meta-plugin, from the pod's wishes to its status."""

from __future__ import annotations

from cni_multus.cni.errors import CniError, PoolExhausted, TryAgainLater
from cni_multus.multus import records
from cni_multus.multus.attach import attach
from cni_multus.multus.kubernetes import Kubernetes
from cni_multus.multus.log import Log
from cni_multus.multus.plan import refuse_taken_names, require_programs
from cni_multus.multus.records import Turn
from cni_multus.multus.remains import clear_remains
from cni_multus.multus.requested import Refusal, decide
from cni_multus.multus.settings import Settings, blame, pod_of
from cni_multus.multus.telling import Telling
from cni_multus.multus.waiting import await_readiness
from cni_multus.multus.wanted import system_namespaces
from cni_multus.selection import DEFAULT_NETWORK, NETWORKS
from cni_multus.state.journal import Journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result
    from cni_multus.multus.kubernetes import Pod
    from cni_multus.multus.plan import Planned
    from cni_multus.state.journal import Record

STATUS = "k8s.v1.cni.cncf.io/network-status"
OLDER_STATUS = "k8s.v1.cni.cncf.io/networks-status"
EXHAUSTED = "AddressPoolExhausted"


class Adding:
    """One ADD; `telling` is what is told about it once the runtime has its answer."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.settings = Settings(request)
        self.log = Log(self.settings, pod_of(request))
        self.kubernetes = Kubernetes(request, self.settings)
        self.pod: Pod | None = None
        self.telling = Telling(self.settings, self.kubernetes, self.log)

    def result(self) -> Result:
        """Attach everything; the primary's result."""
        planned = self._decide()
        request, settings, log = self.request, self.settings, self.log
        log.debug(f"ADD in {request.netns}: " + ", ".join(f"{one.ifname} to {one.name}" for one in planned))
        await_readiness(settings)
        require_programs(planned, request, settings)
        journal = Journal(settings.cni_dir)
        with Turn(journal, request.container_id, request.ifname):
            clear_remains(request, settings, journal, log)
            refuse_taken_names(planned, request.netns)
            record = records.new(request, planned)
            journal.write(record)
            try:
                results = attach(request, settings, planned, record, journal, log, self._publish)
            except PoolExhausted as error:
                self.telling.warn(self.pod, EXHAUSTED, error.message)
                raise
            if self.kubernetes.has_api:
                self.telling.added(self.pod, planned, results)
            return results[0]

    def _decide(self) -> list[Planned]:
        try:
            self.pod = self.kubernetes.pod()
            return decide(self.request, self.settings, self.kubernetes, self.pod)
        except Refusal as refusal:
            self.telling.warn(self.pod, refusal.reason, refusal.error.message)
            raise blame(refusal.error, f"Multus: [{pod_of(self.request)}]") from refusal

    def _publish(self, record: Record) -> None:
        """Write network-status, if there is an API server to tell and the pod is one that is told."""
        pod = self.pod
        if pod is None or not self.kubernetes.has_api:
            return
        asked = NETWORKS in pod.annotations or DEFAULT_NETWORK in pod.annotations
        if not asked and pod.namespace in system_namespaces(self.settings):
            return
        from cni_multus.multus.status import render

        status = render([entry for attachment in record.attachments for entry in attachment.status])
        annotations = {STATUS: status, **({OLDER_STATUS: status} if self.kubernetes.older_status else {})}
        try:
            self.kubernetes.annotate(pod, annotations)
        except TryAgainLater as away:
            # A pod that has nothing but its own network must not wait for an API server that is away.
            if asked:
                raise blame(away, f"Multus: [{pod_of(self.request)}]: cannot write network-status") from None
            self.log.verbose(f"network-status is not written: {away.message}")
        except CniError as error:
            raise blame(error, f"Multus: [{pod_of(self.request)}]: cannot write network-status") from None
