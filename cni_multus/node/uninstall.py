"""Off the node again, while pods start and stop: nobody's network is touched, and nobody's DEL is lost.

1. The primary has its file's name back, and ours becomes one that only passes through: ADD and DEL go to the primary as
   if we were not there, and the DEL of a pod that has attachments of ours works from the journal. From here on nothing
   depends on whoever began it: it survives a kill and a reboot.
2. When the journal holds no record, our configuration goes; the runtime uses the primary's then.
3. When the runtime has seen that and no process of ours is left, the rest goes, and the receipt last.

The last DEL starts step 2 by itself, and so does any other request that finds the journal empty.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError, IoFailure
from cni_multus.node import aside, dead, passing, program
from cni_multus.node.changes import REMOVE, RESTORE
from cni_multus.node.handing import Handing
from cni_multus.node.links import needs_links
from cni_multus.node.publish import conf_lock, locked, own_files, restore_renamed, withdraw
from cni_multus.node.receipt import ASIDE, FILE, HOME, INSTALLED, UNINSTALLING, Receipt, home, node_lock, sweep
from cni_multus.node.removal import Removal
from cni_multus.node.root import resolved
from cni_multus.state import files
from cni_multus.state.journal import Journal

if TYPE_CHECKING:
    from cni_multus.node.changes import Changes

SETTLE = 6.0
"""Seconds until a runtime has surely read its configuration again: cri-dockerd polls (5 s)."""
USERS_WAIT = 120.0
"""Seconds that a request which is being served has for its end: kubelet gives up on a sandbox before."""


class Needed(CniError):
    """The primary's own plugins are links of ours."""


@dataclass(frozen=True)
class Options:
    """Where, and how long it waits for others."""

    root: str
    bin_dir: str
    settle: float = SETTLE
    users_wait: float = USERS_WAIT
    lock_wait: float = 60.0
    keep_log: bool = False
    force: bool = False
    """Even where the primary needs our links."""
    hand_over: bool = False
    """To the Go Multus, which comes in our place."""


@dataclass
class Outcome:
    """What is left: the attachments (container ID and interface) of running pods, processes of ours, who is missing."""

    attachments: list[str]
    processes: list[int]
    waiting: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing is."""
        return not (self.attachments or self.processes or self.waiting)


def uninstall(options: Options, changes: Changes) -> Outcome:
    """Go as far as it can be gone now; calling it again goes on."""
    receipt = Receipt.find(options.root, options.bin_dir)
    if receipt is None:
        _sweep(options, changes)
        return Outcome([], [])
    if changes.dry:
        return _Leaving(options, receipt, changes).run()
    try:
        with node_lock(options.root, options.bin_dir, options.lock_wait):
            receipt = Receipt.find(options.root, options.bin_dir)
            return _Leaving(options, receipt, changes).run() if receipt else Outcome([], [])
    except IoFailure:
        if os.path.isdir(home(options.root, options.bin_dir)):
            raise
        return Outcome([], [])  # somebody else has just finished


def _sweep(options: Options, changes: Changes) -> None:
    for path in list(sweep(options.root, options.bin_dir)):
        changes.do(REMOVE, path, partial(shutil.rmtree, path, ignore_errors=True), "left by a killed process")


class _Leaving:
    """One call of it, under the lock."""

    def __init__(self, options: Options, receipt: Receipt, changes: Changes) -> None:
        self._options = options
        self._receipt = receipt
        self._changes = changes
        self._journal = Journal(resolved(receipt.root, receipt.cni_dir))
        self._removal = Removal(receipt, changes, keep_log=options.keep_log)
        handing = options.hand_over or passing.is_handing_over(receipt.root, receipt.conf_dir)
        self._handing = Handing(receipt, changes, self._removal) if handing else None

    def run(self) -> Outcome:
        self._refuse()
        stands_in = self._begin()
        self._detach_dead(stands_in)
        if (left := self._still()) and not self._handing:  # what is just being attached may be handed over yet
            return Outcome(left, [])
        self._settle(stands_in)
        if not self._changes.dry:
            self._close()
            if left := self._still():  # a request that had begun before
                self._journal.reopen()
                return Outcome(left, [])
        if self._handing and not self._handing.place():
            return Outcome([], [], waiting="the Go Multus")
        self._withdraw()
        self._settle(resolved(self._receipt.root, self._receipt.conf_dir))
        if users := self._users():
            return Outcome([], users)
        self._removal.run()
        _sweep(self._options, self._changes)
        return Outcome([], [])

    def _refuse(self) -> None:
        """Raise where the primary itself would not work without us."""
        if self._receipt.state == INSTALLED and not self._options.force and (needed := needs_links(self._receipt)):
            raise Needed(
                f"the primary CNI executes {', '.join(needed)}, which only our links provide: pods could neither start "
                "nor stop; put the plugins themselves there, or use --force"
            )
        if self._handing:
            self._handing.refuse()

    def _detach_dead(self, stands_in: str) -> None:
        if self._receipt.root != "/" or self._changes.dry or not stands_in:
            return
        for key in dead.detach(self._journal, self._receipt.bin_dir, stands_in):
            self._changes.do(REMOVE, f"{self._receipt.cni_dir}/journal/{key}", lambda: None, "its pod is dead")

    def _begin(self) -> str:
        """Step 1; the file that passes through, "" where there is none."""
        receipt, changes = self._receipt, self._changes
        if not changes.dry and receipt.state != UNINSTALLING:
            receipt.state = UNINSTALLING
            try:
                receipt.write()
            except IoFailure:
                self._changes.leave(f"{receipt.bin_dir}/{HOME}", "the disk is full: the configuration alone says it")
        place = resolved(receipt.root, receipt.conf_dir)
        if not files.is_directory(place):
            return ""
        if changes.dry:
            self._restore()
            return passing.stand_in(receipt, changes, place, self._left, hand_over=self._handing is not None)
        with conf_lock(receipt.root, receipt.conf_dir):
            self._restore()
            for name in restore_renamed(receipt.root, receipt.conf_dir):
                changes.do(RESTORE, f"{receipt.conf_dir}/{name}", lambda: None, "the primary's own name")
            return passing.stand_in(receipt, changes, place, self._left, hand_over=self._handing is not None)

    def _restore(self) -> None:
        """Give the primary its file's name back."""
        for entry in self._receipt.entries.values():
            directory, name = os.path.split(entry.path)
            place = resolved(self._receipt.root, directory)
            if entry.kind == ASIDE and not self._changes.dry:
                aside.tidy(place)
            if entry.kind == ASIDE and os.path.lexists(os.path.join(place, name + aside.SUFFIX)):
                work = partial(aside.give_back, place, name)
                self._changes.do(RESTORE, entry.path, work, "the primary's own name")

    def _close(self) -> None:
        """Let no ADD that still has our former configuration begin a record."""
        try:
            self._journal.close()
        except IoFailure:
            return  # the directory is there before our configuration is: no request has come that far

    def _left(self) -> list[str]:
        """The attachments that a DEL is still to come for."""
        if not files.is_directory(resolved(self._receipt.root, self._receipt.cni_dir)):
            return []
        return [
            f"{container_id}@{ifname}"
            for container_id, ifname in self._journal.keys()  # noqa: SIM118 - it is no mapping
            if _is_in_use(self._journal.path(container_id, ifname))
        ]

    def _still(self) -> list[str]:
        """The same, once those are handed over that can be."""
        return self._handing.carry_out() if self._handing else self._left()

    def _settle(self, path: str) -> None:
        """Wait until every runtime has seen what was last changed there."""
        if self._changes.dry or not path:
            return
        try:
            age = time.time() - os.stat(path).st_mtime
        except FileNotFoundError:
            return
        settle = self._options.settle
        time.sleep(min(settle, settle - age) if 0 <= age <= settle else settle if age < 0 else 0.0)

    def _withdraw(self) -> None:
        """Step 2."""
        receipt, changes = self._receipt, self._changes
        place = resolved(receipt.root, receipt.conf_dir)
        if changes.dry:
            gone = tuple(own_files(place)) if files.is_directory(place) else ()
        else:
            gone = withdraw(receipt.root, receipt.conf_dir, force=True).removed
        for name in gone:
            changes.do(REMOVE, f"{receipt.conf_dir}/{name}", lambda: None, "our configuration")
        for entry in [entry for entry in receipt.entries.values() if entry.kind == FILE and entry.before]:
            self._removal.give_back(entry)

    def _users(self) -> list[int]:
        """Processes that execute what is to be removed; they are waited for."""
        deadline = time.monotonic() + self._options.users_wait
        names = program.versions(self._receipt)
        while (users := program.users(self._receipt, names)) and not self._changes.dry:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        return [] if self._changes.dry else users


def _is_in_use(path: str) -> bool:
    """Whether a record is one: a file that holds nothing, and that nobody holds, is what a killed request left."""
    try:
        fd = os.open(path, os.O_RDONLY | files.FLAGS)
    except OSError:
        return os.path.lexists(path)
    try:
        return os.fstat(fd).st_size > 0 or not locked(fd)
    finally:
        os.close(fd)
