"""What a command changes on the node, one after another: done and told, or with --dry-run only told."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.node.receipt import DIRECTORY, Entry
from cni_multus.node.root import under
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.node.receipt import Receipt

MAKE, CHANGE, REMOVE, RESTORE, LEAVE = "make", "change", "remove", "restore", "leave"


@dataclass(frozen=True)
class Change:
    """One of them: `path` is the node's name of it."""

    action: str
    path: str
    detail: str = ""

    def to_json(self) -> dict[str, object]:
        """As -o json shows it."""
        return {"action": self.action, "path": self.path, "detail": self.detail}


@dataclass
class Changes:
    """The list, and whether it is only a list."""

    dry: bool = False
    made: list[Change] = field(default_factory=list)

    def do(self, action: str, path: str, work: Callable[[], object], detail: str = "") -> None:
        """Do one thing."""
        if not self.dry:
            work()
        self.made.append(Change(action, path, detail))

    def leave(self, path: str, why: str) -> None:
        """Tell of something that stays as it is."""
        self.made.append(Change(LEAVE, path, why))

    def note(self, receipt: Receipt, *entries: Entry) -> None:
        """Let the receipt have them first."""
        if not self.dry and any(receipt.entries.get(entry.path) != entry for entry in entries):
            receipt.note(*entries)

    def directory(self, receipt: Receipt, path: str, mode: int = 0o755) -> None:
        """Make a directory, and what is missing above it."""
        place = under(receipt.root, path)
        if os.path.isdir(place):
            return
        if (parent := os.path.dirname(path)) != path:
            self.directory(receipt, parent)
        if any(change.path == path for change in self.made):
            return
        self.note(receipt, Entry(path, DIRECTORY))
        self.do(MAKE, path, lambda: files.make_directory(place, mode), "directory")
