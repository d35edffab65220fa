"""The names by which the program is executed: `multus`, and those of its plugins that others are to find.

    <binDir>/<name>  ->  .multus/current/multus

A name that another program has stays that one's, but for `multus` itself, which is kept aside then and given back.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.node import aside, program
from cni_multus.node.changes import MAKE, REMOVE
from cni_multus.node.primary import ENDINGS
from cni_multus.node.receipt import HOME, LINK, Entry
from cni_multus.node.root import resolved, under
from cni_multus.registry import MODULES
from cni_multus.state import files

if TYPE_CHECKING:
    from cni_multus.node.changes import Changes
    from cni_multus.node.receipt import Receipt

OWN = "multus"


def is_foreign(receipt: Receipt, path: str) -> bool:
    """Whether another program has the name."""
    place = under(receipt.root, path)
    return os.path.lexists(place) and target(place) != program.CURRENT_PROGRAM


def target(place: str) -> str:
    """What a link says; "" for anything else."""
    try:
        return os.readlink(place)
    except OSError:
        return ""


def place(receipt: Receipt, changes: Changes, names: tuple[str, ...] | None) -> None:
    """Have a link for `multus`, and for exactly these plugins; None keeps those that there are."""
    for name in (OWN, *(names or ())):
        _place(receipt, changes, name)
    for name in MODULES if names is not None else ():
        path = f"{receipt.bin_dir}/{name}"
        there = under(receipt.root, path)
        if name not in (*(names or ()), OWN) and receipt.has(path) and target(there) == program.CURRENT_PROGRAM:
            changes.do(REMOVE, path, partial(files.remove, there), "link")


def needs_links(receipt: Receipt) -> list[str]:
    """The links that the primary's own configuration executes: without them it would not work."""
    names = {os.path.basename(entry.path) for entry in receipt.entries.values() if entry.kind == LINK} - {OWN}
    place = resolved(receipt.root, receipt.conf_dir)
    used: set[object] = set()
    for name in sorted(files.names(place)) if names and files.is_directory(place) else ():
        if name.endswith((*ENDINGS, aside.SUFFIX)):
            used |= _types(os.path.join(place, name))
    return sorted(names & {name for name in used if isinstance(name, str)})


def _types(path: str) -> set[object]:
    """The plugins that a configuration names, their IPAM too; none where it is the meta-plugin's."""
    try:
        document = parse_object(files.read(path, follow=True) or b"", path)
        plugins = Section(document).sections("plugins") or (Section(document),)
        kinds = {plugin.text("type") for plugin in plugins}
        return set() if OWN in kinds else kinds | {plugin.section("ipam").text("type") for plugin in plugins}
    except CniError:
        return set()


def keep(receipt: Receipt, changes: Changes, path: str, before: str) -> None:
    """Give what is at `path` a second name, under which it stays: the same file, with all that it has."""
    there, kept = under(receipt.root, path), under(receipt.root, before)

    def work() -> None:
        try:
            os.makedirs(os.path.dirname(kept), 0o755, exist_ok=True)
            if os.path.lexists(kept) and not os.path.samestat(os.lstat(kept), os.lstat(there)):
                os.unlink(kept)
            if not os.path.lexists(kept):
                os.link(there, kept, follow_symlinks=False)
            files.sync_directory(os.path.dirname(kept))
        except OSError as error:
            raise files.failure(error, f"keep {path} as {before}") from error

    changes.do(MAKE, before, work, f"what {path} was")


def _place(receipt: Receipt, changes: Changes, name: str) -> None:
    path = f"{receipt.bin_dir}/{name}"
    there = under(receipt.root, path)
    if target(there) == program.CURRENT_PROGRAM:
        return
    before = ""
    if os.path.lexists(there):
        if name != OWN:
            changes.leave(path, "another program has the name")
            return
        before = f"{receipt.bin_dir}/{HOME}/before/{name}"
    changes.note(receipt, Entry(path, LINK, program.CURRENT_PROGRAM, before))
    if before:
        keep(receipt, changes, path, before)
    work = partial(program.place_link, receipt, there, program.CURRENT_PROGRAM)
    changes.do(MAKE, path, work, f"link to {program.CURRENT_PROGRAM}")
