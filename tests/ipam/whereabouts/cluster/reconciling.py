"""A namespace with pools, pods, nodes and claims, and what a reconciliation makes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cni_multus.cni.request import Attachment
from cni_multus.state.leases.lease import Holder, Lease
from ipam.whereabouts.cluster.naming import HOLDER, NODE, POD_UID, label_value
from ipam.whereabouts.cluster.reconcile import Outcome, reconcile
from tests.ipam.whereabouts.cluster.asking import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.cluster import Cluster

POOL = "10.0.0.0-24"


class Scene:
    """The pool 10.0.0.0/24, unless it is told otherwise; node names are the test's own."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.kubeconfig = cluster.kubeconfig()

    def ref(self, pod: str) -> str:
        return pod if "/" in pod else f"{self.cluster.namespace}/{pod}"

    def entry(self, pod: str, container: str = "c", ifname: str = "net1") -> dict[str, str]:
        return {"id": container, "podref": self.ref(pod), "ifname": ifname}

    def add_pool(self, name: str = POOL, cidr: str = "10.0.0.0/24", **entries: Any) -> None:
        self.cluster.add_pool(name, cidr, {key.removeprefix("at"): value for key, value in entries.items()})

    def add_pod(self, name: str, *, status: object = None, **options: Any) -> str:
        annotations = dict(options.pop("annotations", {}))
        if status is not None:
            annotations["k8s.v1.cni.cncf.io/network-status"] = json.dumps(status)
        return str(self.cluster.add_pod(name, annotations=annotations, **options)["metadata"]["uid"])

    def add_node(self, name: str, ready: str = "True", since: str = "2020-01-01T00:00:00Z", **spec: Any) -> str:
        full = f"{self.cluster.namespace}-{name}"
        self.cluster.create("nodes", full, spec=spec)
        condition = {"type": "Ready", "status": ready, "lastTransitionTime": since}
        path = f"{self.cluster.path('nodes', full)}/status"
        self.cluster.api.merge_patch(path, {"status": {"conditions": [condition]}}).expect(200)
        return full

    def reserve(self, name: str, pod: str, ifname: str = "net1", container: str = "", **known: str) -> str:
        """A peer's reservation or, with what is `known`, one of ours."""
        metadata: dict[str, Any] = {}
        if known:
            attachment = Attachment("net", container, ifname)
            claim, uid, node = known.get("claim", ""), known.get("uid", ""), known.get("node", "")
            lease = Lease(Holder(attachment, pod=self.ref(pod), uid=uid, node=node, claim=claim), (), 1.0)
            labels = {POD_UID: label_value(uid), NODE: label_value(node)}
            metadata["labels"] = {key: value for key, value in labels.items() if value}
            metadata["annotations"] = {HOLDER: json.dumps(lease.to_json())}
        spec = {"podref": self.ref(pod)}
        told = {"ifname": ifname, "containerid": container} if known else {}
        spec |= {key: value for key, value in told.items() if value}
        made = self.cluster.create("overlappingrangeipreservations", name, spec=spec, metadata=metadata)
        return str(made["metadata"]["uid"])

    def reconcile(self, between: Callable[[], object] | None = None, **options: Any) -> Outcome:
        """Both looks at once, with something `between` them."""

        def wait(_: float) -> None:
            if between:
                between()

        with client_of(self.kubeconfig, options.pop("seconds", 60)) as client:
            return reconcile(client, self.cluster.namespace, grace=0, wait=wait, **options)

    def held(self, pool: str = POOL) -> list[str]:
        return sorted(self.cluster.objects("ippools")[pool]["spec"]["allocations"])

    def reserved(self) -> list[str]:
        return sorted(self.cluster.objects("overlappingrangeipreservations"))


def told(outcome: Outcome) -> list[tuple[str, str, str]]:
    """What was done: the action, the address and the reason."""
    rows = [step.to_json() for step in outcome.done]
    return [(row["action"], row["address"], row["why"]) for row in rows]


def left(outcome: Outcome) -> list[tuple[str, str]]:
    """What was left: the action and the reason."""
    return [(step.does, step.why) for step in outcome.left]
