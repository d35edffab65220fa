"""The operator's command line: `multus <command>`, and `cnitool` by that name."""

from __future__ import annotations

import argparse
import os
import sys

from cni_multus import VERSION
from cni_multus.cli.about import about
from cni_multus.cli.command import describe
from cni_multus.cli.ipam.group import Ipam
from cni_multus.cli.node.group import Node
from cni_multus.cli.node.install import Install
from cni_multus.cli.node.uninstall import Uninstall
from cni_multus.cli.plugins import Plugins
from cni_multus.cli.version import Version

COMMANDS = {command.name: command for command in (Install(), Ipam(), Node(), Plugins(), Uninstall(), Version())}

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
    parser = _parser()
    if not argv:  # a runtime that forgot CNI_COMMAND gets what the reference says, where it may find it
        sys.stderr.write(about("multus"))
        parser.print_usage(sys.stderr)
        return 0
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.error("a command is missing")
    return COMMANDS[arguments.command].run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="multus",
        description="Several networks for a pod, with the plugins and the IPAM that they need, in one program.",
        epilog="A container runtime executes this program by the name of the plugin it wants, with CNI_COMMAND set; "
        "executed by the name cnitool, it attaches one network by hand.",
        allow_abbrev=False,
    )
    parser.add_argument("-v", "--version", action="version", version=f"multus {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="command", title="commands")
    for name, command in COMMANDS.items():
        describe(commands.add_parser(name, help=command.summary), command)
    return parser
