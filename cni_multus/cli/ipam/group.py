"""`multus ipam <command>`: the commands about addresses, each imported when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NoReturn

from cni_multus.cli.command import FAILED, USAGE, Command, UsageError, describe
from cni_multus.cli.output import one_line, speak_as
from cni_multus.cni.errors import CniError

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = "cni_multus.cli.ipam"

COMMANDS = {
    "show": ("show:Show", "show pools of addresses, and who has which address"),
    "owner": ("owner:OwnerOf", "find who has an address, and whether it is still there"),
    "leaks": ("leaks:Leaks", "find addresses whose owner is gone"),
    "fsck": ("fsck:Fsck", "find, and mend, what is inconsistent in the records of addresses"),
    "release": ("release:Release", "give back one address by hand, unless its owner lives"),
    "import": ("importing:Import", "take over leases from a document, or from another IPAM"),
    "export": ("exporting:Export", "print leases as a document that import reads"),
    "reconcile": ("reconcile:Reconcile", "free in the cluster what surely nobody has any more"),
}


class Ipam(Command):
    """The group; its own --help lists its commands."""

    name = "ipam"
    summary = "show, check and mend the records of addresses"
    description = "Who has which address, on this node and in the cluster, and what to do where the records are wrong."

    def declare(self, parser: argparse.ArgumentParser) -> None:
        commands = parser.add_subparsers(
            dest="ipam", metavar="command", title="commands", required=True, parser_class=_Described
        )
        for name, (target, summary) in COMMANDS.items():
            commands.add_parser(name, help=summary).target = target

    def run(self, arguments: argparse.Namespace) -> int:
        target, _ = COMMANDS[arguments.ipam]
        who = f"multus ipam {arguments.ipam}"
        speak_as(who)
        try:
            with ExitStack() as arguments.closing:
                return load(target).run(arguments)
        except UsageError as error:
            return _fail(who, str(error), USAGE)
        except OSError as error:
            if error.filename is None:
                raise  # standard output takes no more: the caller knows what to do then
            return _fail(who, f"{error.filename}: {error.strerror}", FAILED)
        except CniError as error:
            return _fail(who, f"{error.message} ({error.details})" if error.details else error.message, FAILED)


class _Described(argparse.ArgumentParser):
    """The parser of one command, which is imported when its arguments are looked at."""

    target = ""

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As argparse's, which calls it for the one command that was typed."""
        if self.target:
            target, self.target = self.target, ""
            describe(self, load(target))
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """One line, and where to read more."""
        self.exit(USAGE, f"{self.prog}: {one_line(message)} (see {self.prog} --help)\n")


def load(target: str) -> Command:
    """The command of a line in COMMANDS."""
    module, _, name = target.partition(":")
    made: Command = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)()
    return made


def _fail(who: str, why: str, status: int) -> int:
    sys.stderr.write(f"{who}: {one_line(why)}\n")
    return status
