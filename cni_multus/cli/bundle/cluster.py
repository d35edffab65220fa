"""What the API server has: definitions of networks, this node's pods that ask for some, our account's rights."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from cni_multus.cli.bundle.piece import Collector, Piece
from cni_multus.cni.errors import CniError
from cni_multus.kube.objects import IP_POOLS, NADS, PODS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.cli.bundle.piece import Place
    from cni_multus.kube.client import Client

PATIENCE = 15.0
_OURS = ("k8s.v1.cni.cncf.io/", "v1.multus-cni.io/", "k8s.cni.cncf.io/", "multus.io/", "cni.projectcalico.org/")
_RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
_NAMESPACES = ("default", "kube-system")
_MOST = 5000


def _objects(place: Place) -> Iterator[Piece]:
    """Each by itself: what one is refused, another may be given."""
    client = place.site.client(PATIENCE)
    if client is None:
        yield Piece("api/unasked", "the API server", trouble="no kubeconfig is named: there is no API server to ask")
        return
    with client:
        yield _asked("api/definitions.json", "definitions of networks", lambda: _definitions(client))
        yield _asked(
            "api/pods.json", "pods of this node that ask for networks", lambda: _pods(client, place.arguments.node)
        )
        yield _asked("api/pools.json", "pools of whereabouts", lambda: _listed(client, IP_POOLS.path()))
        yield _asked("api/rights.json", "what our account may do", lambda: _rights(client))


API = Collector("api", "the API server's objects", _objects, 40.0)


def _asked(name: str, what: str, ask: Callable[[], object]) -> Piece:
    try:
        return Piece(name, what, json.dumps(ask(), indent=2) + "\n")
    except CniError as error:
        return Piece(name, what, trouble=f"{error.message} ({error.details})" if error.details else error.message)


def _listed(client: Client, path: str) -> list[object]:
    found: list[object] = []
    for each in client.list(path):
        found.append(each)
        if len(found) == _MOST:
            break
    return found


def _definitions(client: Client) -> list[object]:
    return [{"metadata": _metadata(each), "spec": each.get("spec")} for each in client.list(NADS.path())]


def _pods(client: Client, node: str) -> list[object]:
    """Names and annotations, nothing of what runs in them."""
    node = node or os.uname().nodename.lower()
    shown: list[object] = []
    for each in client.list(PODS.path(), fields=f"spec.nodeName={node}", metadata_only=True):
        metadata = _metadata(each)
        annotations = metadata["annotations"]
        if isinstance(annotations, dict) and any(key.startswith(_OURS) for key in annotations):
            shown.append(metadata)
    return shown


def _metadata(document: dict[str, object]) -> dict[str, object]:
    """Of annotations that are not about networks only the names."""
    found = document.get("metadata")
    metadata = found if isinstance(found, dict) else {}
    raw = metadata.get("annotations")
    annotations = raw if isinstance(raw, dict) else {}
    kept = {key: value if key.startswith(_OURS) else "[not about networks]" for key, value in annotations.items()}
    names = {key: metadata[key] for key in ("namespace", "name", "uid", "deletionTimestamp") if key in metadata}
    return {**names, "annotations": kept}


def _rights(client: Client) -> object:
    """As `kubectl auth can-i --list` asks for them; a review is made, and nothing is kept of it."""
    found = {}
    for namespace in _NAMESPACES:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        }
        found[namespace] = client.create(_RULES, review, repeatable=True).get("status")
    return found
