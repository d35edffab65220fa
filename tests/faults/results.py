"""What came of a sweep, in files that are kept: `results/<part>.json`, one for each part of the harness.

A part registers its rows by `write`; `python -m tests.faults table` makes FAULTS.md of all of them.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = Path(__file__).with_name("figures")


class Row:
    """One line of the table: `tried` so many, what `held` by which means, and how many did not."""

    def __init__(self, name: str, tried: int, held: dict[str, int], violations: int = 0) -> None:
        self.name = name
        self.tried = tried
        self.held = held
        self.violations = violations


def write(
    part: str,
    title: str,
    rows: list[Row],
    *,
    held: str = "recovered by",
    remarks: tuple[str, ...] = (),
    found: tuple[str, ...] = (),
) -> Path:
    """Keep the rows of a part, which is named as its file is.

    `held` heads the columns of what held by which means, `remarks` are lines of Markdown, `found` the defects that the
    part found in the program.
    """
    DIRECTORY.mkdir(exist_ok=True)
    path = DIRECTORY / f"{part}.json"
    told = {
        "title": title,
        "date": time.strftime("%Y-%m-%d"),
        "commit": _commit(),
        "held": held,
        "rows": [vars(row) for row in rows],
        "remarks": list(remarks),
        "found": list(found),
    }
    path.write_text(json.dumps(told, indent=1) + "\n")
    return path


def table() -> str:
    """All parts that there are, as Markdown."""
    lines = [
        "# Faults",
        "",
        "What was tried to make the program lose, leak or let in, and what came of it. Written by",
        "`python -m tests.faults table` from `tests/faults/figures`; each part names its date, and the commit it was",
        "run on.",
    ]
    for path in sorted(DIRECTORY.glob("*.json")):
        told = json.loads(path.read_text())
        lines += ["", f"## {told['title']}", "", f"{told['date']}, {told['commit']}", ""]
        means = sorted({mean for row in told["rows"] for mean in row["held"]})
        heads = " | ".join(mean if mean.startswith("nothing") else f"{told['held']} {mean}".strip() for mean in means)
        lines += [f"| | tried | {heads} | violations |"]
        lines += [f"|---|--:|{'--:|' * len(means)}--:|"]
        for row in told["rows"]:
            held = " | ".join(str(row["held"].get(mean, 0)) for mean in means)
            lines.append(f"| {row['name']} | {row['tried']} | {held} | {row['violations']} |")
        lines += ["", *told["remarks"]] if told["remarks"] else []
        if found := told.get("found"):
            lines += ["", "Found, and mended:", "", *(f"- {each}" for each in found)]
    return "\n".join(lines) + "\n"


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
