"""The program, its links, credentials, directories and configuration put on a node: what is right already stays.

What could be refused is refused first. Each thing is in the receipt before it is made, so that whoever is killed is
finished by the same command, and taken back by the other one.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.cni.errors import IoFailure
from cni_multus.multus import takeover
from cni_multus.node import aside, credentials, foreign, links, program, versions
from cni_multus.node.changes import CHANGE, MAKE, REMOVE
from cni_multus.node.configure import AUTO, carry_out, plan
from cni_multus.node.primary import NoPrimary
from cni_multus.node.publish import own_files
from cni_multus.node.receipt import (
    ASIDE,
    FILE,
    HOME,
    INSTALLED,
    LOG,
    STATE,
    Entry,
    Receipt,
    begin,
    missing,
    node_lock,
    sweep,
)
from cni_multus.node.root import resolved, under
from cni_multus.state import files
from cni_multus.state.journal import Journal

if TYPE_CHECKING:
    from cni_multus.node.bundle import Source
    from cni_multus.node.changes import Changes
    from cni_multus.node.configure import Configuration, Plan

RUN = "/run/multus"
STATES = ("/var/lib/cni/networks/.multus", "/var/lib/cni/whereabouts", RUN)
"""Directories of our plugins, besides cniDir, which are ours where they were not there before."""


class Foreign(IoFailure):
    """A name that we need is another program's, or another configuration's."""


@dataclass(frozen=True)
class Wanted:
    """What is to be on the node; all paths but those of the source and of the account are the node's."""

    root: str
    bin_dir: str
    conf_dir: str
    cni_dir: str
    results_dir: str
    log_file: str = ""
    source: Source | None = None
    """None leaves the program as it is."""
    links: tuple[str, ...] | None = None
    """The plugins that get a link; None keeps those that there are."""
    take_over: bool = False
    service_account: str = ""
    kubeconfig: bytes = b""
    """Empty where there is to be none."""
    configuration: Configuration | None = None
    states: tuple[str, ...] = STATES


def install(wanted: Wanted, changes: Changes) -> str:
    """Do it; why there is no configuration yet, "" where there is one or none is wanted."""
    receipt = Receipt.find(wanted.root, wanted.bin_dir) or _new(wanted)
    _refuse(wanted, receipt)
    _begin(receipt, changes)
    if changes.dry:
        return _Installing(wanted, receipt, changes).run()
    with node_lock(wanted.root, wanted.bin_dir):
        receipt = Receipt.find(wanted.root, wanted.bin_dir) or receipt
        return _Installing(wanted, receipt, changes).run()


def _begin(receipt: Receipt, changes: Changes) -> None:
    """Make the receipt, and the directories that lead to it."""
    for path in missing(receipt):
        changes.do(MAKE, path, lambda: begin(receipt), "directory")


def _new(wanted: Wanted) -> Receipt:
    return Receipt(wanted.root, wanted.bin_dir, wanted.conf_dir, wanted.cni_dir, wanted.results_dir, wanted.log_file)


def _refuse(wanted: Wanted, receipt: Receipt) -> None:
    """Raise what is wrong before anything is touched."""
    for option, there, asked in (
        ("--conf-dir", receipt.conf_dir, wanted.conf_dir),
        ("--cni-dir", receipt.cni_dir, wanted.cni_dir),
    ):
        if there != asked:
            raise Foreign(f"this node was installed with {option} {there}, not {asked}: uninstall that first")
    if wanted.source is None and not program.current(receipt):
        raise IoFailure(f"the copy of the program is skipped, and there is none in {wanted.bin_dir}/{HOME}")
    path = f"{wanted.bin_dir}/multus"
    if links.is_foreign(receipt, path) and not wanted.take_over:
        raise Foreign(f"{path} is another program; with --take-over it is kept aside, and uninstall gives it back")
    for path in foreign.configurations(wanted.root, wanted.conf_dir) if wanted.configuration else ():
        if not wanted.take_over:
            raise Foreign(
                f"{path} is another meta-plugin's; with --take-over it is kept aside, and uninstall gives it back"
            )
        if (theirs := foreign.cni_dir(wanted.root, path)) not in ("", wanted.cni_dir):
            raise Foreign(
                f"{path} has cniDir {theirs}, and this installation {wanted.cni_dir}: nothing would be known of pods "
                f"that run; add --multus-conf-key 'cniDir=\"{theirs}\"'"
            )


class _Installing:
    """One installation, under the lock, in its order."""

    def __init__(self, wanted: Wanted, receipt: Receipt, changes: Changes) -> None:
        self._wanted = wanted
        self._receipt = receipt
        self._changes = changes

    def run(self) -> str:
        wanted = self._wanted
        if self._receipt.state != INSTALLED:
            self._changes.do(CHANGE, f"{wanted.bin_dir}/{HOME}/installed.json", lambda: None, INSTALLED)
        is_there = bool(program.current(self._receipt))
        if is_there:
            # Requests wait for the token of this pod: that of the one before is nobody's any more.
            self._place_credentials()
        if wanted.source is not None:
            versions.put(self._receipt, self._changes, wanted.source)
        links.place(self._receipt, self._changes, wanted.links)
        self._make_state()
        if not is_there:
            self._place_credentials()
        waiting = self._configure(wanted.configuration) if wanted.configuration else ""
        self._revive()
        self._prune()
        return waiting

    def _place_credentials(self) -> None:
        wanted = self._wanted
        credentials.expect(self._receipt, self._changes)
        if wanted.kubeconfig:
            credentials.place(self._receipt, self._changes, wanted.service_account, wanted.kubeconfig)

    def _make_state(self) -> None:
        receipt, cni_dir = self._receipt, self._wanted.cni_dir
        states = (cni_dir, f"{cni_dir}/journal", f"{cni_dir}/events", *self._wanted.states)
        new = [path for path in states if self._is_missing(path)]
        known = {entry.path for entry in receipt.entries.values() if entry.kind == STATE}
        self._changes.note(receipt, *(Entry(path, STATE) for path in new if path not in known))
        self._changes.directory(receipt, os.path.dirname(cni_dir))
        others = foreign.configurations(receipt.root, receipt.conf_dir)
        if others or any(entry.before for entry in receipt.entries.values()):
            self._changes.directory(receipt, takeover.results(cni_dir))  # networks keep the Go Multus's names
        for path, mode in ((cni_dir, 0o755), (f"{cni_dir}/journal", 0o700)):
            if path in new:
                place = under(receipt.root, path)
                work = partial(files.make_directory, place, mode)
                self._changes.do(MAKE, path, work, "directory for state")
        log = self._wanted.log_file
        if log and not os.path.lexists(under(receipt.root, log)):
            self._changes.note(receipt, Entry(log, LOG))

    def _is_missing(self, path: str) -> bool:
        """Whether a directory of state is not there, or was made for this container by the kubelet, and is empty."""
        place = resolved(self._receipt.root, path)
        if path == RUN and self._receipt.root != "/" and files.is_directory(place):
            return not os.listdir(place)
        return not os.path.lexists(place)

    def _configure(self, configuration: Configuration) -> str:
        """Publish the configuration; why not yet, where the primary's is to be waited for."""
        wanted, changes = self._wanted, self._changes
        others = foreign.configurations(wanted.root, wanted.conf_dir)
        for path in others:
            before = f"{wanted.conf_dir}/{credentials.DIRECTORY}/before/{os.path.basename(path)}"
            changes.directory(self._receipt, os.path.dirname(before))
            changes.note(self._receipt, Entry(path, FILE, "", before))
            links.keep(self._receipt, self._changes, path, before)
            configuration = replace(configuration, force=True)
        configuration = replace(configuration, renamed=self._receipt.renamed(configuration.primary_dir))
        try:
            planned = plan(wanted.root, configuration)
        except NoPrimary as error:
            if configuration.conf_file != AUTO:
                raise
            return error.message
        self._publish(configuration, planned)
        for path in others:
            if os.path.basename(path) != planned.document.name:  # a runtime would take it before ours
                changes.do(REMOVE, path, partial(files.remove, under(wanted.root, path)), "it is kept aside")
        return ""

    def _publish(self, configuration: Configuration, planned: Plan) -> None:
        wanted, changes = self._wanted, self._changes
        path = f"{wanted.conf_dir}/{planned.document.name}"
        there = files.read(under(wanted.root, path))
        ours = own_files(resolved(wanted.root, wanted.conf_dir))
        if there == planned.document.data and set(ours) == {planned.document.name} and not planned.renamed:
            return
        if planned.renamed:
            former = f"{configuration.primary_dir}/{planned.renamed}"
            if not os.path.lexists(under(wanted.root, former + aside.SUFFIX)):
                changes.note(self._receipt, Entry(former, ASIDE))
        action = MAKE if there is None else CHANGE
        source = f"from {planned.primary.path}" if planned.primary else f"from {configuration.conf_file}"
        changes.do(action, path, lambda: carry_out(wanted.root, configuration, planned, revive=True), source)

    def _revive(self) -> None:
        """Let requests that keep records begin again, after an uninstallation that had not ended."""
        if self._changes.dry:
            return
        Journal(resolved(self._wanted.root, self._wanted.cni_dir)).reopen()
        self._receipt.state = INSTALLED
        self._receipt.log_file = self._wanted.log_file or self._receipt.log_file
        self._receipt.write()

    def _prune(self) -> None:
        receipt = self._receipt
        if self._changes.dry:
            return
        program.remove_remains(receipt)
        for path in list(sweep(receipt.root, receipt.bin_dir)):
            self._changes.do(REMOVE, path, partial(shutil.rmtree, path, ignore_errors=True), "left by a killed process")
        for name in program.unused(receipt):
            path = f"{receipt.bin_dir}/{HOME}/{program.VERSIONS}/{name}"
            self._changes.do(REMOVE, path, partial(program.remove, receipt, name), "not used")
            receipt.retired.pop(name, None)
        receipt.write()
