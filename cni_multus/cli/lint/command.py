"""`multus lint`: what is wrong with files, before a pod finds out."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FOUND, Command
from cni_multus.cli.options import BIN_DIR
from cni_multus.cli.output import FORMS, RED, TABLE, YELLOW, Column, Table, emit

if TYPE_CHECKING:
    from cni_multus.cli.lint.findings import Finding

SARIF = "sarif"


class Lint(Command):
    """`multus lint FILE…`."""

    name = "lint"
    summary = "say what is wrong with configurations, definitions of networks and pods"
    description = (
        "Looks at configurations (00-multus.conf, lists, single plugins, the flat file of whereabouts), "
        "NetworkAttachmentDefinitions, and pods or what has a pod's template. What a plugin would refuse is an error, "
        "and found by the plugin's own code; what hardly anybody means is a warning. Files are held against each "
        "other. Nothing is changed, and no node is needed."
    )
    exits = {
        DONE: "no errors (with --strict: no warnings either)",
        FOUND: "errors were found (with --strict: or warnings)",
        4: "it could not be done",
    }
    examples = (
        "multus lint conf/",
        "kubectl get network-attachment-definitions -A -o yaml | multus lint -",
        "multus lint --strict -o sarif networks.yaml pods.yaml > lint.sarif",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="FILE", help="a file, a directory, or - for standard input")
        parser.add_argument(
            "--bin-dir",
            metavar="DIR",
            action="append",
            default=[],
            help=f"plugins that are not built in; may be repeated ({BIN_DIR})",
        )
        parser.add_argument("--strict", action="store_true", help="warnings count as errors do")
        parser.add_argument(
            "-o",
            "--output",
            choices=(*FORMS, SARIF),
            default=TABLE,
            help="table (the default), wide for how to mend it, json, yaml, or sarif (2.1.0) for CI",
        )

    def run(self, arguments: argparse.Namespace) -> int:
        from cni_multus.cli.lint.api import ERROR, WARNING, lint
        from cni_multus.cli.lint.document import Options
        from cni_multus.cli.lint.sources import documents

        read = documents(arguments.paths)
        findings = lint(read, Options(tuple(arguments.bin_dir) or (BIN_DIR,)))
        _print(arguments.output, findings)
        bad = (ERROR, WARNING) if arguments.strict else (ERROR,)
        return FOUND if any(each.level in bad for each in findings) else DONE


def _print(form: str, findings: list[Finding]) -> None:
    if form == SARIF:
        from cni_multus.cli.lint.sarif import to_sarif

        emit("json", to_sarif(findings), [])
        return
    columns = [
        Column("PLACE", "place"),
        Column("LEVEL", "level", style=lambda level: {"error": RED, "warning": YELLOW}.get(str(level), "")),
        Column("RULE", "rule"),
        Column("MESSAGE", "message"),
        Column("MEND", "mend", wide=True),
    ]
    rows = [{**asdict(each), "place": f"{each.file}:{each.line}:{each.column}"} for each in findings]
    emit(
        form, {"findings": [asdict(each) for each in findings]}, [Table("findings", columns, rows, "nothing is wrong")]
    )
