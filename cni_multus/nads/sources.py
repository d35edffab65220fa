"""Where definitions are: in the API, or in files of a node that has none. Each one is asked for once in a request."""

from __future__ import annotations

import os

from cni_multus.cni.document import parse
from cni_multus.cni.errors import CniError, InvalidNetworkConfig
from cni_multus.kube.errors import NotFound, NotServed
from cni_multus.kube.objects import NADS, confirm
from cni_multus.nads.definition import Definition
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cni_multus.kube.client import Client

KIND = "NetworkAttachmentDefinition"
JSON = (".json",)
YAML = (".yaml", ".yml")
DEFAULT_NAMESPACE = "default"
"""Of a definition in a file that names none, as `kubectl apply` has it."""

UNKNOWN = "404 page not found"
"""What an API server says, in plain text, of a kind that it does not know."""

MOST_NAMED = 3
"""How many files that cannot be read are told of, where a definition is in none of the others."""


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
        except NotServed as error:
            if error.said != UNKNOWN and not error.reason:
                raise  # something between us and the API server, which does not know
            self._is_served = False
            return None
        except NotFound:
            return None
        confirm(found, NADS, namespace, name)
        return Definition.parse(found, namespace, name, of_api=True)

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
        broken = "; ".join(self._unreadable[:MOST_NAMED])
        if more := len(self._unreadable[MOST_NAMED:]):
            broken += f"; and {more} more"
        broken = f" (cannot be read: {broken})" if broken else ""
        return f"no API server is configured (kubeconfig), and no file in {self._directory} has it{broken}"


def _documents(path: str, name: str) -> Iterator[dict[str, object]]:
    """The objects of a file that has `name` in it somewhere; a List is taken apart."""
    data = files.read(path, follow=True) or b""
    wanted = name.encode("utf-8", "surrogatepass")
    if wanted not in data:
        return
    if path.endswith(JSON):
        values: Iterable[object] = [parse(data, path)]
    else:
        from cni_multus.nads.manifests import parse_yaml

        values = parse_yaml(data, wanted, path)
    for value in values:
        members = value.get("items") if isinstance(value, dict) else None
        for each in members if isinstance(members, list) else [value]:
            if isinstance(each, dict) and each.get("kind") == KIND:
                yield each


def _names(document: dict[str, object]) -> tuple[object, object]:
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return "", ""
    return metadata.get("namespace") or DEFAULT_NAMESPACE, metadata.get("name")
