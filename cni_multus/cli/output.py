"""How commands print: one document, drawn as tables for people or printed as JSON or YAML for programs.

On a terminal tables fit its width and have colours; elsewhere a row is one line, for grep and awk. What comes from
outside (a file's content, a pod's name) may hold anything: tables show control characters escaped.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TextIO

    Row = Mapping[str, object]

TABLE, WIDE, JSON, YAML = FORMS = ("table", "wide", "json", "yaml")

RED, GREEN, YELLOW, BOLD, FAINT = "31", "32", "33", "1", "2"
_NOTHING = "-"
_DRAWN = 5000
"""The most rows that are fitted to a terminal, half a millisecond for each; more are written as to a file."""


@dataclass(frozen=True)
class Column:
    """One column: the member `key` of each row, as `show` makes it text; `wide` ones are shown with -o wide only."""

    title: str
    key: str
    wide: bool = False
    rare: bool = False
    """Left out where no row has a value."""
    right: bool = False
    show: Callable[[object], str] | None = None
    style: Callable[[object], str] | None = None
    """The colour for a value: one of the constants above, or ""."""

    def text(self, row: Row) -> str:
        """What stands in the cell."""
        value = row.get(self.key)
        if value is None or value in ("", []):
            return _NOTHING
        if self.show is not None:
            return escape(self.show(value))
        if isinstance(value, bool):
            return "yes" if value else "no"
        return escape(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


@dataclass(frozen=True)
class Table:
    """Rows under a title; `empty` is said where there are none."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str = ""


def emit(form: str, document: object, tables: Iterable[Table], stream: TextIO | None = None) -> None:
    """Print `document` in a form for programs, or `tables` in one for people."""
    stream = stream or sys.stdout
    if form == JSON:
        json.dump(document, stream, indent=2)  # ASCII: what is not UTF-8 in a name must not end the output
        stream.write("\n")
    elif form == YAML:
        stream.write(to_yaml(document))
    else:
        _draw_all(list(tables), stream, wide=form == WIDE)


def to_yaml(document: object) -> str:
    """A YAML document, members in their order."""
    import yaml

    try:
        return _to_yaml(document, getattr(yaml, "CSafeDumper", yaml.SafeDumper))
    except UnicodeEncodeError:  # what is not UTF-8 in a name; the slower one escapes it
        return _to_yaml(document, yaml.SafeDumper)


def _to_yaml(document: object, dumper: Any) -> str:
    import yaml

    return str(yaml.dump(document, Dumper=dumper, sort_keys=False, width=120))


def warn(text: str) -> None:
    """One line on standard error; whoever prints it goes on."""
    sys.stderr.write(f"{_speaker()}: warning: {one_line(text)}\n")


_named: list[str] = []


def speak_as(name: str) -> None:
    """Begin warnings with `name` from now on."""
    _named[:] = [name]


def _speaker() -> str:
    return _named[0] if _named else "multus"


def one_line(text: str) -> str:
    """The text with all white space made one blank, and nothing that a terminal would obey."""
    return escape(" ".join(text.split()))


def escape(text: str) -> str:
    """The text with what is not printable shown as Python escapes it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def is_coloured(stream: TextIO) -> bool:
    """Whether `stream` is a terminal whose user has nothing against colours (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """The text in a colour where the stream shows any."""
    return f"\033[{colour}m{text}\033[0m" if colour and text and is_coloured(stream or sys.stdout) else text


def _draw_all(tables: list[Table], stream: TextIO, *, wide: bool) -> None:
    shown = [table for table in tables if table.rows or table.empty]
    for at, table in enumerate(shown):
        if at:
            stream.write("\n")
        if table.title and len(shown) > 1:
            stream.write(paint(table.title, BOLD, stream) + "\n")
        if table.rows:
            _draw(table, stream, wide=wide)
        else:
            stream.write(f"{table.empty}\n")


def _draw(table: Table, stream: TextIO, *, wide: bool) -> None:
    columns = [
        column
        for column in table.columns
        if (wide or not column.wide) and not (column.rare and all(not row.get(column.key) for row in table.rows))
    ]
    cells = [[column.text(row) for column in columns] for row in table.rows]
    if stream.isatty() and len(cells) <= _DRAWN:
        from cni_multus.cli.terminal import draw

        draw(columns, zip(table.rows, cells, strict=True), stream)
        return
    widths = [max(len(column.title), *(len(line[at]) for line in cells)) for at, column in enumerate(columns)]
    stream.writelines(_line(line, columns, widths) + "\n" for line in ([column.title for column in columns], *cells))


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if column.right else cell.ljust(width)
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    return "  ".join(padded).rstrip()
