"""The configuration that stands in ours' place while the last attachments are taken apart.

It has the same name, version, capabilities and place, so that the runtime notices nothing, and the key
`multus.io/uninstalling`: ADD and DEL are the primary's own, unless the journal has a record
(`cni_multus/multus/direct.py`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cni.document import parse_object, print_indented
from cni_multus.cni.errors import CniError
from cni_multus.node.generate import NAME, PLUGIN, Options, generate
from cni_multus.node.marker import EDITED, MARKER, UNINSTALLING, stamp
from cni_multus.node.primary import find_primary
from cni_multus.node.publish import own_files
from cni_multus.node.root import resolved
from cni_multus.state import files

if TYPE_CHECKING:
    from cni_multus.node.marker import Mark
    from cni_multus.node.receipt import Receipt

DROPPED = frozenset(("clusterNetwork", "defaultNetworks", "delegates", "kubeconfig", "readinessindicatorfile", MARKER))
"""Keys that nothing is read of any more."""


@dataclass(frozen=True)
class Passing:
    """The file's name and content."""

    name: str
    data: bytes


def is_passing(root: str, conf_dir: str) -> bool:
    """Whether it is what the runtime reads, since an uninstallation has not ended."""
    return any(mark.uninstalling for mark in own_files(resolved(root, conf_dir)).values())


def configuration(receipt: Receipt, ours: dict[str, bytes | None]) -> Passing:
    """Made of our file as it is, else of the primary's."""
    name, document = _now(receipt, ours)
    marked = {"binDir": receipt.bin_dir, "confDir": receipt.conf_dir, "resultsDir": receipt.results_dir}
    plugins = document.get("plugins")
    members = plugins if isinstance(plugins, list) else [document]
    for at, member in enumerate(members):
        if isinstance(member, dict) and member.get("type") == "multus":
            kept = {key: value for key, value in member.items() if key not in DROPPED}
            members[at] = {**kept, "cniDir": receipt.cni_dir, UNINSTALLING: marked}
    whole = {**document, "plugins": members} if isinstance(plugins, list) else members[0]
    # Whoever looks for it looks at the file's top.
    return Passing(name, print_indented(stamp({**whole, UNINSTALLING: marked}, receipt.conf_dir)))


def put(path: str, passing: Passing, ours: dict[str, Mark]) -> None:
    """Replace ours by it, in one rename; what was edited keeps its content under another name."""
    directory = os.path.dirname(path)
    mark = ours.get(passing.name)
    try:
        if mark and mark.owner == EDITED and not os.path.lexists(f"{path}.edited"):
            os.link(path, f"{path}.edited")
    except OSError as error:
        raise files.failure(error, f"keep {path}") from error
    files.write_atomically(path, passing.data, temporary=os.path.join(directory, ".multus-config"))
    for name in ours:
        if name != passing.name:
            files.remove(os.path.join(directory, name))


def _now(receipt: Receipt, ours: dict[str, bytes | None]) -> tuple[str, dict[str, object]]:
    """Our file as it is; one that a runtime loads comes before one that somebody hid."""
    for name in sorted(ours, key=lambda name: (not name.startswith("00-multus.conf"), name)):
        try:
            document = parse_object(ours[name] or b"", name)
        except CniError:
            continue
        plain = name if name.endswith((".conf", ".conflist", ".json")) else name.rpartition(".")[0]
        return plain, document
    try:
        made = generate(Options(), find_primary(receipt.root, receipt.conf_dir))
    except CniError:
        return PLUGIN, {"cniVersion": "0.3.1", "name": NAME, "type": "multus"}
    return made.name, parse_object(made.data, made.name)
