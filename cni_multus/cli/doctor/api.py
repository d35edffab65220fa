"""The way to the API server: credentials, their time, TLS, and what the account may do."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.finding import CRITICAL, ERROR, WARNING, Check, Finding
from cni_multus.cli.doctor.tokens import claims, moment, number
from cni_multus.cni.errors import CniError
from cni_multus.kube.errors import Forbidden, NotServed, NotTrusted, Unauthorized, Unavailable
from cni_multus.kube.objects import NADS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient
    from cni_multus.kube.client import Client
    from cni_multus.kube.credentials import Access

PATIENCE = 8.0
"""Seconds for all that is asked."""
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SOON = 300
_NO_POD = "pods do not start: what a pod asks for cannot be read (code 11, or 103)"


@dataclass(frozen=True)
class Right:
    """Something that requests do; `without` is what fails where the account may not."""

    verb: str
    group: str
    resource: str
    subresource: str
    without: str
    severity: str = ERROR

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {what}" + (f" of {self.group}" if self.group else "")


RIGHTS = (
    Right("get", "", "pods", "", _NO_POD, CRITICAL),
    Right("get", "k8s.cni.cncf.io", "network-attachment-definitions", "", _NO_POD, CRITICAL),
    Right("patch", "", "pods", "status", "pods get no network-status"),
    Right("create", "", "events", "", "nobody sees in the pod's Events why a network failed", WARNING),
    Right("patch", "", "events", "", "an Event that comes again is lost", WARNING),
)
_OF_WHEREABOUTS = tuple(
    Right(verb, "whereabouts.cni.cncf.io", "ippools", "", "pods with addresses of whereabouts do not start")
    for verb in ("get", "create", "patch")
)


class Server:
    """The API server as the first question found it; what failed then is not asked again."""

    def __init__(self, patient: Patient) -> None:
        self.kubeconfig = patient.site.kubeconfig
        self.access: Access | None = None
        self.credentials: CniError | None = None
        """Why the kubeconfig cannot be used."""
        self.failure: CniError | None = None
        self.client: Client | None = None
        if self.kubeconfig:
            self._connect(patient)

    @property
    def answers(self) -> bool:
        """Whether it answered."""
        return self.client is not None and self.failure is None

    def may(self, right: Right) -> bool:
        """Whether the account may do it, anywhere."""
        assert self.client is not None
        attributes = {
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
            "subresource": right.subresource,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        status = self.client.create(_REVIEWS, review, repeatable=True).get("status")
        return isinstance(status, dict) and status.get("allowed") is True

    def _connect(self, patient: Patient) -> None:
        from cni_multus.kube.client import Client
        from cni_multus.kube.deadline import Deadline
        from cni_multus.kube.kubeconfig import load_kubeconfig

        try:
            self.access = load_kubeconfig(self.kubeconfig)
            self.access.bearer()
        except CniError as error:
            self.credentials = error
            return
        self.client = Client(self.access, Deadline(PATIENCE), attempt=PATIENCE / 2)
        patient.arguments.closing.callback(self.client.close)
        try:
            self.may(RIGHTS[0])
        except CniError as error:
            self.failure = error


def credentials(patient: Patient) -> Iterator[Finding]:
    """The kubeconfig cannot be used."""
    server = patient.server
    if server.credentials is not None:
        is_there = os.path.exists(server.kubeconfig)
        yield Finding(
            CRITICAL,
            f"the kubeconfig {server.kubeconfig} {'cannot be used' if is_there else 'is not there'}: "
            f"{server.credentials.message}",
            [f"ls -l {server.kubeconfig}", f"{patient.site.conf_file} names it"],
            _NO_POD,
            "`multus install`, or `multus node watch`, writes it from the pod's service account",
        )


def token(patient: Patient) -> Iterator[Finding]:
    """The token's own words: until when it is good, and from when on."""
    server = patient.server
    if server.access is None or server.credentials is not None:
        return
    source = server.access.token_file or server.kubeconfig
    told, now = claims(server.access.bearer()), time.time()
    expires, begins = number(told, "exp"), number(told, "nbf")
    if expires and expires <= now:
        yield Finding(
            CRITICAL,
            f"the token in {source} expired {_span(now - expires)} ago",
            [f"exp: {moment(expires)}, and it is {moment(now)}", f"account: {told.get('sub', 'unknown')}"],
            _NO_POD,
            "`multus node watch` refreshes it: see that its pod runs on this node, and mounts the directory",
        )
    elif begins and begins > now + 60:
        yield Finding(
            CRITICAL,
            f"the token in {source} is not valid for another {_span(begins - now)}: the clock of this node is behind",
            [f"nbf: {moment(begins)}, and it is {moment(now)} here"],
            _NO_POD,
            "set the clock (chronyc tracking, timedatectl)",
        )
    elif expires and expires - now < _SOON:
        yield Finding(
            WARNING,
            f"the token in {source} expires in {_span(expires - now)}, and nobody has written another one",
            [f"exp: {moment(expires)}", "the kubelet has another one after four fifths of its time"],
            "soon no pod starts that names networks",
            "see that `multus node watch` runs on this node",
        )


def reach(patient: Patient) -> Iterator[Finding]:
    """No answer, or one that cannot be believed."""
    server, failure = patient.server, patient.server.failure
    if failure is None or server.access is None or isinstance(failure, Forbidden):
        return
    where = server.access.server
    if isinstance(failure, Unauthorized):
        what = f"the API server {where} does not take the token: {failure.message}"
        mend = "`multus node watch` writes another one: see that its pod runs; was the service account deleted?"
    elif isinstance(failure, NotTrusted):
        what = f"the certificate of the API server {where} is not trusted: {failure.message}"
        mend = "the CA in the kubeconfig is another cluster's, or was renewed: `multus install` writes it anew"
    elif isinstance(failure, Unavailable):
        what = f"the API server {where} does not answer: {failure.message}"
        mend = "see that it runs, and that this node reaches it (kube-proxy, routes, a firewall)"
    else:
        what = f"what answers at {where} is no API server: {failure.message}"
        mend = f"correct the server in {server.kubeconfig}"
    yield Finding(
        CRITICAL,
        what,
        [failure.details] if failure.details else [f"kubectl --kubeconfig {server.kubeconfig} get --raw /version"],
        f"{_NO_POD}; pods that run are not touched, and DEL works",
        mend,
    )


def rights(patient: Patient) -> Iterator[Finding]:
    """What the account may not do, and requests need."""
    server = patient.server
    if not server.answers or server.access is None:
        return
    needed = RIGHTS + (_OF_WHEREABOUTS if any(_is_in_cluster(use.ipam.raw) for use in patient.uses) else ())
    who = claims(server.access.bearer()).get("sub", "the account")
    for right in needed:
        if not server.may(right):
            yield Finding(
                right.severity,
                f"{who} may not {right} in the cluster",
                [f"kubectl auth can-i {right.verb} {right.resource} --kubeconfig {server.kubeconfig} -A: no"],
                right.without,
                "give the account the ClusterRole of conf/deploy, by a ClusterRoleBinding",
            )


def served(patient: Patient) -> Iterator[Finding]:
    """The kind of definitions is not installed."""
    if not patient.api_definitions and isinstance(patient.definitions_failure, NotServed):
        yield Finding(
            CRITICAL,
            "the API server does not know network-attachment-definitions: their CRD is not installed",
            [f"kubectl get crd {NADS.plural}.k8s.cni.cncf.io: not found"],
            "pods that ask for networks do not start",
            "kubectl apply the CRD (conf/crds)",
        )


def _is_in_cluster(ipam: dict[str, object]) -> bool:
    return ipam.get("type") == "whereabouts" and ipam.get("datastore", "kubernetes") == "kubernetes"


def _span(seconds: float) -> str:
    whole = int(seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


CHECKS = (
    Check("api-credentials", "the kubeconfig that is named can be used", credentials),
    Check("api-token", "the token is valid now", token),
    Check("api-reach", "the API server answers, and is the right one", reach),
    Check("api-definitions", "the API server knows definitions of networks", served),
    Check("api-rights", "the account may do what requests need", rights),
)
