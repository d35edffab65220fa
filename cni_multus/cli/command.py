"""What an operator's command is; each has a module of this package."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DONE = 0
FOUND = 1
"""The exit status where something was found to be wrong, nothing was found at all, or a guard refused."""
USAGE = 2
PARTIAL = 3
"""What was said holds, but something could not be looked at."""
FAILED = 4

USAGE_MEANS = "the command line is wrong"


class UsageError(Exception):
    """What was typed cannot be meant: one line on standard error, and the exit status USAGE."""


class Command:
    """A command of `multus`: `name` is what is typed, `summary` what --help says of it in a list of commands."""

    name = ""
    summary = ""
    description = ""
    """What --help says of it alone; the summary where this is empty."""
    exits: Mapping[int, str] = {}
    """What each exit status means; USAGE is added."""
    examples: Sequence[str] = ()

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Say which arguments it takes; none unless it says so."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit status."""
        raise NotImplementedError


def describe(parser: argparse.ArgumentParser, command: Command) -> None:
    """Give a command's own parser its texts and arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.allow_abbrev = False
    parser.description = textwrap.fill(command.description or command.summary, 100)
    parser.epilog = epilog(command)
    command.declare(parser)


def epilog(command: Command) -> str:
    """The exit statuses and the examples, as --help shows them."""
    parts = []
    if command.exits:
        exits = {**command.exits, USAGE: USAGE_MEANS}
        parts.append("exit status:\n" + "".join(f"  {code}  {exits[code]}\n" for code in sorted(exits)))
    if command.examples:
        parts.append("examples:\n" + "".join(f"  {example}\n" for example in command.examples))
    return "\n".join(parts)
