"""Commands under one word (`multus ipam show`), each imported when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from cni_multus.cli.command import FAILED, USAGE, Command, UsageError, describe
from cni_multus.cli.output import one_line, speak_as
from cni_multus.cni.errors import CniError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Group(Command):
    """`commands` has what is typed, with a module of `package` and its class, and what --help says of it."""

    package = ""
    commands: Mapping[str, tuple[str, str]] = {}

    def declare(self, parser: argparse.ArgumentParser) -> None:
        commands = parser.add_subparsers(
            dest=self.name, metavar="command", title="commands", required=True, parser_class=Described
        )
        for name, (target, summary) in self.commands.items():
            made = commands.add_parser(name, help=summary)
            made.find = partial(self.load, target)

    def run(self, arguments: argparse.Namespace) -> int:
        word = getattr(arguments, self.name)
        who = f"multus {self.name} {word}"
        speak_as(who)
        return guarded(self.load(self.commands[word][0]), arguments, who)

    def load(self, target: str) -> Command:
        """The command of a line in `commands`."""
        return load(f"{self.package}.{target}")


def load(target: str) -> Command:
    """A new command of the class that `module:Class` names."""
    module, _, name = target.partition(":")
    made: Command = getattr(importlib.import_module(module), name)()
    return made


def guarded(command: Command, arguments: argparse.Namespace, who: str) -> int:
    """Run a command; why it failed is one line on standard error, and the exit status tells of what kind that is."""
    try:
        with ExitStack() as arguments.closing:
            return command.run(arguments)
    except UsageError as error:
        return _fail(who, str(error), USAGE)
    except OSError as error:
        if error.filename is None:
            raise  # standard output takes no more: the caller knows what to do then
        return _fail(who, f"{error.filename}: {error.strerror}", FAILED)
    except CniError as error:
        return _fail(who, f"{error.message} ({error.details})" if error.details else error.message, FAILED)


class Described(argparse.ArgumentParser):
    """The parser of one command, which is imported (`find`) when its arguments are looked at."""

    find: Callable[[], Command] | None = None

    def complete(self) -> None:
        """Take the command's own texts and arguments."""
        if self.find is not None:
            find, self.find = self.find, None
            describe(self, find())

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As argparse's, which calls it for the one command that was typed."""
        self.complete()
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """One line, and where to read more."""
        self.exit(USAGE, f"{self.prog}: {one_line(message)} (see {self.prog} --help)\n")


def _fail(who: str, why: str, status: int) -> int:
    sys.stderr.write(f"{who}: {one_line(why)}\n")
    return status
