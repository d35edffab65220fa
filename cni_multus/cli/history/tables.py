"""What `multus history` shows to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.history.entry import PARTS
from cni_multus.cli.history.figures import PART
from cni_multus.cli.output import GREEN, RED, YELLOW, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cli.history.entry import Entry
    from cni_multus.cli.inspect.notes import Note

    Rows = Sequence[dict[str, object]]


def _number(value: object) -> str:
    return f"{value:.1f}"


def _outcome(value: object) -> str:
    return GREEN if value == "ok" else RED


REQUESTS = (
    Column("TIME", "time"),
    Column("POD", "pod"),
    Column("VERB", "verb"),
    Column("OUTCOME", "outcome", style=_outcome),
    Column("MS", "ms", right=True, show=_number),
    *(Column(part.upper(), part, right=True, rare=True, show=_number) for part in PARTS),
    Column("SLOWEST", "slowest", rare=True, style=lambda _: YELLOW),
    Column("INTERFACES", "interfaces", rare=True),
    Column("CONTAINER", "container", wide=True),
    Column("ADDRESSES", "addresses", wide=True, rare=True),
    Column("WHY", "message", rare=True, style=lambda _: RED),
)
_FIGURES = (
    Column("REQUESTS", "count", right=True),
    Column("FAILED", "failed", right=True, show=str),
    Column("P50 MS", "p50", right=True, show=_number),
    Column("P95 MS", "p95", right=True, show=_number),
    Column("MAX MS", "max", right=True, show=_number),
)
_SHARE = Column("OF ALL TIME", "share", right=True, show=lambda value: f"{value} %")


def requests(entries: Sequence[Entry]) -> Table:
    """One row for each."""
    return Table("Requests, the newest last", REQUESTS, [_row(entry) for entry in entries], "no request is like that")


def table_of(by: str, rows: Rows) -> Table:
    """Counts and times by one thing."""
    columns = (Column(by.upper(), by), *_FIGURES, *([_SHARE] if by == PART else []))
    return Table(f"By {by}", columns, rows)


def notes_table(notes: Sequence[Note]) -> Table:
    """What could not be looked at, or is not known."""
    return Table("Notes", (Column("NOTE", "note"),), [{"note": str(note)} for note in notes])


def _row(entry: Entry) -> dict[str, object]:
    return {
        "time": entry.time,
        "pod": "/".join(entry.pod.split("/")[:2]),
        "verb": entry.verb,
        "outcome": f"code {entry.code}" if entry.code else entry.outcome,
        "ms": entry.ms,
        **{part: ms for part, ms in entry.shares.items() if ms},
        "slowest": entry.slowest,
        "interfaces": [_interface(one) for one in entry.networks],
        "container": entry.container,
        "addresses": [f"{ip} {one['interface']}" for one in entry.networks for ip in _texts(one["ips"])],
        "message": entry.message,
    }


def _interface(network: dict[str, object]) -> str:
    took = f"={network['ms']}" if "ms" in network else ""
    return f"{network['interface']} {network['name']}{took}"


def _texts(value: object) -> list[str]:
    return value if isinstance(value, list) else []
