"""`multus ipam fsck`: what is inconsistent in records of addresses; `--fix` mends what can be mended safely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, Command
from cni_multus.cli.ipam import survey
from cni_multus.cli.ipam.held import IN_FLIGHT
from cni_multus.cli.ipam.survey import Survey
from cni_multus.cli.options import add_dry_run, add_output, seconds
from cni_multus.cli.output import GREEN, YELLOW, Column, Table, emit, warn
from cni_multus.cni.errors import CniError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from cni_multus.cli.ipam.cluster import Cluster
    from cni_multus.cli.ipam.evidence import Evidence
    from cni_multus.cli.ipam.finding import Finding
    from cni_multus.cli.ipam.held import Place

_STYLES = {"mended": GREEN, "would be": YELLOW, "by --fix": YELLOW}

COLUMNS = (
    Column("ENGINE", "engine"),
    Column("KIND", "kind"),
    Column("WHAT", "what"),
    Column("FINDING", "message"),
    Column("BREAKS", "breaks", wide=True),
    Column("CURE", "cure"),
    Column("MENDED", "state", style=lambda value: _STYLES.get(str(value), "")),
)


class Fsck(Command):
    """Every finding with what it breaks and how it is mended."""

    name = "fsck"
    summary = "find, and mend, what is inconsistent in the records of addresses"
    description = (
        "Look for what is inconsistent: in the leases of this node and in its journal, in the files of host-local and "
        "static and, where an API server is named, between pools, reservations and the journal. --fix mends what can "
        "be mended safely, each by an operation that does nothing if things are not as they were seen; what nobody "
        "but a person can decide is left. Without it nothing is changed."
    )
    exits = {
        DONE: "nothing is wrong, or --fix mended all of it",
        FOUND: "something is wrong",
        PARTIAL: "nothing is wrong as far as could be looked: some place could not",
        FAILED: "it could not be done",
    }
    examples = (
        "multus ipam fsck",
        "multus ipam fsck --fix",
        "multus ipam fsck --engine kubernetes --kubeconfig /etc/kubernetes/admin.conf --fix --dry-run -o wide",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="mend what can be mended safely")
        parser.add_argument(
            "--grace",
            metavar="TIME",
            type=seconds,
            default=IN_FLIGHT,
            help="what is younger may be somebody's work: 90s, 10m (2m); less than an ADD takes is dangerous",
        )
        add_dry_run(parser)
        survey.declare(parser)
        add_output(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        looked = Survey(arguments)
        evidence = looked.evidence(many=True)
        rows, wrong = [], 0
        findings = list(looked.gather(lambda place: examine(place, evidence, arguments.grace)))
        evidence.forget(many=False)  # what mends since an owner is gone asks once more
        for finding in findings:
            mended = _mend(finding) if arguments.fix and not arguments.dry_run else None
            rows.append({**finding.to_json(mended), "state": _state(finding, arguments.fix, mended)})
            wrong += not mended
        document = {"findings": [{key: value for key, value in row.items() if key != "state"} for row in rows]}
        emit(arguments.output, document, [Table("", COLUMNS, rows, "nothing is wrong")])
        return FOUND if wrong else looked.status()


def examine(place: Place, evidence: Evidence, grace: float) -> Iterator[Finding]:
    """What is wrong in one place; what is younger than `grace` seconds may be somebody's work."""
    from cni_multus.cli.ipam.cluster import Cluster
    from cni_multus.cli.ipam.hostlocal import Directory
    from cni_multus.cli.ipam.nodestore import NodeStore

    if isinstance(place, Directory):
        from cni_multus.cli.ipam.faults_directory import faults_of_directory

        yield from faults_of_directory(place, grace)
    elif isinstance(place, NodeStore):
        from cni_multus.cli.ipam.faults_store import faults_of_store

        yield from faults_of_store(place)
    elif isinstance(place, Cluster):
        seen = {(finding.kind, finding.what) for finding in _of_cluster(place, evidence, grace)}
        if seen:
            # An ADD or a DEL may have been at work, between one list and the next: what is wrong is so twice.
            place.look_again()
            evidence.forget()
            yield from (one for one in _of_cluster(place, evidence, grace) if (one.kind, one.what) in seen)


def _of_cluster(place: Cluster, evidence: Evidence, grace: float) -> Iterator[Finding]:
    from cni_multus.cli.ipam.faults_journal import faults_of_journal
    from cni_multus.cli.ipam.faults_pools import faults_of_pools

    yield from faults_of_pools(place, evidence, grace)
    yield from faults_of_journal(place, evidence, grace)


def _mend(finding: Finding) -> bool:
    if finding.mend is None:
        return False
    try:
        return finding.mend()
    except CniError as error:
        warn(f"{finding.what} is not mended: {error.message}")
        return False


def _state(finding: Finding, fix: bool, mended: bool | None) -> str:
    if mended:
        return "mended"
    if finding.mend is None:
        return "by hand"
    if mended is None:
        return "would be" if fix else "by --fix"
    return "not: it changed, or could not be"
