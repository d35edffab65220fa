"""What a document is: told by its members, as those who read it tell it, and given to who knows it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cli.lint.definitions import Definitions, report_repeated
from cni_multus.cli.lint.multusconf import MultusConf
from cni_multus.cli.lint.network import Networks
from cni_multus.cli.lint.pods import TEMPLATES, Pods
from cni_multus.cli.lint.schemas import check_schema
from cni_multus.cli.lint.tree import Text, Tree, parse_json
from cni_multus.cli.lint.yamltext import OCTAL, NotYaml, YamlTree, parse_yaml
from cni_multus.cni.config import Section
from cni_multus.cni.document import NotJson
from cni_multus.cni.errors import CniError

if TYPE_CHECKING:
    from cni_multus.cli.lint.document import Document, Options
    from cni_multus.cli.lint.findings import Report
    from cni_multus.cli.lint.tree import Steps

YAML = (".yaml", ".yml")
NAD = "NetworkAttachmentDefinition"
MOST_ITEMS = 100_000
_FLAT_FILE = ("datastore", "kubernetes", "reconciler_cron_expression", "log_file", "node_slice_size", "range")


class Reader:
    """Reads documents one after another; `finish` looks at what had to wait for the others."""

    def __init__(self, report: Report, options: Options) -> None:
        self.report = report
        self.networks = Networks(report, options)
        self.pods = Pods(report)
        self.confs: list[MultusConf] = []
        self.definitions = Definitions(report, self.networks)
        self._waiting: list[tuple[Tree, Document]] = []

    def read(self, document: Document) -> None:
        """Look at one file."""
        if document.trouble:
            self.report.add_at("unreadable", document.file, (1, 1), document.trouble)
            return
        try:
            content = document.data.decode()
        except UnicodeDecodeError as error:
            content = document.data.decode("utf-8", "replace")
            at = len(document.data[: error.start].decode())
            place = Text(document.file, content).spot(at)
            message = f"it is not UTF-8: byte {error.start} is {document.data[error.start]:#04x}"
            self.report.add_at("json-syntax", document.file, place, message)
            return
        text = Text(document.file, content)
        if _is_json(document.file, content):
            self._json(text, document)
        else:
            self._yaml(text, document)

    def finish(self) -> None:
        """Networks of lists: they may have members in files that came later."""
        for tree, document in self._waiting:
            self._network(tree, document)
        self.definitions.finish(self.confs)
        self.pods.finish(max((conf.delegates for conf in self.confs), default=1))

    def _json(self, text: Text, document: Document) -> None:
        try:
            tree = parse_json(text, "the file")
        except NotJson as error:
            at = len(text.content) if error.at is None else error.at
            self.report.add_at("json-syntax", text.file, text.spot(at), error.why)
        except CniError as error:
            self.report.add_at("json-syntax", text.file, (1, 1), error.message)
        else:
            report_repeated(self.report, tree)
            self._document(tree, document)

    def _yaml(self, text: Text, document: Document) -> None:
        try:
            for tree in parse_yaml(text):
                if tree.value is not None:
                    self._document(tree, document)
        except NotYaml as error:
            place = (error.line + 1, error.column + 1)
            line = text.content.splitlines()[error.line : error.line + 1]
            if "{{" in text.content:
                self.report.add_at(
                    "template", text.file, place, "it has {{ in it, and is no YAML before it is rendered"
                )
            elif line and "\t" in line[0][: error.column + 1]:
                self.report.add_at("yaml-tab", text.file, place, f"a tab stands where YAML wants blanks: {error.why}")
            else:
                self.report.add_at("yaml-syntax", text.file, place, error.why)

    def _document(self, tree: Tree, document: Document) -> None:
        value = tree.value
        if not isinstance(value, dict):
            self._unknown(tree, document, "it is no object")
        elif "apiVersion" in value and "kind" in value:
            self._object(tree, document)
        elif isinstance(tree, YamlTree):
            has = "a configuration of CNI, which must be JSON" if "cniVersion" in value else "no object of the API"
            self._unknown(tree, document, f"it is {has}")
        elif "json-schema.org" in str(value.get("$schema", "")):
            return  # a schema describes others
        elif Section(value).value("type") == "multus" or "plugins" in value or Section(value).has("type"):
            self._configuration(tree, document)
        elif os.path.basename(document.file) == "whereabouts.conf" or any(key in value for key in _FLAT_FILE):
            self._flat_file(tree, document)
        elif "cniVersion" in value and "name" in value:
            self._waiting.append((tree, document))
        else:
            self._unknown(tree, document, "it is neither a CNI configuration nor an object of the API")

    def _unknown(self, tree: Tree, document: Document, why: str) -> None:
        if document.named:
            self.report.add("unknown-kind", tree, (), why)

    def _object(self, tree: Tree, document: Document) -> None:
        assert isinstance(tree.value, dict)
        kind = tree.value["kind"]
        if isinstance(kind, str) and kind.endswith("List") and isinstance(tree.value.get("items"), list):
            for at, item in enumerate(tree.value["items"][:MOST_ITEMS]):
                if isinstance(item, dict):
                    inner = tree.at("items", at)
                    item.setdefault("kind", kind.removesuffix("List"))
                    self._object(inner, document)
        elif kind == NAD:
            self._traps(tree, ())
            self.definitions.check(tree)
        elif isinstance(kind, str) and kind in TEMPLATES:
            steps = TEMPLATES[kind]
            self._traps(tree, (*steps, "metadata"))
            self.pods.check(tree, steps, kind)
        else:
            self._unknown(tree, document, f"objects of kind {kind} are not looked at")

    def _traps(self, tree: Tree, within: Steps) -> None:
        """What YAML takes for something else, where it matters here."""
        top = (*tree.prefix, *within)
        for steps, at in tree.repeated:
            if steps[: len(top)] == top:
                message = f"{steps[-1]!r} stands there already, which kubectl refuses"
                self.report.add_at("duplicate-key", tree.text.file, tree.text.spot(at), message)
        for trap in tree.traps:
            if trap.steps[: len(top)] != top:
                continue
            rule = "yaml-octal" if trap.kind == OCTAL else "yaml-word"
            message = f"{trap.written} is {trap.value!r} to YAML"
            self.report.add_at(rule, tree.text.file, tree.spot(trap.steps[len(tree.prefix) :]), message)

    def _configuration(self, tree: Tree, document: Document) -> None:
        assert isinstance(tree.value, dict)
        if Section(tree.value).value("type") == "multus":
            self.confs.append(MultusConf.check(tree, self.report, self.networks))
            return
        where = tree.find("plugins")
        listed = tree.value.get(where)
        for at, plugin in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(plugin, dict) and Section(plugin).value("type") == "multus":
                self.confs.append(MultusConf.check(tree.at(where, at), self.report, self.networks, outer=tree))
                return
        self._waiting.append((tree, document))

    def _network(self, tree: Tree, document: Document) -> None:
        """A list, or a single plugin, which may be a part of the list that its directory is called after."""
        assert isinstance(tree.value, dict)
        config = Section(tree.value)
        folder = os.path.basename(os.path.dirname(document.file))
        if not config.has("plugins") and not config.has("type"):
            return  # a list whose plugins are in files
        name = "" if config.has("name") else self._list_called(folder)
        self.networks.check(tree, name=name, version="1.0.0" if name else "", follows=1 if name else 0)

    def _list_called(self, folder: str) -> str:
        for tree, _ in self._waiting:
            if isinstance(tree.value, dict) and folder and Section(tree.value).value("name") == folder:
                return folder
        return ""

    def _flat_file(self, tree: Tree, document: Document) -> None:
        check_schema(self.report, tree, "whereabouts-flat-file")


def _is_json(file: str, content: str) -> bool:
    first = content.lstrip("\ufeff \t\r\n")[:1]
    return (first == "{" and not file.endswith(YAML)) or (
        not file.endswith(YAML) and file.endswith((".json", ".conf", ".conflist"))
    )
