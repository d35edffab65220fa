"""What a test sees of the API server that all share: a namespace of its own, and whatever it takes to reach it."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Any

from cni_multus.linux.links import change_link
from cni_multus.linux.netns import Namespace
from tests.cluster.kubeconfig import Credentials, kubeconfig
from tests.cluster.road import Road

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.apiserver import Address
    from tests.cluster.client import Client, Document
    from tests.cluster.pki import Certificate

WHEREABOUTS = "whereabouts.cni.cncf.io/v1alpha1"
PLUMBING = "k8s.cni.cncf.io"
RBAC = "rbac.authorization.k8s.io/v1"

# The group and version of what is not in the core.
GROUPS = {
    "ippools": WHEREABOUTS,
    "overlappingrangeipreservations": WHEREABOUTS,
    "nodeslicepools": WHEREABOUTS,
    "ipamclaims": f"{PLUMBING}/v1alpha1",
    "network-attachment-definitions": f"{PLUMBING}/v1",
    "leases": "coordination.k8s.io/v1",
    "roles": RBAC,
    "rolebindings": RBAC,
    "clusterroles": RBAC,
    "clusterrolebindings": RBAC,
}
NOT_NAMESPACED = {"namespaces", "nodes", "clusterroles", "clusterrolebindings"}
SUPERUSERS = "system:masters"
LOOPBACK = 1  # the index of `lo`, everywhere


class Cluster:
    """One namespace of a server; files are written below `directory`."""

    def __init__(self, server: Address, directory: Path, name: str = "test") -> None:
        self.server = server
        self.api: Client = server.api
        self._directory = directory
        self._numbers = count()
        self._roads = ExitStack()
        slug = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
        namespace = {"metadata": {"generateName": f"{slug}-"}}
        self.namespace = str(self.api.post("/api/v1/namespaces", namespace).expect(201)["metadata"]["name"])

    def close(self) -> None:
        """Close all roads; the namespace stays, as long as the server."""
        self._roads.close()

    def path(self, plural: str, name: str = "", *, namespace: str | None = None) -> str:
        """Where a kind of object is, or one object; `namespace=""` is all of them."""
        group = GROUPS.get(plural)
        inside = self.namespace if namespace is None else namespace
        return "/".join(
            [
                f"/apis/{group}" if group else "/api/v1",
                *(["namespaces", inside] if inside and plural not in NOT_NAMESPACED else []),
                plural,
                *([name] if name else []),
            ]
        )

    def objects(self, plural: str) -> dict[str, Document]:
        """All objects of a kind, by their names."""
        items = self.api.get(self.path(plural)).expect(200)["items"]
        return {item["metadata"]["name"]: item for item in items}

    def create(self, plural: str, name: str, **members: Any) -> Document:
        """A new object: `spec`, `status`, more `metadata` and whatever it has."""
        metadata = {"name": name, **members.pop("metadata", {})}
        group, kind = GROUPS.get(plural, "v1"), KINDS[plural]
        document = {"apiVersion": group, "kind": kind, "metadata": metadata, **members}
        return self.api.post(self.path(plural), document).expect(201)

    def add_pool(self, name: str, cidr: str, allocations: Document | None = None) -> Document:
        """An IPPool."""
        return self.create("ippools", name, spec={"range": cidr, "allocations": allocations or {}})

    def add_pod(self, name: str, *, node: str = "node1", phase: str = "Running", **metadata: Any) -> Document:
        """A pod that some kubelet has; nothing runs. Its UID is in the answer."""
        spec = {"nodeName": node, "containers": [{"name": "main", "image": "none"}]}
        self.create("pods", name, spec=spec, metadata=metadata)
        return self.api.merge_patch(f"{self.path('pods', name)}/status", {"status": {"phase": phase}}).expect(200)

    def delete_pod(self, name: str) -> None:
        """Take a pod away at once, as its kubelet does in the end."""
        self.api.delete(self.path("pods", name), {"gracePeriodSeconds": 0}).expect(200)

    def token(self, *rules: Document, cluster_wide: bool = False) -> str:
        """The token of a new service account, which may do this (see `rule`) in its namespace, or everywhere."""
        name = f"account{next(self._numbers)}"
        self.create("serviceaccounts", name)
        account = {"kind": "ServiceAccount", "namespace": self.namespace, "name": name}
        role, binding = ("clusterroles", "clusterrolebindings") if cluster_wide else ("roles", "rolebindings")
        full = f"{self.namespace}-{name}"
        self.create(role, full, rules=list(rules))
        reference = {"apiGroup": RBAC.partition("/")[0], "kind": KINDS[role], "name": full}
        self.create(binding, full, roleRef=reference, subjects=[account])
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
        path = f"{self.path('serviceaccounts', name)}/token"
        token = str(self.api.post(path, request).expect(201)["status"]["token"])
        if rules:
            self._wait_until_allowed(token, rules[0])
        return token

    def certificate(self, user: str, *groups: str) -> Certificate:
        """A certificate for a user, who is in these groups: `SUPERUSERS` may do everything."""
        return self.server.issue(self._directory, user, *groups)

    def kubeconfig(self, *, server: str = "", namespace: str | None = None, ca: Path | None = None, **who: Any) -> Path:
        """A file for processes on the machine's own loopback, or for those who reach the server at another URL.

        `who` is what Credentials has; the administrator's token if it names nobody. `namespace=""` leaves it out.
        """
        credentials = Credentials(**who)
        if not (credentials.token or credentials.token_file or credentials.certificate):
            credentials = Credentials(**who, token=self.server.token)
        inside = self.namespace if namespace is None else namespace
        path = self._directory / f"kubeconfig{next(self._numbers)}"
        path.write_text(kubeconfig(server or self.server.url, ca or self.server.ca, credentials, inside))
        return path

    def road(self, namespace: str = "", *, raw: bool = False) -> Road:
        """A way to the server from a network namespace, which can be made bad; from this thread's if there is none."""
        if namespace:
            with Namespace.open(namespace) as inside:
                change_link(inside, LOOPBACK, up=True)
        road = Road(self.server, namespace or "/proc/thread-self/ns/net", raw=raw)
        self._roads.callback(road.close)
        return road

    def reachable_from(self, namespace: str, **options: Any) -> Path:
        """A kubeconfig that is right in a network namespace."""
        raw = "certificate" in options  # who shows a certificate wants to see the server's own
        return self.kubeconfig(server=self.road(namespace, raw=raw).url, **options)

    def _wait_until_allowed(self, token: str, rule: Document) -> None:
        """What was bound to a role is not known to the server at once."""
        attributes = {"verb": rule["verbs"][0], "group": rule["apiGroups"][0], "resource": rule["resources"][0]}
        attributes["namespace"] = self.namespace
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        deadline = time.monotonic() + 10
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        while not self.api.post(path, review, token=token).expect(201)["status"]["allowed"]:
            assert time.monotonic() < deadline, rule
            time.sleep(0.01)


KINDS = {
    "clusterrolebindings": "ClusterRoleBinding",
    "clusterroles": "ClusterRole",
    "ipamclaims": "IPAMClaim",
    "ippools": "IPPool",
    "leases": "Lease",
    "network-attachment-definitions": "NetworkAttachmentDefinition",
    "nodes": "Node",
    "nodeslicepools": "NodeSlicePool",
    "overlappingrangeipreservations": "OverlappingRangeIPReservation",
    "pods": "Pod",
    "rolebindings": "RoleBinding",
    "roles": "Role",
    "serviceaccounts": "ServiceAccount",
}


def rule(plural: str, verbs: str) -> Document:
    """One rule of a role: `rule("ippools", "get,patch")`."""
    group = GROUPS.get(plural.partition("/")[0], "")
    return {"apiGroups": [group.partition("/")[0]], "resources": [plural], "verbs": verbs.split(",")}
