"""What is to be explained: the configuration, the pod, and where its networks are defined."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cli.command import UsageError
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse, parse_object
from cni_multus.cni.errors import InvalidNetworkConfig, IoFailure
from cni_multus.multus.kubernetes import Kubernetes
from cni_multus.nads.definition import Definition
from cni_multus.nads.manifests import parse_yaml
from cni_multus.nads.sources import DEFAULT_NAMESPACE, JSON, KIND, YAML, Definitions
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.site import Site
    from cni_multus.cni.request import Request
    from cni_multus.kube.client import Client
    from cni_multus.multus.settings import Settings

STDIN = "-"
MULTUS = "multus"
_OWN = ("name", "cniVersion")
"""What a plugin of a list has from the list."""


@dataclass
class Asked:
    """A pod: `annotations` is None where the API server is to be asked for them."""

    namespace: str
    name: str
    uid: str = ""
    annotations: dict[str, object] | None = None
    runtime: dict[str, object] = field(default_factory=dict)
    """Capabilities that the runtime would hand over besides."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def read_text(path: str) -> bytes:
    """A file, or standard input; raises what is wrong with it."""
    if path == STDIN:
        return sys.stdin.buffer.read()
    data = files.read(path, follow=True)
    if data is None:
        raise IoFailure(f"there is no file {path}")
    return data


def documents(path: str) -> Iterator[dict[str, object]]:
    """The objects of a manifest, or of all that a directory has; lists are taken apart."""
    if path != STDIN and os.path.isdir(path):
        for name in sorted(files.names(path)):
            if name.endswith((*JSON, *YAML)):
                yield from documents(os.path.join(path, name))
        return
    data = read_text(path)
    where = "standard input" if path == STDIN else path
    is_json = data.lstrip()[:1] == b"{"
    for value in [parse(data, where)] if is_json else parse_yaml(data, b"", where):
        members = value.get("items") if isinstance(value, dict) else None
        for each in members if isinstance(members, list) else [value]:
            if isinstance(each, dict):
                yield each


def pod_of_manifest(found: list[dict[str, object]], where: str, namespace: str) -> Asked:
    """The first pod, or what a workload makes pods of; raises InvalidNetworkConfig where there is none."""
    for document in found:
        section = Section(document)
        metadata = section.section("metadata")
        spec = section.section("spec")
        if section.text("kind") == "CronJob":
            spec = spec.section("jobTemplate").section("spec")
        if section.text("kind") != "Pod" and not spec.has("template"):
            continue
        name = metadata.text("name") or metadata.text("generateName") or "pod"
        at = namespace or metadata.text("namespace") or DEFAULT_NAMESPACE
        if section.text("kind") != "Pod":
            metadata, spec = spec.section("template").section("metadata"), spec.section("template").section("spec")
        annotations = metadata.section("annotations").raw
        return Asked(at, name, metadata.text("uid"), annotations, {"portMappings": _port_mappings(spec)})
    raise InvalidNetworkConfig(f"{where} has no Pod, and nothing that makes pods (a spec.template)")


def _port_mappings(spec: Section) -> list[dict[str, object]]:
    """What the kubelet hands over of a pod's hostPorts."""
    mappings: list[dict[str, object]] = []
    for container in spec.sections("containers"):
        for port in container.sections("ports"):
            host, inner = (str(port.value(key) or "") for key in ("hostPort", "containerPort"))
            if host.isdecimal() and inner.isdecimal() and int(host):
                protocol = (port.text("protocol") or "TCP").lower()
                mappings.append({"hostPort": int(host), "containerPort": int(inner), "protocol": protocol})
    return mappings


def configuration(path: str, site: Site) -> Section:
    """The section of multus in a file, or in the node's; any other network is taken for the primary of one."""
    if not path and not site.conf_file:
        raise InvalidNetworkConfig("; ".join(site.trouble) or f"{site.conf_dir} has no configuration of multus")
    document = parse_object(read_text(path or site.conf_file), path or site.conf_file)
    whole = Section(document)
    plugins = whole.sections("plugins") if whole.has("plugins") else (whole,)
    own = next((plugin for plugin in plugins if plugin.text("type") == MULTUS), None)
    if own is None:
        own = Section({"type": MULTUS, "cniDir": site.cni_dir, "binDir": site.bin_dir, "delegates": [document]})
    shared = {key: whole.value(key) for key in _OWN if whole.has(key)}
    return Section({"name": "multus-cni-network", "cniVersion": "1.0.0", **shared, **own.raw})


class Manifests(Definitions):
    """Definitions in files that the command line names."""

    def __init__(self, found: list[dict[str, object]], where: str) -> None:
        super().__init__()
        self.of_api = True
        """Whether they stand for the cluster's, which may not name every file of the node."""
        self._where = where
        self._documents: dict[tuple[str, str], dict[str, object]] = {}
        for document in found:
            if document.get("kind") == KIND:
                metadata = Section(document).section("metadata")
                key = metadata.text("namespace") or DEFAULT_NAMESPACE, metadata.text("name")
                self._documents.setdefault(key, document)

    def _look(self, namespace: str, name: str) -> Definition | None:
        document = self._documents.get((namespace, name))
        return None if document is None else Definition.parse(document, namespace, name, of_api=self.of_api)

    def _absence(self) -> str:
        known = ", ".join(sorted("/".join(key) for key in self._documents)) or "none"
        return f"{self._where} has {known}"


class Cluster(Kubernetes):
    """The cluster as the command line says it is."""

    def __init__(self, request: Request, settings: Settings, site: Site, nads: Manifests | None) -> None:
        super().__init__(request, settings)
        self._site = site
        self._connected: Client | None = None
        if nads is not None:
            nads.of_api = bool(self.kubeconfig or site.kubeconfig)
            self._definitions = nads

    @property
    def has_api(self) -> bool:
        return bool(self._site.kubeconfig)

    def client(self) -> Client:
        if self._connected is None:
            self._connected = self._site.client()
            if self._connected is None:
                raise UsageError("no API server is named, and this needs one: see --kubeconfig")
        return self._connected

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connected is not None:
            self._connected.close()
