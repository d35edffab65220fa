"""The configuration that stands in ours' place while the last attachments are taken apart.

It has the same name, version, capabilities and place, so that the runtime notices nothing, and the key
`multus.io/uninstalling`: ADD and DEL are the primary's own, unless the journal has a record
(`cni_multus/multus/direct.py`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_indented
from cni_multus.cni.errors import CniError
from cni_multus.multus.direct import HAND_OVER
from cni_multus.node.changes import CHANGE, MAKE
from cni_multus.node.generate import NAME, PLUGIN, Options, generate
from cni_multus.node.marker import EDITED, MARKER, UNINSTALLING, stamp
from cni_multus.node.primary import find_primary
from cni_multus.node.publish import own_files
from cni_multus.node.root import resolved, under
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.node.changes import Changes
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


def is_handing_over(root: str, conf_dir: str) -> bool:
    """The same, of one that hands over to the Go Multus: whoever goes on with it does so, too."""
    place = resolved(root, conf_dir)
    return files.is_directory(place) and any(_is_handing_over(place, name) for name in own_files(place))


def stand_in(receipt: Receipt, changes: Changes, place: str, left: Callable[[], list[str]], *, hand_over: bool) -> str:
    """Put a configuration in our place that passes through, unless it is there; its path, "" where none is needed."""
    ours = own_files(place)
    there = [name for name, mark in ours.items() if mark.uninstalling]
    is_other = hand_over and not any(_is_handing_over(place, name) for name in there)
    if there and len(there) == len(ours) and not is_other:
        return os.path.join(place, there[0])
    if not ours and not left():
        return ""
    content = {name: files.read(os.path.join(place, name)) for name in ours}
    document = configuration(receipt, content, hand_over=hand_over)
    path = os.path.join(place, document.name)
    if document.name not in ours and os.path.lexists(path):
        changes.leave(f"{receipt.conf_dir}/{document.name}", "not ours")
        return ""
    action = CHANGE if document.name in ours else MAKE
    shown = f"{receipt.conf_dir}/{document.name}"
    changes.do(action, shown, lambda: put(path, document, ours), "passes through to the primary")
    return path


def configuration(receipt: Receipt, ours: dict[str, bytes | None], *, hand_over: bool = False) -> Passing:
    """Made of our file as it is, else of the primary's."""
    name, document = _now(receipt, ours)
    marked: dict[str, object] = {
        "binDir": receipt.bin_dir,
        "confDir": receipt.conf_dir,
        "resultsDir": receipt.results_dir,
        **({HAND_OVER: True} if hand_over else {}),
    }
    more = {"delegates": _delegates(receipt)} if hand_over else {}
    plugins = document.get("plugins")
    members = plugins if isinstance(plugins, list) else [document]
    for at, member in enumerate(members):
        if isinstance(member, dict) and member.get("type") == "multus":
            kept = {key: value for key, value in member.items() if key not in DROPPED}
            members[at] = {**kept, **more, "cniDir": receipt.cni_dir, UNINSTALLING: marked}
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


def _is_handing_over(place: str, name: str) -> bool:
    try:
        document = Section(parse_object(files.read(os.path.join(place, name)) or b"", name))
        return document.section(UNINSTALLING).lenient_flag(HAND_OVER)
    except CniError:
        return False


def _delegates(receipt: Receipt) -> list[dict[str, object]]:
    """The primary as the Go Multus takes it: its program may come before its configuration does."""
    try:
        path = under(receipt.root, find_primary(receipt.root, receipt.conf_dir).path)
        return [parse_object(files.read(path, follow=True) or b"", path)]
    except CniError:
        return []
