"""Write the manual pages, one for each command, from the commands themselves (`make man`; roff by man(7)).

Usage: python -m tools.man docs/man
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cni_multus import VERSION
from cni_multus.cli.command import USAGE, USAGE_MEANS
from cni_multus.cli.completion import actions_of, commands_of
from cni_multus.cli.group import Described, Group
from cni_multus.cli.main import command, parser_of_all

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from cni_multus.cli.command import Command

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "man"
SECTION = "8"
"""Of system administration commands (man-pages(7))."""


@dataclass(frozen=True)
class Page:
    """What is typed, its parser, and what the command says of itself (None of the program alone)."""

    words: tuple[str, ...]
    parser: argparse.ArgumentParser
    command: Command | None

    @property
    def name(self) -> str:
        """`multus-ipam-show`."""
        return "-".join(self.words)


def pages() -> Iterator[Page]:
    """Every command's."""
    top = parser_of_all()
    yield Page(("multus",), top, None)
    for word, parser in commands_of(top).items():
        yield from _below(("multus", word), parser, command(word))


def _below(words: tuple[str, ...], parser: argparse.ArgumentParser, what: Command) -> Iterator[Page]:
    if isinstance(parser, Described):
        parser.complete()
    yield Page(words, parser, what)
    if isinstance(what, Group):
        for word, inner in commands_of(parser).items():
            yield from _below((*words, word), inner, what.load(what.commands[word][0]))


def write(page: Page) -> str:
    """The page in roff."""
    summary = page.command.summary if page.command else "several networks for a pod: plugins, IPAM and operator's tools"
    lines = [
        f'.TH {_text(page.name).upper()} {SECTION} "" "multus {_text(VERSION)}" "Multus"',
        ".SH NAME",
        f"{_text(page.name)} \\- {_text(summary)}",
        ".SH SYNOPSIS",
        f".B {_text(' '.join(page.words))}",
        *_synopsis(page.parser),
        ".SH DESCRIPTION",
        _text((page.command and page.command.description) or page.parser.description or summary),
        *_arguments(page.parser),
        *_commands(page),
    ]
    if page.command is not None:
        lines += _endings(page.command)
    lines += _others(page)
    return "\n".join(lines) + "\n"


def _synopsis(parser: argparse.ArgumentParser) -> list[str]:
    usage = " ".join(parser.format_usage().split())
    rest = usage.removeprefix(f"usage: {parser.prog}").strip()
    return [_text(rest)] if rest else []


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    lines = []
    for action in actions_of(parser):
        if action.nargs == "A...":
            continue
        shown = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        if action.option_strings and action.nargs != 0:
            values = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
            shown += f" {values}"
        text = (action.help or "") % {"default": action.default, "prog": parser.prog}
        lines += [".TP", f".B {_text(shown)}", _text(text)]
    return [".SH OPTIONS", *lines] if lines else []


def _commands(page: Page) -> list[str]:
    lines = []
    for word in commands_of(page.parser):
        lines += [".TP", f".BR {_text(f'{page.name}-{word}')} ({SECTION})", _text(_summary(page, word))]
    return [".SH COMMANDS", *lines] if lines else []


def _summary(page: Page, word: str) -> str:
    if isinstance(page.command, Group):
        return page.command.commands[word][1]
    return command(word).summary


def _endings(what: Command) -> list[str]:
    lines = []
    if what.exits:
        lines.append(".SH EXIT STATUS")
        for code, meaning in sorted({**what.exits, USAGE: USAGE_MEANS}.items()):
            lines += [".TP", f".B {code}", _text(meaning)]
    if what.examples:
        lines += [".SH EXAMPLES", ".nf", *map(_text, what.examples), ".fi"]
    return lines


def _others(page: Page) -> list[str]:
    parent = page.words[:-1]
    return [".SH SEE ALSO", f".BR {_text('-'.join(parent))} ({SECTION})"] if parent else []


def _text(text: str) -> str:
    """A line as roff takes it literally."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def write_all(directory: Path) -> None:
    """One file for each; those of commands that are gone are removed."""
    directory.mkdir(parents=True, exist_ok=True)
    written = {f"{page.name}.{SECTION}": write(page) for page in pages()}
    for path in directory.glob(f"*.{SECTION}"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
