"""The operator's command line: `multus <command>`, and `cnitool` by that name."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from cni_multus import VERSION
from cni_multus.cli.about import about
from cni_multus.cli.group import Described, guarded, load
from cni_multus.cli.output import speak_as

if TYPE_CHECKING:
    from cni_multus.cli.command import Command

COMMANDS = {
    "call": (
        "call.command:Call",
        "run a configuration by hand against a namespace, show what comes of it, and clean up",
    ),
    "completion": ("completion:Completion", "print the completion script for a shell"),
    "doctor": ("doctor.command:Doctor", "find what is wrong on this node, and mend what can be mended safely"),
    "explain": (
        "explain.command:Explain",
        "say what attaching a pod would do, and what would be in the way; nothing is touched",
    ),
    "history": (
        "history.command:History",
        "show the last requests, and what was slow: the API, programs, locks, IPAM, the kernel",
    ),
    "inspect": (
        "inspect.command:Inspect",
        "show what is attached on this node, by the records and by the kernel",
    ),
    "install": (
        "node.install:Install",
        "put the program and its configuration on this node, or switch it to this version",
    ),
    "ipam": ("ipam.group:Ipam", "show, check and mend the records of addresses"),
    "lint": ("lint.command:Lint", "say what is wrong with configurations, definitions of networks and pods"),
    "node": ("node.group:Node", "make the node's configuration from the primary CNI's, and keep it so"),
    "plugins": ("plugins:Plugins", "list the plugin types that are built in"),
    "support-bundle": (
        "bundle.command:SupportBundle",
        "pack what this node shows into one archive for whoever helps, without secrets",
    ),
    "trace": ("trace.command:Trace", "watch attachments as they happen, or take one request apart, step by step"),
    "uninstall": ("node.uninstall:Uninstall", "take the program off this node; pods keep starting and stopping"),
    "version": ("version:Version", "print the versions of this program, of CNI and of the interpreter"),
}
"""What is typed, its module and class in this package, and what --help says of it."""

INTERRUPTED = 130
"""The exit status that shells give to what Ctrl-C ended."""


def run(name: str, argv: list[str]) -> int:
    """Do what the command line of `cnitool` or, by any other name, of `multus` asks; the exit status."""
    try:
        status = _cnitool(argv) if name == "cnitool" else _multus(argv)
        sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except OSError as error:
        return _unwritten(name, error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _unwritten(name: str, error: OSError) -> int:
    """Standard output takes no more: whoever reads has had enough, or the disk is full. The exit status."""
    if not isinstance(error, BrokenPipeError):
        sys.stderr.write(f"{name}: {error}\n")
    # The interpreter must not meet the same failure once more when it flushes.
    os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)
    return 1


def _cnitool(argv: list[str]) -> int:
    from cni_multus.cli.cnitool import run as run_cnitool

    return run_cnitool(argv)


def _multus(argv: list[str]) -> int:
    parser = parser_of_all()
    if not argv:  # a runtime that forgot CNI_COMMAND gets what the reference says, where it may find it
        sys.stderr.write(about("multus"))
        parser.print_usage(sys.stderr)
        return 0
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.error("a command is missing")
    name = arguments.command
    speak_as(f"multus {name}")
    return guarded(command(name), arguments, f"multus {name}")


def command(name: str) -> Command:
    """The command that is typed so."""
    return load(f"cni_multus.cli.{COMMANDS[name][0]}")


def parser_of_all() -> argparse.ArgumentParser:
    """The whole command line; each command declares its own part when it is typed."""
    parser = argparse.ArgumentParser(
        prog="multus",
        description="Several networks for a pod, with the plugins and the IPAM that they need, in one program.",
        epilog="A container runtime executes this program by the name of the plugin it wants, with CNI_COMMAND set; "
        "executed by the name cnitool, it attaches one network by hand.",
        allow_abbrev=False,
    )
    parser.add_argument("-v", "--version", action="version", version=f"multus {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="command", title="commands", parser_class=Described)
    for name, (_, summary) in COMMANDS.items():
        commands.add_parser(name, help=summary).find = partial(command, name)
    return parser
