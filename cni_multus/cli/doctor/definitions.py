"""Definitions of networks that pods of this node may ask for: files of nadDir, and what the API server has."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError
from cni_multus.multus.kubernetes import NAD_DIR
from cni_multus.nads.definition import Definition
from cni_multus.nads.sources import DEFAULT_NAMESPACE, JSON, KIND, YAML
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient
    from cni_multus.cni.config import Section
    from cni_multus.network import Network

_MOST = 2000
"""Definitions of the API that are looked at."""


@dataclass(frozen=True)
class Defined:
    """A definition and its network; `trouble` is why it has none, `where` its file or what the API calls it."""

    where: str
    label: str
    network: Network | None
    trouble: str = ""


def defined(patient: Patient) -> Iterator[Defined]:
    """Each one that can be found; what cannot be asked is a note."""
    for where, document in (*_of_files(patient), *_of_the_api(patient)):
        if isinstance(document, str):
            yield Defined(where, where, None, document)
            continue
        metadata = document.get("metadata")
        named = metadata if isinstance(metadata, dict) else {}
        namespace, name = str(named.get("namespace") or DEFAULT_NAMESPACE), str(named.get("name") or "")
        label = f"{namespace}/{name}"
        try:
            definition = Definition.parse(document, namespace, name, of_api=not where.startswith("/"))
            network = definition.network(
                patient.site.path(patient.site.settings.conf_dir), "", lambda _: None, patient.site.settings.nad_paths
            )
            yield Defined(where, label, network)
        except CniError as error:
            yield Defined(where, label, None, error.message)


def _of_files(patient: Patient) -> Iterator[tuple[str, dict[str, object] | str]]:
    directory = patient.site.path(patient.nad_dir)
    if not os.path.isdir(directory):
        return
    for name in sorted(files.names(directory)):
        path = os.path.join(directory, name)
        if not name.endswith((*JSON, *YAML)):
            continue
        try:
            for document in _documents(path):
                yield path, document
        except (CniError, ValueError) as error:
            yield path, error.message if isinstance(error, CniError) else f"{path}: {error}"


def _documents(path: str) -> Iterator[dict[str, object]]:
    """The definitions of a file; a List is taken apart."""
    import yaml

    data = files.read(path, follow=True) or b""
    try:
        values = [json.loads(data)] if path.endswith(JSON) else list(yaml.safe_load_all(data))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    for value in values:
        members = value.get("items") if isinstance(value, dict) else None
        for each in members if isinstance(members, list) else [value]:
            if isinstance(each, dict) and each.get("kind") == KIND:
                yield each


def _of_the_api(patient: Patient) -> Iterator[tuple[str, dict[str, object] | str]]:
    for at, document in enumerate(patient.api_definitions):
        if at == _MOST:
            patient.note(f"the API server has more than {_MOST} definitions: the rest is not looked at")
            return
        yield "the API server", document


def nad_dir(config: Section) -> str:
    """Where our configuration has definitions in files (nadDir)."""
    value = config.raw.get("nadDir")
    return value if isinstance(value, str) and value.startswith("/") else NAD_DIR
