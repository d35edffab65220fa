"""What the receipt lists, removed: only what is still what was made, and directories only when they are empty."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.node import credentials
from cni_multus.node.changes import REMOVE, RESTORE
from cni_multus.node.marker import is_ours
from cni_multus.node.receipt import DIRECTORY, FILE, HOME, LINK, LOG, STATE, content_of, end
from cni_multus.node.remains import still_used
from cni_multus.node.root import resolved, seen_from, under
from cni_multus.state import files, libcni_cache

if TYPE_CHECKING:
    from cni_multus.node.changes import Changes
    from cni_multus.node.receipt import Entry, Receipt


class Removal:
    """The end of an uninstallation, when no runtime and no process needs us any more."""

    def __init__(self, receipt: Receipt, changes: Changes, *, keep_log: bool) -> None:
        self._receipt = receipt
        self._changes = changes
        self._keep_log = keep_log
        self._gone: set[str] = set()
        """Paths that are removed, or would be."""

    def run(self) -> None:
        """Remove the links, files, logs and state, then the directories that are empty by that, and the receipt."""
        receipt, changes = self._receipt, self._changes
        entries = list(receipt.entries.values())[::-1]
        for entry in entries:
            if entry.kind == LINK:
                self._remove_link(entry)
            elif entry.kind == FILE and not entry.before:
                self._remove_file(entry)
            elif entry.kind == LOG and not self._keep_log:
                self._remove_logs(entry.path)
        for path in sorted(entry.path for entry in entries if entry.kind == STATE):
            self._remove_state(path)
        self._forget_results()
        home = f"{receipt.bin_dir}/{HOME}"
        for entry in sorted(entries, key=lambda entry: -entry.path.count("/")):
            if (
                entry.kind == DIRECTORY
                and entry.path != receipt.bin_dir
                and not receipt.bin_dir.startswith(f"{entry.path}/")
            ):
                self._remove_directory(entry.path)
        changes.do(REMOVE, home, lambda: end(receipt), "versions, and the receipt")

    def _remove_link(self, entry: Entry) -> None:
        place = under(self._receipt.root, entry.path)
        if not os.path.islink(place) or os.readlink(place) != entry.content:
            if os.path.lexists(place):
                self._changes.leave(entry.path, "not ours any more")
        elif entry.before:
            self.give_back(entry)
        else:
            self._drop(entry.path, place, "link")

    def give_back(self, entry: Entry) -> None:
        """Let what was there before have its name again, unless somebody else has it by now."""
        place, kept = under(self._receipt.root, entry.path), under(self._receipt.root, entry.before)
        if not os.path.lexists(kept):
            return
        if entry.kind == FILE and os.path.lexists(place) and not is_as_written(entry, place):
            self._changes.leave(entry.path, f"not ours any more; what it was is {entry.before}")
            return

        def work() -> None:
            try:
                os.rename(kept, place)
                files.sync_directory(os.path.dirname(place))
            except OSError as error:
                raise files.failure(error, f"give {entry.path} back") from error

        self._changes.do(RESTORE, entry.path, work, "what it was before")
        self._gone.add(kept)

    def _remove_file(self, entry: Entry) -> None:
        path, place = entry.path, under(self._receipt.root, entry.path)
        if not is_as_written(entry, place) and credentials.is_anothers(path, place):
            self._changes.leave(path, "not ours any more")
            return
        for one in (place, f"{place}.coming"):
            if os.path.lexists(one) and not os.path.isdir(one):
                self._drop(path, one)

    def _remove_logs(self, path: str) -> None:
        """The log, and what it was rotated to: `<name>-<time>`, or as the Go Multus has it `<stem>-<time>.log`."""
        place = under(self._receipt.root, path)
        directory, name = os.path.split(place)
        stem, ending = os.path.splitext(name)
        for other in sorted(files.names(directory)):
            theirs = other.startswith(f"{stem}-20") and other.removesuffix(".gz").endswith(ending)
            if other == name or other.startswith(f"{name}-20") or theirs:
                self._drop(f"{os.path.dirname(path)}/{other}", f"{directory}/{other}", "log")

    def _remove_state(self, path: str) -> None:
        place = resolved(self._receipt.root, path)
        if not files.is_directory(place) or os.path.dirname(place) in self._gone:
            return
        if used := still_used(place):
            self._changes.leave(path, f"in use: {used}")
            return
        self._changes.do(REMOVE, path, lambda: self._remove_tree(place), "state")
        self._gone.add(place)

    def _forget_results(self) -> None:
        """What libcni keeps of pods that came by our configuration, and go by the primary's: nobody asks."""
        directory = self._receipt.results_dir
        place = resolved(self._receipt.root, directory) if directory else ""
        for entry in libcni_cache.entries(place) if place else []:
            if is_ours(entry.config):
                remove = partial(libcni_cache.remove, place, entry)
                self._changes.do(REMOVE, f"{directory}/{entry.name}", remove, "a runtime's, of our network")

    def _remove_tree(self, place: str) -> None:
        shutil.rmtree(place, ignore_errors=True)
        if os.path.ismount(place):
            # Ours only, in a container; where the node's first process has it, nothing is mounted on it.
            with suppress(OSError):
                os.rmdir(f"{self._receipt.root}/proc/1/root{seen_from(self._receipt.root, place)}")

    def _drop(self, path: str, place: str, detail: str = "") -> None:
        self._changes.do(REMOVE, path, lambda: files.remove(place), detail)
        self._gone.add(place)

    def _remove_directory(self, path: str) -> None:
        """Where nothing is in it any more."""
        place = under(self._receipt.root, path)
        if not os.path.isdir(place) or any(f"{place}/{name}" not in self._gone for name in os.listdir(place)):
            return
        try:
            self._changes.do(REMOVE, path, lambda: os.rmdir(place), "directory")
        except OSError as error:
            raise files.failure(error, f"remove {path}") from error
        self._gone.add(place)


def is_as_written(entry: Entry, place: str) -> bool:
    """Whether a file still has the content that the receipt knows it by."""
    data = files.read(place) if entry.content else None
    return data is not None and content_of(data) == entry.content
