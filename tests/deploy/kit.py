"""kubectl, what it renders, and an administrator's way to the API server of the tests."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.cluster.kubeconfig import Credentials, kubeconfig
from tools.crikit import crikit

if TYPE_CHECKING:
    from tests.cluster.apiserver import Address

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "conf" / "deploy"
BASE = DEPLOY / "base"
OVERLAYS = sorted((DEPLOY / "overlays").iterdir())
NAMESPACE = "kube-system"

Document = dict[str, Any]


def kubectl(*arguments: str, told: str | None = None) -> str:
    """What it prints."""
    command = [str(crikit().program("kubectl")), *arguments]
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def rendered(directory: Path) -> str:
    """What kustomize makes of a directory."""
    return kubectl("kustomize", str(directory))


def documents(text: str) -> list[Document]:
    return [document for document in yaml.safe_load_all(text) if document]


def of_kind(text: str, kind: str) -> Document:
    """The only object of a kind."""
    [found] = [document for document in documents(text) if document["kind"] == kind]
    return found


class Admin:
    """kubectl with all rights."""

    def __init__(self, server: Address, directory: Path) -> None:
        self.server = server
        self._kubeconfig = directory / "admin"
        self._kubeconfig.write_text(kubeconfig(server.url, server.ca, Credentials(token=server.token)))

    def kubectl(self, *arguments: str, told: str | None = None) -> str:
        return kubectl(
            f"--kubeconfig={self._kubeconfig}", f"--cache-dir={self._kubeconfig}.cache", *arguments, told=told
        )

    def apply(self, text: str, *options: str) -> list[Document]:
        """Let the server have these objects; what it made of them."""
        done = self.kubectl("apply", "--server-side", "--filename=-", "--output=json", *options, told=text)
        return items(done)

    def token(self, account: str = "multus", namespace: str = NAMESPACE) -> str:
        """A token of a service account, as the kubelet asks for one."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
        return str(self.server.api.post(path, request).expect(201)["status"]["token"])


def items(text: str) -> list[Document]:
    """Objects that kubectl prints as JSON: one, several behind each other, or a list."""
    decoder, at = json.JSONDecoder(), 0
    found: list[Document] = []
    while at < len(text.rstrip()):
        document, end = decoder.raw_decode(text, at)
        found += document["items"] if document["kind"] == "List" else [document]
        at = end + len(text[end:]) - len(text[end:].lstrip())
    return found
