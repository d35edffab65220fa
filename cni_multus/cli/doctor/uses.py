"""Which plugins anything on this node names, and where: configurations, definitions in files, records."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.attachment import network_name, plugins_of
from cni_multus.cli.site import conf_files
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient

META = ("multus", "multus-shim")


@dataclass(frozen=True)
class Use:
    """A plugin's section; `where` names it, `network` is its network's name, `primary` whether all pods have it."""

    where: str
    network: str
    section: Section
    primary: bool = False

    @property
    def kind(self) -> str:
        """The plugin's type."""
        return text(self.section, "type")

    @property
    def ipam(self) -> Section:
        """Its IPAM; empty where there is none."""
        value = self.section.raw.get("ipam")
        return Section(value if isinstance(value, dict) else {})


def uses(patient: Patient) -> Iterator[Use]:
    """Each once: what the node's configuration names, then the files of networks, then what is on record."""
    seen: set[str] = set()
    for use in (*_of_ours(patient), *_of_networks(patient), *_of_definitions(patient), *_of_records(patient)):
        key = repr((use.network, sorted(use.section.raw.items(), key=str)))
        if key not in seen and use.kind not in META:
            seen.add(key)
            yield use


def primary_file(patient: Patient) -> str:
    """The path, as this process has it, of the primary's file that our configuration names; "" where it names none."""
    name = text(patient.site.config, "clusterNetwork")
    return patient.site.path(name) if name.startswith("/") else ""


def text(section: Section, key: str) -> str:
    """A value that should be a text; "" where it is none."""
    try:
        return section.text(key)
    except CniError:
        return ""


def _of_ours(patient: Patient) -> Iterator[Use]:
    ours, path = patient.ours, primary_file(patient)
    if ours is None:
        return
    delegates = patient.site.config.raw.get("delegates")
    for at, delegate in enumerate(delegates if isinstance(delegates, list) else []):
        if isinstance(delegate, dict):
            yield from _members(f"{ours.path}, delegates[{at}]", delegate, primary=at == 0)
    if path:
        try:
            yield from _members(path, parse_object(files.read(path, follow=True) or b"", path), primary=True)
        except CniError:
            return  # that is a finding of its own


def _of_networks(patient: Patient) -> Iterator[Use]:
    directory = patient.site.path(patient.site.settings.conf_dir)
    if not os.path.isdir(directory):
        return
    for file in conf_files(directory):
        if file.document is not None:
            yield from _members(file.path, file.document.raw)


def _of_definitions(patient: Patient) -> Iterator[Use]:
    for one in patient.defined:
        if one.network is not None:
            yield from (Use(f"definition {one.label}", one.network.name, plugin) for plugin in one.network.plugins)


def _of_records(patient: Patient) -> Iterator[Use]:
    for known in patient.node.known:
        for attachment in known.record.attachments if known.record else ():
            for plugin in plugins_of(attachment):
                yield Use(f"pod {known.pod or known.container_id}", network_name(attachment), plugin)


def _members(where: str, document: dict[str, object], *, primary: bool = False) -> Iterator[Use]:
    name = document.get("name")
    plugins = document.get("plugins")
    for plugin in plugins if isinstance(plugins, list) else [document]:
        if isinstance(plugin, dict):
            yield Use(where, name if isinstance(name, str) else "", Section(plugin), primary)
