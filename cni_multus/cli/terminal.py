"""What a terminal is shown: columns that fit its width, and colours; nothing else imports rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cni_multus.cli.output import is_coloured

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal, TextIO

    from cni_multus.cli.output import Column, Row

COLOURS = {"31": "red", "32": "green", "33": "yellow", "1": "bold", "2": "dim"}
"""The names of the styles whose codes (ECMA-48, 8.3.117) are `output`'s constants."""


def console(stream: TextIO) -> Console:
    """For `stream`, as its user wants it; texts are shown as they are, no word in them is an order."""
    colours: Literal["standard"] | None = "standard" if is_coloured(stream) else None
    return Console(file=stream, highlight=False, markup=False, emoji=False, color_system=colours)


def draw(columns: Sequence[Column], rows: Iterable[tuple[Row, list[str]]], stream: TextIO) -> None:
    """One table; what does not fit into its column goes on below, nothing is cut."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row, cells in rows:
        styles = [column.style(row.get(column.key)) if column.style else "" for column in columns]
        table.add_row(*[Text(cell, style=COLOURS.get(style, "")) for cell, style in zip(cells, styles, strict=True)])
    console(stream).print(table)
