"""Where definitions are: in the API, or in files of a node that has none. Each one is asked for once in a request."""

from __future__ import annotations

import os

from cni_multus.cni.document import LARGEST, parse
from cni_multus.cni.errors import CniError, InvalidNetworkConfig
from cni_multus.kube.errors import NotFound, NotServed
from cni_multus.kube.objects import NADS
from cni_multus.nads.definition import Definition
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.kube.client import Client

KIND = "NetworkAttachmentDefinition"
JSON = (".json",)
YAML = (".yaml", ".yml")
DEFAULT_NAMESPACE = "default"
"""Of a definition in a file that names none, as `kubectl apply` has it."""


class NoDefinition(InvalidNetworkConfig):
    """There is no definition of that name."""


class Definitions:
    """`find` is what a request asks; `_look` is where the kinds of sources differ."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Definition | None] = {}

    def find(self, namespace: str, name: str) -> Definition:
        """The definition; raises NoDefinition, or why it cannot be read."""
        found = self.find_any(namespace, name)
        if found is None:
            raise NoDefinition(
                f"cannot find a network-attachment-definition ({name}) in namespace ({namespace}): {self._absence()}"
            )
        return found

    def find_any(self, namespace: str, name: str) -> Definition | None:
        """The same, None where there is none."""
        key = (namespace, name)
        if key not in self._found:
            self._found[key] = self._look(namespace, name)
        return self._found[key]

    def _look(self, namespace: str, name: str) -> Definition | None:
        raise NotImplementedError

    def _absence(self) -> str:
        raise NotImplementedError


class ApiDefinitions(Definitions):
    """Those of the cluster: one GET for each."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        super().__init__()
        self._connect = connect
        self._is_served = True

    def _look(self, namespace: str, name: str) -> Definition | None:
        try:
            found = self._connect().get(NADS.path(namespace, name))
        except NotServed:
            self._is_served = False
            return None
        except NotFound:
            return None
        return Definition.parse(found, namespace, name)

    def _absence(self) -> str:
        if not self._is_served:
            return "the API server does not know this kind of objects; its CRD has to be installed"
        return "the API server has none of that name"


class FileDefinitions(Definitions):
    """Manifests in a directory of the node, as one would give them to kubectl: JSON, or YAML with several documents."""

    def __init__(self, directory: str) -> None:
        super().__init__()
        self._directory = directory
        self._unreadable: list[str] = []

    def _look(self, namespace: str, name: str) -> Definition | None:
        self._unreadable = []
        for file in sorted(files.names(self._directory)):
            if not file.endswith((*JSON, *YAML)):
                continue
            try:
                for document in _documents(os.path.join(self._directory, file), name):
                    if _names(document) == (namespace, name):
                        return Definition.parse(document, namespace, name)
            except CniError as error:
                self._unreadable.append(error.message)
        return None

    def _absence(self) -> str:
        broken = f" (cannot be read: {'; '.join(self._unreadable)})" if self._unreadable else ""
        return f"no API server is configured (kubeconfig), and no file in {self._directory} has it{broken}"


def _documents(path: str, name: str) -> Iterator[dict[str, object]]:
    """The objects of a file that has `name` in it somewhere; a List is taken apart."""
    data = files.read(path, follow=True) or b""
    if name.encode("utf-8", "surrogateescape") not in data:
        return
    values = [parse(data, path)] if path.endswith(JSON) else _parse_yaml(data, path)
    for value in values:
        members = value.get("items") if isinstance(value, dict) else None
        for each in members if isinstance(members, list) else [value]:
            if isinstance(each, dict) and each.get("kind") == KIND:
                yield each


def _parse_yaml(data: bytes, path: str) -> list[object]:
    import yaml  # 25 ms, for nodes whose operator prefers it to JSON

    if len(data) > LARGEST:
        raise InvalidNetworkConfig(f"{path} is larger than {LARGEST >> 20} MiB")
    try:
        return list(yaml.safe_load_all(data))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:300]
        raise InvalidNetworkConfig(f"{path} is not YAML: {said}") from error


def _names(document: dict[str, object]) -> tuple[str, str]:
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return "", ""
    return str(metadata.get("namespace") or DEFAULT_NAMESPACE), str(metadata.get("name") or "")
