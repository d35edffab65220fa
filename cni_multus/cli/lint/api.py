"""`lint(documents) -> findings`: for the command, and for whoever wants to know what is wrong with a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.lint.document import Document, Options
from cni_multus.cli.lint.findings import ERROR, NOTE, WARNING, Finding, Report

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ERROR", "NOTE", "WARNING", "Document", "Finding", "Options", "lint"]


def lint(documents: Iterable[Document], options: Options | None = None) -> list[Finding]:
    """Everything that is wrong with the documents, by file and place; they are held against each other as well."""
    from cni_multus.cli.lint.across import compare
    from cni_multus.cli.lint.kinds import Reader

    report = Report()
    reader = Reader(report, options or Options())
    for document in documents:
        reader.read(document)
    reader.finish()
    compare(report, reader)
    return report.findings()
