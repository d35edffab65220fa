"""`multus uninstall`: everything that `multus install` made, taken back while pods start and stop."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, PARTIAL, Command
from cni_multus.cli.group import guarded
from cni_multus.cli.node.install import add_bin_dir
from cni_multus.cli.node.options import absolute, add_flag, add_root, add_settle
from cni_multus.cli.node.report import show
from cni_multus.cli.options import add_dry_run, add_output
from cni_multus.cli.output import speak_as

if TYPE_CHECKING:
    import argparse

    from cni_multus.node.uninstall import Outcome


class Uninstall(Command):
    """Called again it goes on."""

    name = "uninstall"
    summary = "take the program off this node; pods keep starting and stopping"
    description = (
        "Give the primary CNI its place back and remove exactly what `multus install` made. Networks of running pods "
        "stay: as long as a pod has attachments of ours, the program and a configuration that passes everything else "
        "through to the primary stay too, and the DEL of the last such pod removes them; or this command, called again."
    )
    exits = {
        DONE: "nothing of it is left (with --dry-run: would be)",
        PARTIAL: "the primary has its place, and the rest goes with the attachments, or processes, that are named",
        FAILED: "it could not be done; running it again goes on",
    }
    examples = (
        "multus uninstall --dry-run",
        "multus uninstall",
        "multus uninstall --root /host -o json",
        "multus uninstall --hand-over --dry-run",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        add_root(parser)
        add_bin_dir(parser)
        add_settle(parser)
        add_flag(parser, "--keep-log", "leave the log file")
        add_flag(parser, "--force", "even where the primary CNI executes our links")
        add_flag(
            parser,
            "--hand-over",
            "hand running pods over to the Go Multus, which comes in our place: the one that --take-over keeps aside, "
            "else the one that is put there meanwhile; pods that only this program can take apart are named, and "
            "nothing is changed then",
        )
        add_flag(parser, "--in-turn", "do nothing where another process is at it: the last DEL says so")
        add_dry_run(parser)
        add_output(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        speak_as("multus uninstall")
        return guarded(_Run(), arguments, "multus uninstall")


class _Run(Command):
    """The work behind it."""

    def run(self, arguments: argparse.Namespace) -> int:
        from cni_multus.node.changes import Changes
        from cni_multus.node.uninstall import Options, uninstall

        os.umask(0o022)
        changes = Changes(arguments.dry_run)
        options = Options(
            root=arguments.root,
            bin_dir=absolute(arguments.root, "--cni-bin-dir", arguments.cni_bin_dir),
            settle=arguments.settle,
            lock_wait=0.0 if arguments.in_turn else 60.0,
            keep_log=arguments.keep_log,
            force=arguments.force,
            hand_over=arguments.hand_over,
        )
        outcome = uninstall(options, changes)
        show(arguments, changes, {"attachments": outcome.attachments, "processes": outcome.processes})
        if not outcome.complete:
            sys.stderr.write(f"multus uninstall: {_remaining(outcome)}\n")
        return DONE if outcome.complete else PARTIAL


def _remaining(outcome: Outcome) -> str:
    if outcome.waiting:
        return f"all pods are handed over; put {outcome.waiting} on the node now, then call this once more"
    if outcome.attachments:
        shown = ", ".join(outcome.attachments[:5]) + (", ..." if len(outcome.attachments) > 5 else "")
        return (
            f"{len(outcome.attachments)} attachments are still there ({shown}): the last DEL finishes, or this command "
            "called again"
        )
    return f"processes still execute the program ({', '.join(map(str, outcome.processes))}); call it again"
