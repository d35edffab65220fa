"""What `multus lint` says of the files that this node works by, and of the definitions that the API server has."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.configuration import refusal
from cni_multus.cli.doctor.finding import ERROR, WARNING, Check, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient
    from cni_multus.cli.lint.document import Document

_OTHERS = frozenset(("json-syntax", "yaml-syntax", "yaml-tab", "unreadable", "unknown-type", "mtu-over-master"))
"""Rules that checks of their own are about, which know the node."""
_OF_THE_API = "foreign-path"
"""A rule for definitions that somebody without rights on the node has written."""


def linted(patient: Patient) -> Iterator[Finding]:
    """Each error and each warning, a finding."""
    from cni_multus.cli.lint import api

    severities = {api.ERROR: ERROR, api.WARNING: WARNING}
    broken = {file.path for file in patient.files if file.trouble}
    broken |= {one.where for one in patient.defined if one.trouble}  # a finding of their own
    if patient.ours and refusal(patient):
        broken.add(patient.ours.path)
    files = patient.site.path(patient.nad_dir)
    for each in api.lint(_documents(patient)):
        if each.level not in severities or each.file in broken or each.rule in _OTHERS:
            continue
        if each.rule != _OF_THE_API or not each.file.startswith(f"{files}/"):
            yield Finding(
                severities[each.level],
                f"{each.file}:{each.line}:{each.column}: {each.message}",
                [f"multus lint {each.file}: {each.rule}"],
                "pods with that network do not start" if each.level == api.ERROR else "what stands there does nothing",
                each.mend or "correct it",
            )


def _documents(patient: Patient) -> Iterator[Document]:
    from cni_multus.cli.lint.document import Document
    from cni_multus.cli.lint.sources import documents

    settings = patient.site.settings
    paths = [patient.ours.path] if patient.ours else []
    paths += [patient.site.path(path) for path in (settings.conf_dir, patient.nad_dir)]
    there = [path for path in dict.fromkeys(paths) if os.path.exists(path) and path != patient.site.conf_dir]
    yield from documents(there)
    for document in patient.api_definitions:
        metadata = document.get("metadata")
        named = metadata if isinstance(metadata, dict) else {}
        name = f"definition {named.get('namespace')}/{named.get('name')}"
        kind = {"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition"}
        yield Document(name, json.dumps({**document, **kind}).encode())


CHECKS = (Check("lint", "files and definitions say what somebody reads", linted),)
