"""The node as every check sees it: what is dear to read is read once, when the first check asks for it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from cni_multus.cli.site import conf_files
from cni_multus.cni.errors import CniError

if TYPE_CHECKING:
    from cni_multus.cli.doctor.api import Server
    from cni_multus.cli.doctor.definitions import Defined
    from cni_multus.cli.doctor.uses import Use
    from cni_multus.cli.inspect.gather import Node
    from cni_multus.cli.inspect.sandbox import Sandbox
    from cni_multus.cli.ipam.evidence import Evidence
    from cni_multus.cli.ipam.held import Place
    from cni_multus.cli.site import ConfFile, Site
    from cni_multus.node.receipt import Receipt


@dataclass
class Patient:
    """`notes` fills with what could not be looked at."""

    site: Site
    arguments: argparse.Namespace
    notes: list[str] = field(default_factory=list)
    definitions_failure: CniError | None = None
    """Why the API server told no definitions."""

    @staticmethod
    def of(site: Site, arguments: argparse.Namespace) -> Patient:
        """Where no configuration says where the records are, what was installed says it."""
        patient = Patient(site, arguments)
        receipt = None if site.conf_file or arguments.cni_dir else patient.receipt
        if receipt is not None and receipt.cni_dir:
            patient.site = replace(site, cni_dir=site.path(receipt.cni_dir))
        return patient

    @cached_property
    def knows_records(self) -> bool:
        """Whether it is certain where the records are: else everything would look like nobody's."""
        receipt = self.receipt
        return bool(self.site.conf_file or self.arguments.cni_dir or (receipt and receipt.cni_dir))

    @cached_property
    def files(self) -> list[ConfFile]:
        """What the runtime reads, in its order."""
        return list(conf_files(self.site.conf_dir))

    @cached_property
    def ours(self) -> ConfFile | None:
        """The file by which the runtime calls us."""
        return next((file for file in self.files if "multus" in file.types), None)

    @cached_property
    def receipt(self) -> Receipt | None:
        """What an installation says that it made; None where there is none, or it cannot be read."""
        from cni_multus.node.receipt import Receipt

        try:
            return Receipt.find(self.site.root, self.arguments.bin_dir)
        except CniError as error:
            self.note(error.message)
            return None
        except OSError as error:
            self.note(f"{self.site.bin_dir}: {error.strerror}")
            return None

    @cached_property
    def node(self) -> Node:
        """Records, links and filters, as `multus inspect` reads them."""
        from cni_multus.cli.inspect.gather import Node

        node = Node.look(self.site)
        self.notes += [str(note) for note in node.notes if note.needs or "record" not in note.text]
        return node

    @cached_property
    def sandboxes(self) -> list[Sandbox]:
        """Every sandbox on record, with what the kernel shows of it."""
        from cni_multus.cli.inspect.wanted import Wanted

        found = list(self.node.sandboxes(Wanted.of("")))
        for sandbox in found:
            self.notes += [str(note) for note in sandbox.notes if note.needs]
        return found

    @cached_property
    def server(self) -> Server:
        """The API server, asked once."""
        from cni_multus.cli.doctor.api import Server

        return Server(self)

    @cached_property
    def api_definitions(self) -> list[dict[str, object]]:
        """The definitions that the API server has, as far as it answers."""
        from cni_multus.kube.errors import Refused
        from cni_multus.kube.objects import NADS

        if not self.server.answers or self.server.client is None:
            return []
        try:
            return list(self.server.client.list(NADS.path()))
        except CniError as error:
            self.definitions_failure = error
            if not isinstance(error, Refused):
                self.note(error.message)
            return []

    @property
    def nad_dir(self) -> str:
        """Where definitions are in files (nadDir)."""
        from cni_multus.cli.doctor.definitions import nad_dir

        return nad_dir(self.site.config)

    @cached_property
    def defined(self) -> list[Defined]:
        """The definitions of networks, of files and of the API."""
        from cni_multus.cli.doctor.definitions import defined

        return list(defined(self))

    @cached_property
    def uses(self) -> list[Use]:
        """Every plugin that a configuration, or a record, names."""
        from cni_multus.cli.doctor.uses import uses

        return list(uses(self))

    @cached_property
    def places(self) -> list[Place]:
        """Where addresses are recorded."""
        from cni_multus.cli.doctor.records import places

        return places(self)

    @cached_property
    def evidence(self) -> Evidence:
        """What tells whether the owner of an address lives."""
        from cni_multus.cli.ipam.evidence import Evidence
        from cni_multus.cli.ipam.survey import node_name

        return Evidence(self.site.cni_dir, self.site.results_dir, node_name())

    @cached_property
    def directories(self) -> dict[str, str]:
        """The directories of state that are there, and what each is for."""
        from cni_multus.cli.doctor.records import directories

        return directories(self)

    def note(self, text: str) -> None:
        """Something could not be looked at."""
        if text not in self.notes:
            self.notes.append(text)
