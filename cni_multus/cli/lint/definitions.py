"""NetworkAttachmentDefinitions, and the configuration that each holds as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.lint import refusals
from cni_multus.cli.lint.schemas import check_schema
from cni_multus.cli.lint.tree import Tree, parse_json
from cni_multus.cni.config import Section
from cni_multus.cni.document import NotJson
from cni_multus.cni.errors import CniError
from cni_multus.nads.bounded import refuse_excess
from cni_multus.nads.confined import refuse_foreign_paths
from cni_multus.nads.definition import RESOURCE, Definition
from cni_multus.selection.names import wrong_with_namespace, wrong_with_object_name

if TYPE_CHECKING:
    from cni_multus.cli.lint.findings import Report
    from cni_multus.cli.lint.multusconf import MultusConf
    from cni_multus.cli.lint.network import Networks

VERSION = "1.0.0"
"""Of a configuration without one: it has that of multus's configuration, which usually says so."""


def report_repeated(report: Report, tree: Tree) -> None:
    """Keys of JSON that stand twice in an object."""
    for steps, at in tree.repeated:
        message = f"{steps[-1]!r} stands there already: the last one counts"
        report.add_at("duplicate-key", tree.text.file, tree.text.spot(at), message)


class Definitions:
    """Looks at definitions; `known` are their namespaces and names."""

    def __init__(self, report: Report, networks: Networks) -> None:
        self.report = report
        self.networks = networks
        self.known: set[tuple[str, str]] = set()
        self._waiting: list[tuple[Tree, Definition]] = []

    def finish(self, confs: list[MultusConf]) -> None:
        """Look at what the definitions hold, with what the configurations of multus say of all of them."""
        allowed = tuple(path for conf in confs for path in conf.nad_paths)
        version = next((conf.version for conf in confs if conf.version), VERSION)
        for config, definition in self._waiting:
            self._config(config, definition, version, allowed)

    def check(self, tree: Tree) -> None:
        """Look at an object; what it holds waits for the others."""
        metadata = tree.at("metadata").value
        metadata = metadata if isinstance(metadata, dict) else {}
        name, said = metadata.get("name"), metadata.get("namespace")
        for key, value, wrong_with in (
            ("name", name, wrong_with_object_name),
            ("namespace", said, wrong_with_namespace),
        ):
            if isinstance(value, str) and (why := wrong_with(value)):
                self.report.add("bad-name", tree, ("metadata", key), why)
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict) and not isinstance(annotations.get(RESOURCE, ""), str):
            self.report.add("not-text", tree, ("metadata", "annotations", RESOURCE), f"{RESOURCE} must be text")
        config = tree.at("spec", "config")
        if isinstance(config.value, dict):
            mend = "write `config: |`, and the configuration as JSON below it"
            self.report.add(
                "not-text", tree, ("spec", "config"), "spec.config must be text, and is an object", mend=mend
            )
        check_schema(self.report, tree, "network-attachment-definition")
        if not isinstance(name, str):
            return
        resource = str(annotations.get(RESOURCE, "")) if isinstance(annotations, dict) else ""
        namespace = said if isinstance(said, str) and said else "default"
        self.known.add((namespace, name))
        if isinstance(config.value, str) and config.value.strip():
            self._waiting.append((config, Definition(namespace, name, config.value, resource)))

    def _config(self, config: Tree, definition: Definition, version: str, allowed: tuple[str, ...]) -> None:
        text = config.string()
        try:
            tree = parse_json(text, "spec.config")
        except NotJson as error:
            place = text.spot(len(text.content) if error.at is None else error.at)
            self.report.add_at("json-syntax", text.file, place, f"spec.config is not JSON: {error.why}")
            return
        except CniError as error:
            self.report.add_at("json-syntax", text.file, text.spot(0), error.message)
            return
        report_repeated(self.report, tree)
        if not isinstance(tree.value, dict):
            self.report.add("bad-type", tree, (), "spec.config must be a JSON object")
            return
        for refuse in (refuse_excess, lambda section: refuse_foreign_paths(section.raw, allowed)):
            try:
                refuse(Section(tree.value))
            except CniError as error:
                self.report.add(refusals.rule_of(error), tree, refusals.around(error, tree), error.message)
        self.networks.check(
            tree, name=definition.own_name, version=version, label=definition.label, device=bool(definition.resource)
        )
