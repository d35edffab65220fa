"""Another meta-plugin's configuration of a node, which has the name that ours would have: the Go Multus's, mostly."""

from __future__ import annotations

import os

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.node.generate import LIST, PLUGIN
from cni_multus.node.marker import FOREIGN, read_mark
from cni_multus.node.primary import META
from cni_multus.node.root import under
from cni_multus.state import files

CONFIGURATIONS = (PLUGIN, LIST)


def configurations(root: str, conf_dir: str) -> list[str]:
    """The node's paths of what has a name of ours in the directory, and we did not write."""
    return [path for name in CONFIGURATIONS if is_foreign(root, path := f"{conf_dir}/{name}")]


def is_foreign(root: str, path: str) -> bool:
    """Whether there is a configuration that we did not write."""
    data = files.read(under(root, path))
    return data is not None and read_mark(data).owner == FOREIGN


def kinds(root: str, path: str) -> set[str]:
    """The meta-plugins that it names: `multus`, or `multus-shim`, whose daemon does the work."""
    return {plugin.text("type") for plugin in _plugins(root, path)}.intersection(META)


def cni_dir(root: str, path: str) -> str:
    """Where it has its records; "" where it does not say so."""
    named = next(filter(None, (plugin.text("cniDir") for plugin in _plugins(root, path))), "")
    return os.path.normpath(named) if named else ""


def _plugins(root: str, path: str) -> tuple[Section, ...]:
    """None where it cannot be read."""
    try:
        document = Section(parse_object(files.read(under(root, path)) or b"", path))
        return document.sections("plugins") or (document,)
    except CniError:
        return ()
