"""The Go Multus where we were: what `multus install --take-over` keeps aside, or what somebody has put there since.

Its program comes before its configuration: with ours, which passes through, it attaches the primary as well.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.node import foreign
from cni_multus.node.changes import RESTORE
from cni_multus.node.links import OWN, is_foreign
from cni_multus.node.publish import conf_lock
from cni_multus.node.receipt import FILE, LINK
from cni_multus.node.root import under
from cni_multus.state import files

if TYPE_CHECKING:
    from cni_multus.node.changes import Changes
    from cni_multus.node.receipt import Entry, Receipt
    from cni_multus.node.removal import Removal


class Successor:
    """Who serves the pods that are handed over."""

    def __init__(self, receipt: Receipt, changes: Changes, removal: Removal) -> None:
        self._receipt = receipt
        self._changes = changes
        self._removal = removal

    def is_ready(self) -> bool:
        """Whether its program and its configuration are there, or kept aside."""
        kinds = self._kinds()
        if OWN in kinds:
            return self._is_kept(self._program) or is_foreign(self._receipt, f"{self._receipt.bin_dir}/{OWN}")
        return any(os.path.exists(under(self._receipt.root, f"{self._receipt.bin_dir}/{kind}")) for kind in kinds)

    def place(self) -> None:
        """Let both have their names again, where they are kept aside."""
        for entry in self._receipt.entries.values():
            if entry.kind == FILE and entry.before and not _is_configuration(entry):
                self._removal.give_back(entry)
        for kept in (self._program, self._configuration):
            if kept is not None and self._is_kept(kept):
                self._rename(kept)

    @property
    def _program(self) -> Entry | None:
        path = f"{self._receipt.bin_dir}/{OWN}"
        return next((each for each in self._receipt.entries.values() if each.kind == LINK and each.path == path), None)

    @property
    def _configuration(self) -> Entry | None:
        return next((each for each in self._receipt.entries.values() if each.before and _is_configuration(each)), None)

    def _is_kept(self, entry: Entry | None) -> bool:
        return entry is not None and bool(entry.before) and os.path.lexists(under(self._receipt.root, entry.before))

    def _kinds(self) -> set[str]:
        """The meta-plugins that its configuration names."""
        root, entry = self._receipt.root, self._configuration
        kept = [entry.before] if entry and self._is_kept(entry) else []
        paths = [*kept, *foreign.configurations(root, self._receipt.conf_dir)]
        return {kind for path in paths for kind in foreign.kinds(root, path)}

    def _rename(self, entry: Entry) -> None:
        """One rename each: at no time is there nobody, and nobody else's is replaced."""
        receipt, is_program = self._receipt, entry.kind == LINK
        if is_foreign(receipt, entry.path) if is_program else foreign.configurations(receipt.root, receipt.conf_dir):
            self._changes.leave(entry.path, f"not ours any more; what it was is {entry.before}")
            return
        kept, place = under(receipt.root, entry.before), under(receipt.root, entry.path)

        def work() -> None:
            with conf_lock(receipt.root, receipt.conf_dir):
                try:
                    os.rename(kept, place)
                    files.sync_directory(os.path.dirname(place))
                except OSError as error:
                    raise files.failure(error, f"give {entry.path} back") from error

        self._changes.do(RESTORE, entry.path, work, "what it was before")


def _is_configuration(entry: Entry) -> bool:
    return entry.kind == FILE and os.path.basename(entry.path) in foreign.CONFIGURATIONS
