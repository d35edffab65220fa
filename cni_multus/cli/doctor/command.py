"""`multus doctor`: what is wrong on this node, the most likely cause in the first line; --fix mends what is safe."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, Command, UsageError
from cni_multus.cli.ipam.options import add_directories
from cni_multus.cli.options import add_api, add_dry_run, add_output, add_site
from cni_multus.cli.output import WIDE, Column, Table, emit, warn

if TYPE_CHECKING:
    import argparse

    from cni_multus.cli.doctor.finding import Check, Examined, Finding
    from cni_multus.cli.doctor.patient import Patient

_LISTED = (Column("CHECK", "id"), Column("IN ORDER WHEN", "title"))


class Doctor(Command):
    """Everything that can be wrong on a node, each check by itself."""

    name = "doctor"
    summary = "find what is wrong on this node, and mend what can be mended safely"
    description = (
        "Look at everything that can be wrong on a node: the runtime's configurations, programs, masters, records and "
        "what the kernel shows, addresses, disks, the way to the API server. Each finding says what was seen, what it "
        "breaks and how it is mended; the first line is the most likely cause. Nothing is changed without --fix."
    )
    exits = {
        DONE: "nothing is wrong, or --fix mended all of it",
        FOUND: "something is wrong",
        PARTIAL: "nothing is wrong as far as could be looked: something could not",
        FAILED: "nothing could be looked at",
    }
    examples = (
        "multus doctor",
        "multus doctor --only address-leaked --fix --dry-run",
        "multus doctor --fix",
        "multus doctor -o json | jq -r '.findings[0].finding'",
        "multus doctor --list",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="mend what can be mended safely, each after saying what")
        parser.add_argument(
            "--only", metavar="CHECK", action="append", default=[], help="make this check only (again for more)"
        )
        parser.add_argument("--list", action="store_true", help="list the checks, and make none")
        add_dry_run(parser)
        add_output(parser)
        add_site(parser)
        add_directories(parser)
        add_api(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.dry_run and not arguments.fix:
            raise UsageError("--dry-run says what --fix would do: add --fix")
        checks = _chosen(arguments.only)
        if arguments.list:
            rows = [{"id": check.id, "title": check.title} for check in checks]
            emit(arguments.output, {"checks": rows}, [Table("", _LISTED, rows)])
            return DONE
        from cni_multus.cli.doctor.examination import examine, ordered
        from cni_multus.cli.doctor.patient import Patient
        from cni_multus.cli.site import Site

        patient = Patient.of(Site.of(arguments), arguments)
        examined = list(examine(patient, checks))
        findings = ordered(examined)
        if arguments.fix:
            _mend(findings, dry=arguments.dry_run, quiet=arguments.output in ("json", "yaml"))
        _show(arguments, patient, examined, findings)
        return _status(patient, examined, findings)


def _chosen(only: list[str]) -> list[Check]:
    from cni_multus.cli.doctor.registry import CHECKS

    known = {check.id for check in CHECKS}
    for name in only:
        if name not in known:
            raise UsageError(f"--only: there is no check {name!r}; `multus doctor --list` lists them")
    return [check for check in CHECKS if not only or check.id in only]


def _mend(findings: list[Finding], *, dry: bool, quiet: bool) -> None:
    """Say what is done, then do it; in a form for programs that goes to standard error."""
    from cni_multus.cli.doctor.mending import mend

    stream = sys.stderr if quiet else sys.stdout
    for finding in findings:
        mend(finding, dry=dry, stream=stream)


def _show(arguments: argparse.Namespace, patient: Patient, examined: list[Examined], findings: list[Finding]) -> None:
    if arguments.output in ("json", "yaml"):
        document = {
            "node": os.uname().nodename,
            "findings": [finding.to_json() for finding in findings],
            "checks": [each.to_json() for each in examined],
            "notes": patient.notes,
        }
        emit(arguments.output, document, [])
        return
    from cni_multus.cli.doctor.telling import tell

    tell(findings, examined, sys.stdout, wide=arguments.output == WIDE)
    for each in examined:
        if each.trouble:
            warn(f"{each.check.id} could not look: {each.trouble}")
    for note in patient.notes:
        warn(note)


def _status(patient: Patient, examined: list[Examined], findings: list[Finding]) -> int:
    if any(not finding.fixed for finding in findings):
        return FOUND
    if all(each.trouble for each in examined):
        return FAILED
    return PARTIAL if patient.notes or any(each.trouble for each in examined) else DONE
