"""The rows as people read them."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.measure import Samples
    from bench.row import Row

HEAD = ("what", "ours", "reference", "ratio", "budget", "ok")
UNITS = {"memory": " MiB", "asked": " calls", "KiB": " KiB", "disk": " MiB", "inodes": " inodes"}
DIGITS = {"memory": 1, "asked": 1, "KiB": 1, "p50": 0, "p99": 0, "calls": 0, "disk": 1, "inodes": 0}


def table(rows: Iterable[Row]) -> str:
    """Medians of CPU / wall in ms where no unit is named; one line per row."""
    lines = [HEAD, *(line(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(
            [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
        )
        for cells in lines
    )


def line(row: Row) -> tuple[str, ...]:
    """The cells of one row."""
    ratio = "" if row.absolute else " / ".join(f"{figure:.2f}" for figure in row.figures().values())
    budget, verdict = "", ""
    if row.budget is not None:
        unit = UNITS.get(row.judged[0], "") if row.absolute else " x"
        only = f" {row.judged[0]}" if row.judged == ("cpu",) else ""
        budget = f"{row.budget:g}{unit}{only}"
        verdict = f"NO ({', '.join(row.over())})" if row.over() else "yes"
    return row.what, cell(row.ours), cell(row.reference), ratio, budget, verdict


def cell(samples: Samples) -> str:
    """The median of every measure, with the measure's unit."""
    return " / ".join(
        f"{median(values):.{DIGITS.get(measure, 2)}f}{UNITS.get(measure, '')}" for measure, values in samples.items()
    )
