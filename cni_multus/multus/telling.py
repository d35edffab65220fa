"""What the pod's owner is told by Events: put in the spool as it happens, delivered once the runtime has its answer."""

from __future__ import annotations

import os

from cni_multus.cni.errors import (
    DecodingFailure,
    DelegateFailure,
    IncompatibleVersion,
    InvalidNetworkConfig,
    PoolExhausted,
    UnsupportedField,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.errors import CniError
    from cni_multus.cni.result import Result
    from cni_multus.kube.credentials import Access
    from cni_multus.multus.kubernetes import Kubernetes, Pod
    from cni_multus.multus.log import Log
    from cni_multus.multus.plan import Planned
    from cni_multus.multus.settings import Settings

ADDED = "AddedInterface"
EXHAUSTED = "AddressPoolExhausted"
INVALID = "InvalidNetworks"
NOT_ALLOWED = "NetworkNotAllowed"
NOT_FOUND = "NoNetworkFound"
MENDABLE = frozenset(
    kind.code
    for kind in (IncompatibleVersion, UnsupportedField, DecodingFailure, InvalidNetworkConfig, DelegateFailure)
)
"""What a network's own configuration is the reason of: the same comes with the next attempt, until somebody acts."""


class Telling:
    """The Events of one request on a node that knows an API server."""

    def __init__(self, settings: Settings, kubernetes: Kubernetes, log: Log) -> None:
        self._cni_dir = settings.cni_dir
        self._kubernetes = kubernetes
        self._log = log
        self._is_anything_there = False

    def failed(self, pod: Pod | None, error: CniError) -> None:
        """What an attachment came to, where somebody can mend that."""
        if isinstance(error, PoolExhausted):
            self.warn(pod, EXHAUSTED, error)
        elif error.code in MENDABLE:
            self.warn(pod, INVALID, error)

    def warn(self, pod: Pod | None, reason: str, error: CniError) -> None:
        """Something that the pod's owner, or the cluster's operator, has to mend."""
        from cni_multus.events.event import WARNING

        self._spool(pod, WARNING, reason, error.message)

    def added(self, pod: Pod | None, planned: list[Planned], results: list[Result]) -> None:
        """Every interface that was made, in the words that tools look for (Multus's)."""
        from cni_multus.events.event import NORMAL

        for one, result in zip(planned, results, strict=True):
            if result.interfaces or result.ips:
                addresses = " ".join(str(ip.address) for ip in result.ips)
                source = f" from {one.label}" if one.label else ""
                self._spool(pod, NORMAL, ADDED, f"Add {one.ifname} [{addresses}]{source}")

    def deliver(self) -> None:
        """Let a process of its own send what there is to send."""
        if not self._is_anything_there:
            if client := self._kubernetes.connected:
                client.close()
            return
        from cni_multus.events.detached import start_delivery
        from cni_multus.events.spool import Spool

        start_delivery(Spool(self._cni_dir), self._access, self._kubernetes.connected, self._log.error)

    def _spool(self, pod: Pod | None, kind: str, reason: str, message: str) -> None:
        if pod is None:
            return
        from cni_multus.events.event import Event
        from cni_multus.events.spool import Spool

        event = Event(
            kind, reason, message, namespace=pod.namespace, pod=pod.name, uid=pod.uid, host=os.uname().nodename
        )
        if why := Spool(self._cni_dir).add(event):
            self._log.error(why)
        else:
            self._is_anything_there = True

    def _access(self) -> Access:
        return self._kubernetes.access()
