"""Answers in the API server's place, and ADDs that fail by them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.kubernetes.site import NETWORKS

if TYPE_CHECKING:
    from tests.kubernetes.site import Member, Site

    Document = dict[str, Any]

PATIENCE = 5.0


def changed(document: Document, **metadata: object) -> Document:
    return {**document, "metadata": {**document["metadata"], **metadata}}


def of_pod(pod: Member, networks: object = "red") -> Document:
    metadata = {"name": pod.name, "namespace": pod.site.cluster.namespace, "uid": pod.uid}
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {**metadata, "annotations": {NETWORKS: networks}},
    }


def of_network(site: Site, config: object = '{"type": "macvlan"}', name: str = "red") -> Document:
    return {
        "kind": "NetworkAttachmentDefinition",
        "apiVersion": "k8s.cni.cncf.io/v1",
        "metadata": {"name": name, "namespace": site.cluster.namespace},
        "spec": {"config": config},
    }


def failing(site: Site, pod: Member, method: str, path: str, *, settings: Document | None = None, **what: Any) -> str:
    """The code and the message of an ADD to which the server's answers are disturbed; nothing is left of it."""
    disturbance = site.road.disturb(method, path, times=-1, **what)
    begun = time.monotonic()
    answer = site.call("ADD", settings or site.config(apiTimeout=1), pod)
    assert time.monotonic() - begun < PATIENCE, what
    site.road.disturbances.remove(disturbance)
    assert answer.status == 1, (what, answer.stdout)
    message = answer.failed(answer.document["code"])
    assert message == message.strip()
    assert len(message) <= 5000
    left = site.node.remains(pod)
    assert not left, (what, left)
    if method == "GET":
        assert not site.node.links(), what
    return f"{answer.document['code']} {message}"
