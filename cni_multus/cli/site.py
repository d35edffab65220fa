"""The node that a command looks at: its directories, the configuration by which runtimes call us, the API server.

Nothing of it is believed: what is missing or wrong is told as `trouble`, and the defaults hold.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Request
from cni_multus.confdir import LISTS, PLUGINS
from cni_multus.multus.settings import Settings
from cni_multus.node.root import resolved
from cni_multus.state import files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from cni_multus.kube.client import Client

PATIENCE = 10.0
"""Seconds for everything that one command asks of the API server."""


@dataclass(frozen=True)
class ConfFile:
    """A file of the runtime's directory: the list or plugin that it holds, or what is wrong with it."""

    path: str
    document: Section | None
    trouble: str = ""

    @property
    def plugins(self) -> list[dict[str, object]]:
        """The plugins of a list, or the single one."""
        if self.document is None:
            return []
        members = self.document.value("plugins") if self.document.has("plugins") else [self.document.raw]
        return [one for one in members if isinstance(one, dict)] if isinstance(members, list) else []

    @property
    def types(self) -> list[str]:
        """The types of its plugins."""
        return [str(plugin.get("type", "")) for plugin in self.plugins]


@dataclass(frozen=True)
class Site:
    """Paths are this process's: `root` is in them already. `config` is our own plugin's section."""

    root: str
    conf_dir: str
    bin_dir: str
    results_dir: str
    cni_dir: str
    config: Section
    settings: Settings
    conf_file: str = ""
    """Where `config` is from; "" where no file is ours."""
    kubeconfig: str = ""
    trouble: list[str] = field(default_factory=list)

    @staticmethod
    def of(arguments: argparse.Namespace) -> Site:
        """What the command line says (`options.add_site`, `add_api`), completed from the node's configuration."""
        root = arguments.root
        conf_dir = resolved(root, os.path.abspath(arguments.conf_dir))
        trouble: list[str] = []
        own = _own(conf_dir, trouble)
        config = Section(_plugin(own), "") if own else Section({})
        settings = Settings(Request("STATUS", config, {}), tolerant=True)
        kubeconfig = ""
        if not getattr(arguments, "no_api", True):
            kubeconfig = arguments.kubeconfig or _text(config, "kubeconfig")
        return Site(
            root=root,
            conf_dir=conf_dir,
            bin_dir=resolved(root, os.path.abspath(arguments.bin_dir)),
            results_dir=resolved(root, os.path.abspath(arguments.results_dir)),
            cni_dir=resolved(root, os.path.abspath(arguments.cni_dir or settings.cni_dir)),
            config=config,
            settings=settings,
            conf_file=own.path if own else "",
            kubeconfig=resolved(root, os.path.abspath(kubeconfig)) if kubeconfig else "",
            trouble=trouble,
        )

    def path(self, of_the_node: str) -> str:
        """Where a file of the node is for this process."""
        return resolved(self.root, of_the_node)

    def client(self, patience: float = PATIENCE) -> Client | None:
        """The API server, None where none is named; raises CniError for what is wrong with the credentials."""
        if not self.kubeconfig:
            return None
        from cni_multus.cli.execcredential import load_access
        from cni_multus.kube.client import Client
        from cni_multus.kube.deadline import Deadline

        return Client(load_access(self.kubeconfig), Deadline(patience))


def conf_files(directory: str) -> Iterator[ConfFile]:
    """Everything that a runtime reads there, in its order: by name, whatever the kind."""
    for name in sorted(files.names(directory)):
        if not name.endswith((*LISTS, *PLUGINS)):
            continue
        path = os.path.join(directory, name)
        try:
            data = files.read(path, follow=True)
            yield ConfFile(path, Section(parse_object(data or b"", path)))
        except CniError as error:
            yield ConfFile(path, None, error.message)


def _own(directory: str, trouble: list[str]) -> ConfFile | None:
    """The first file with a plugin of type multus."""
    try:
        found = list(conf_files(directory))
    except CniError as error:
        trouble.append(error.message)
        return None
    trouble += [file.trouble for file in found if file.trouble]
    own = next((file for file in found if "multus" in file.types), None)
    if own is None:
        trouble.append(f"{directory} has no configuration of multus")
    return own


def _plugin(file: ConfFile) -> dict[str, object]:
    return next(plugin for plugin in file.plugins if plugin.get("type") == "multus")


def _text(config: Section, key: str) -> str:
    try:
        return config.text(key)
    except CniError:
        return ""
