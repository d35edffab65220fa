"""What our own commands say, as if they had been typed; whichever this version has."""

from __future__ import annotations

import argparse
import io
import time
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from cni_multus.cli.bundle.piece import MEGABYTE, Collector, Piece
from cni_multus.cli.completion import actions_of, commands_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.bundle.piece import Place

COMMANDS = (
    ("inspect.json", "what is attached, by the records and by the kernel", ("inspect", "--all", "-o", "json")),
    ("node.svg", "the same, drawn", ("inspect", "--all", "--graph", "svg")),
    ("doctor.json", "what is wrong on the node", ("doctor", "-o", "json")),
    ("history.json", "the last requests, and what was slow", ("history", "-n", "1000", "-o", "json")),
    ("ipam.json", "who has which addresses", ("ipam", "show", "-o", "json")),
    ("ipam-fsck.json", "what is wrong with the records of addresses", ("ipam", "fsck", "-o", "json")),
    ("plugins.txt", "the plugins that are built in", ("plugins",)),
    ("version.txt", "the versions of this program", ("version",)),
)
_FORWARDED = ("--root", "--conf-dir", "--bin-dir", "--results-dir", "--cni-dir")
_COMPLAINTS = 8
"""Lines on standard error that the index repeats."""
_LONG, _LARGE = 60.0, 32 * MEGABYTE


def collectors() -> tuple[Collector, ...]:
    """One for each command."""
    return tuple(
        Collector(f"commands/{name}", what, _Typed(name, what, words), _LONG, _LARGE) for name, what, words in COMMANDS
    )


class _Typed:
    """Runs a command in this process."""

    def __init__(self, name: str, what: str, words: tuple[str, ...]) -> None:
        self.name = f"commands/{name}"
        self.what = f"{what}: multus {' '.join(words)}"
        self.words = words

    def __call__(self, place: Place) -> Iterator[Piece]:
        from cni_multus.cli.main import COMMANDS as KNOWN

        if self.words[0] not in KNOWN:
            yield Piece(self.name, self.what, trouble=f"this version has no command {self.words[0]}")
            return
        told, complained = io.StringIO(), io.StringIO()
        with redirect_stdout(told), redirect_stderr(complained):
            status = self._run(place)
        lines = complained.getvalue().splitlines()
        more = [f"and {len(lines) - _COMPLAINTS} more"] if len(lines) > _COMPLAINTS else []
        trouble = " | ".join([*lines[:_COMPLAINTS], *more])
        if not trouble and status > 1:
            trouble = f"its exit status is {status}: {self._meaning(status)}"
        yield Piece(self.name, self.what, told.getvalue(), trouble)

    def _meaning(self, status: int) -> str:
        from cni_multus.cli.command import USAGE, USAGE_MEANS
        from cni_multus.cli.main import command

        return {USAGE: USAGE_MEANS, **command(self.words[0]).exits}.get(status, "it does not say why")

    def _run(self, place: Place) -> int:
        from cni_multus.cli.group import guarded
        from cni_multus.cli.main import command, parser_of_all

        parser = parser_of_all()
        try:
            arguments = parser.parse_args([*self.words, *_options(_parser(parser, self.words), place)])
        except SystemExit as stop:
            return stop.code if isinstance(stop.code, int) else 2
        return guarded(command(self.words[0]), arguments, f"multus {self.words[0]}")


def _parser(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> argparse.ArgumentParser:
    """That of the command whose words they are."""
    from cni_multus.cli.group import Described

    for word in words:
        below = commands_of(parser).get(word)
        if below is None:
            break
        parser = below
        if isinstance(parser, Described):
            parser.complete()
    return parser


def _options(parser: argparse.ArgumentParser, place: Place) -> list[str]:
    """Where the node is, as far as the command takes that."""
    known = {option for action in actions_of(parser) for option in action.option_strings}
    given = vars(place.arguments)
    options = []
    for option in _FORWARDED:
        value = given.get(option[2:].replace("-", "_"))
        if option in known and value:
            options.append(f"{option}={value}")
    if "--since" in known and place.since:
        options.append(f"--since={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(place.since))}")
    if "--no-api" in known and not place.arguments.with_api:
        options.append("--no-api")
    elif "--kubeconfig" in known and place.arguments.with_api and place.arguments.kubeconfig:
        options.append(f"--kubeconfig={place.arguments.kubeconfig}")
    return options
