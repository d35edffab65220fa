"""Kubeconfigs as operators and installers write them."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.pki import Certificate


@dataclass(frozen=True, slots=True)
class Credentials:
    """How somebody is known, and how that is written down."""

    token: str = ""
    token_file: Path | None = None
    certificate: Certificate | None = None
    inline: bool = True
    """Whether certificates stand in the kubeconfig, or are named there."""
    style: str = "yaml"
    """`yaml` or `json`."""


def kubeconfig(server: str, ca: Path, who: Credentials, namespace: str = "") -> str:
    """The text of a kubeconfig with one context."""
    context: dict[str, Any] = {"cluster": "tests", "user": "somebody"}
    if namespace:
        context["namespace"] = namespace
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {"server": server, **file("certificate-authority", ca, who)}}],
        "users": [{"name": "somebody", "user": user(who)}],
        "contexts": [{"name": "tests", "context": context}],
        "current-context": "tests",
    }
    return json.dumps(document) if who.style == "json" else str(yaml.safe_dump(document))


def user(who: Credentials) -> dict[str, str]:
    """The credentials of the one user."""
    if who.certificate:
        certificate = file("client-certificate", who.certificate.certificate, who)
        return certificate | file("client-key", who.certificate.key, who)
    return {"tokenFile": str(who.token_file)} if who.token_file else {"token": who.token}


def file(key: str, path: Path, who: Credentials) -> dict[str, str]:
    """A file, or what is in it."""
    return {f"{key}-data": b64encode(path.read_bytes()).decode()} if who.inline else {key: str(path)}
