"""A tenant: definitions and an annotation of whatever content, on a node that is told both without an API server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cases.scene import ANNOTATIONS
from tests.kubernetes.site import NETWORKS

if TYPE_CHECKING:
    from tests.node import Node

NAMESPACE = "blue"


def define(node: Node, name: str, config: object) -> None:
    """A definition in the pods' namespace, as a file of the node; `config` is text, or becomes JSON."""
    directory = node.root / "nad.d"
    directory.mkdir(exist_ok=True)
    document = {
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"config": config if isinstance(config, str) else json.dumps(config)},
    }
    (directory / f"{name}.json").write_text(json.dumps(document))


def asking(node: Node, networks: object, **more: object) -> dict[str, Any]:
    """00-multus.conf as a runtime hands it over with the pod's annotation, which is text, or becomes JSON."""
    text = networks if isinstance(networks, str) else json.dumps(networks)
    runtime = {"runtimeConfig": {ANNOTATIONS: {NETWORKS: text}}, "nadDir": str(node.root / "nad.d")}
    return node.config(node.bridge(), **runtime, **more)
