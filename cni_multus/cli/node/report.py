"""How `multus install` and `multus uninstall` print what they have changed, or would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.output import GREEN, RED, YELLOW, Column, Table, emit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from cni_multus.node.changes import Changes

_COLOURS = {"make": GREEN, "restore": GREEN, "remove": RED, "leave": YELLOW}


def show(arguments: argparse.Namespace, changes: Changes, more: Mapping[str, object]) -> None:
    """Print them as a table, or with `more` members as a document."""
    columns = (
        Column("WOULD" if changes.dry else "DONE", "action", style=lambda value: _COLOURS.get(str(value), "")),
        Column("PATH", "path"),
        Column("DETAIL", "detail"),
    )
    rows = [change.to_json() for change in changes.made]
    empty = "nothing to do: everything is as it should be"
    emit(arguments.output, {"dryRun": changes.dry, "changes": rows, **more}, [Table("", columns, rows, empty=empty)])
