"""A case's definitions and pods in an API server, under the names that the case gives them.

Others use the same names in the same namespaces of the same server: a lease for each definition says whose turn it is.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.client import Client

Case = dict[str, Any]

STATUS = "k8s.v1.cni.cncf.io/network-status"
OLDER_STATUS = "k8s.v1.cni.cncf.io/networks-status"
PATIENCE = 60.0
"""Seconds until an Event has to be there."""

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"


@contextmanager
def turn(api: Client, case: Case, patience: float = 250) -> Iterator[None]:
    """Nobody else who asks for it has definitions of these names meanwhile."""
    deadline = time.monotonic() + patience
    with ExitStack() as taken:
        for name in sorted({f"{network['namespace']}.{network['name']}" for network in case["networks"]}):
            while (reply := api.post(LEASES, {"metadata": {"name": name}})).status != HTTPStatus.CREATED:
                assert time.monotonic() < deadline, reply.message
                time.sleep(0.1)
            taken.callback(api.delete, f"{LEASES}/{name}")
        yield


class Asked:
    """The definitions, from start to end, and the pods that were asked for; `adapted` changes a configuration."""

    def __init__(self, case: Case, api: Client, adapted: Callable[[Case], Case] | None = None) -> None:
        self._case = case
        self._api = api
        self._adapted = adapted
        self._opened = ExitStack()

    def __enter__(self) -> Asked:
        with self._opened as opened:
            opened.enter_context(turn(self._api, self._case))
            for namespace in {each["namespace"] for each in (*self._case["networks"], *self._case["pods"])}:
                self._api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})  # it may be there
            for network in self._case["networks"]:
                self._define(network)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def pod(self, told: Case) -> str:
        """Ask for a pod; its UID."""
        metadata = {"name": told["name"], "annotations": told["annotations"]}
        spec = {"nodeName": "node1", "containers": [{"name": "main", "image": "none"}]}
        created = self._api.post(pods(told), {"metadata": metadata, "spec": spec}).expect(201)
        self._opened.callback(self._api.delete, pod(told), {"gracePeriodSeconds": 0})
        return str(created["metadata"]["uid"])

    def identity(self, told: Case) -> str:
        """What a runtime says in CNI_ARGS to tell a pod."""
        uid = self._api.get(pod(told)).expect(200)["metadata"]["uid"]
        return identity(told, uid)

    def annotations(self, told: Case) -> dict[str, str]:
        """Those that a pod has by now."""
        return dict(self._api.get(pod(told)).expect(200)["metadata"]["annotations"])

    def status(self, told: Case) -> list[Case]:
        """What a pod got, as the annotation says."""
        found: list[Case] = json.loads(self.annotations(told)[STATUS])
        return found

    def event(self, told: Case, reason: str) -> Case:
        """The first event of this kind about a pod, awaited."""
        selector = quote(f"involvedObject.name={told['name']},reason={reason}")
        path = f"/api/v1/namespaces/{told['namespace']}/events?fieldSelector={selector}"
        deadline = time.monotonic() + PATIENCE
        while not (found := self._api.get(path).expect(200)["items"]):
            assert time.monotonic() < deadline, f"no event {reason} of {told['name']}"
            time.sleep(0.1)
        return dict(found[0])

    def _define(self, network: Case) -> None:
        path = f"/apis/k8s.cni.cncf.io/v1/namespaces/{network['namespace']}/network-attachment-definitions"
        self._api.post(path, document_of(network, self._adapted)).expect(201)
        self._opened.callback(self._api.delete, f"{path}/{network['name']}")


def document_of(network: Case, adapted: Callable[[Case], Case] | None = None) -> Case:
    """A NetworkAttachmentDefinition."""
    config = network["config"]
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {key: network[key] for key in ("namespace", "name", "annotations") if key in network},
        "spec": {"config": json.dumps(adapted(json.loads(config))) if adapted else config},
    }


def identity(told: Case, uid: str) -> str:
    """What a runtime says in CNI_ARGS to tell a pod."""
    return f"IgnoreUnknown=1;K8S_POD_NAMESPACE={told['namespace']};K8S_POD_NAME={told['name']};K8S_POD_UID={uid}"


def pods(told: Case) -> str:
    """Where the pods of its namespace are."""
    return f"/api/v1/namespaces/{told['namespace']}/pods"


def pod(told: Case) -> str:
    """Where it is."""
    return f"{pods(told)}/{told['name']}"
