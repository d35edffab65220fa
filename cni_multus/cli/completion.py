"""`multus completion`: what a shell needs to complete our command lines; written by shtab."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, Command

if TYPE_CHECKING:
    import argparse

SHELLS = ("bash", "zsh", "fish")
FILES = ("FILE", "FILE...", "DIR", "CONFIG", "NETNS")
"""What an argument is called whose value is a path."""


class Completion(Command):
    """The script is made of the parsers themselves, so that it cannot say anything else than they do."""

    name = "completion"
    summary = "print the completion script for a shell"
    description = "Print a script that lets a shell complete multus's commands, options and their values."
    exits = {DONE: "printed"}
    examples = (
        "multus completion bash > /etc/bash_completion.d/multus",
        "source <(multus completion zsh)",
        "multus completion fish > ~/.config/fish/completions/multus.fish",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("shell", choices=SHELLS, help=", ".join(SHELLS))

    def run(self, arguments: argparse.Namespace) -> int:
        from shtab import complete

        from cni_multus.cli.main import parser_of_all

        parser = parser_of_all()
        for each in every(parser):
            _complete_files(each)
        sys.stdout.write(complete(parser, shell=arguments.shell).rstrip() + "\n")
        return DONE


def every(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """A parser and those of all commands below it, each complete."""
    from cni_multus.cli.group import Described

    if isinstance(parser, Described):
        parser.complete()
    return [parser, *[each for below in commands_of(parser).values() for each in every(below)]]


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands that can be typed behind it, by what is typed."""
    choices = [action.choices for action in actions_of(parser) if action.nargs == "A..."]  # argparse.PARSER
    return {name: each for group in choices if isinstance(group, dict) for name, each in group.items()}


def actions_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Its arguments and options, which argparse tells in no other way."""
    return parser._actions  # noqa: SLF001


def _complete_files(parser: argparse.ArgumentParser) -> None:
    from shtab import DIRECTORY, FILE

    for action in actions_of(parser):
        if action.metavar in FILES:
            action.complete = DIRECTORY if action.metavar == "DIR" else FILE  # type: ignore[attr-defined]
