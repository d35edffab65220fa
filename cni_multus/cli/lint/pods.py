"""Pods and whatever has a pod's template: their annotations, and the networks that they select."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.lint.schemas import check_keys
from cni_multus.cli.lint.tree import parse_json
from cni_multus.cni.errors import CniError
from cni_multus.defaultroute import Wanted, refuse_conflicts
from cni_multus.selection import DEFAULT_NETWORK, NETWORKS
from cni_multus.selection.annotations import parse_default_network, parse_networks

if TYPE_CHECKING:
    from cni_multus.cli.lint.findings import Report
    from cni_multus.cli.lint.tree import Steps, Text, Tree
    from cni_multus.selection.selected import Selection

TEMPLATES: dict[str, Steps] = {
    "Pod": (),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "PodTemplate": ("template",),
    **dict.fromkeys(
        (
            "DaemonSet",
            "Deployment",
            "Job",
            "ReplicaSet",
            "ReplicationController",
            "StatefulSet",
            "VirtualMachine",
            "VirtualMachineInstanceReplicaSet",
        ),
        ("spec", "template"),
    ),
}
"""Where the pod's metadata is."""

_PLACE = re.compile(r"line (\d+), column (\d+)")


@dataclass(frozen=True)
class Selected:
    """A network that a pod selects, and where that stands."""

    selection: Selection
    file: str
    place: tuple[int, int]
    pod: str
    namespace: str
    number: int
    """1 is the first of `networks`, 0 the default network."""


class Pods:
    """Looks at pods, and keeps what they select."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.pods: list[list[Selected]] = []

    def check(self, tree: Tree, steps: Steps, kind: str) -> None:
        """Look at an object of the API that makes pods."""
        metadata = tree.at(*steps, "metadata")
        if not isinstance(metadata.value, dict):
            return
        top = tree.at("metadata").value
        said = top.get("namespace") if isinstance(top, dict) else None
        namespace = said if isinstance(said, str) else "default"
        name = f"{kind} {top.get('name', '') if isinstance(top, dict) else ''}".strip()
        annotations = metadata.at("annotations")
        if annotations.value is None:
            return
        if not isinstance(annotations.value, dict):
            self.report.add("not-text", annotations, (), "annotations must be an object of texts")
            return
        found: list[Selected] = []
        for annotation in (DEFAULT_NETWORK, NETWORKS):
            found += self._annotation(annotations, annotation, namespace, name)
        if found:
            self.pods.append(found)

    def finish(self, delegates: int) -> None:
        """Hold what each pod selects against the rest; `delegates` networks come before those of the annotation."""
        for found in self.pods:
            self._conflicts(found, delegates)

    def _annotation(self, annotations: Tree, annotation: str, namespace: str, pod: str) -> list[Selected]:
        assert isinstance(annotations.value, dict)
        value = annotations.value.get(annotation)
        if value is None:
            return []
        if not isinstance(value, str):
            self.report.add("not-text", annotations, (annotation,), f"annotation {annotation} must be text")
            return []
        text = annotations.at(annotation).string()
        try:
            if annotation == NETWORKS:
                selections = parse_networks(value, namespace)
            else:
                first = parse_default_network(value, "kube-system")
                selections = [first] if first else []
        except CniError as error:
            rule = "same-interface" if "the interface is to be called" in error.message else "bad-annotation"
            self.report.add_at(rule, text.file, _place(text, error.message), error.message)
            return []
        self._keys(text)
        first_number = 1 if annotation == NETWORKS else 0
        return [
            Selected(each, text.file, _place(text, each.where), pod, namespace, number)
            for number, each in enumerate(selections, first_number)
        ]

    def _keys(self, text: Text) -> None:
        try:
            tree = parse_json(text, "the annotation")
        except CniError:
            return  # names with commas between, or a comma too many
        check_keys(self.report, tree, "networks-annotation")

    def _conflicts(self, found: list[Selected], delegates: int) -> None:
        taken: dict[str, Selected] = {}
        for one in found:
            ifname = one.selection.ifname or (f"net{one.number + delegates - 1}" if one.number else "eth0")
            if ifname in taken:
                other = taken[ifname].selection
                message = f"interface {ifname}: networks {other.name} and {one.selection.name} would both make it"
                self.report.add_at("same-interface", one.file, one.place, message)
            taken.setdefault(ifname, one)
        asked = [one for one in found if one.selection.default_route]
        try:
            refuse_conflicts([Wanted(one.selection.name, one.selection.default_route) for one in asked])
        except CniError as error:
            self.report.add_at("default-route-twice", asked[-1].file, asked[-1].place, error.message)


def _place(text: Text, message: str) -> tuple[int, int]:
    """The place in the file that a message about an annotation names, in the annotation's text."""
    found = _PLACE.search(message)
    if not found:
        return text.spot(0)
    return text.spot(text.offset(int(found[1]) - 1, int(found[2]) - 1))
