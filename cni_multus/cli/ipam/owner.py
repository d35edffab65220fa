"""`multus ipam owner`: who has an address, and what there is to say that they still live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FOUND, PARTIAL, Command
from cni_multus.cli.ipam import evidence, options, survey
from cni_multus.cli.ipam.held import age
from cni_multus.cli.ipam.survey import Survey
from cni_multus.cli.options import add_output
from cni_multus.cli.output import GREEN, RED, YELLOW, Column, Table, emit

if TYPE_CHECKING:
    import argparse

COLOURS = {evidence.LIVES: GREEN, evidence.GONE: RED, evidence.LIKELY_GONE: YELLOW}

OWNER = Column("OWNER", "alive", style=lambda value: COLOURS.get(str(value), ""))
WHY = Column("WHY", "because")
SINCE = Column("AGE", "since", show=age)
HOLDER = (
    Column("STATE", "state"),
    Column("POD", "pod", rare=True),
    Column("CLAIM", "claim", rare=True),
    Column("INTERFACE", "ifname"),
    Column("CONTAINER", "containerID", show=lambda value: str(value)[:13]),
    SINCE,
)
FOUND_WITH = (
    Column("ADDRESS", "address"),
    Column("ENGINE", "engine"),
    Column("POOL", "pool"),
    *HOLDER,
    Column("NODE", "node", wide=True, rare=True),
    OWNER,
    WHY,
    Column("RELEASE WITH --owner", "owner", wide=True),
    Column("RECORD", "record", wide=True),
)
"""An address, whose it is, and what tells whether that one is still there."""
COLUMNS = (*FOUND_WITH, Column("WRONG", "wrong", rare=True))


class OwnerOf(Command):
    """One line for each record that names the address; more than one is told of on standard error as well."""

    name = "owner"
    summary = "find who has an address, and whether it is still there"
    description = (
        "Find who has an address: in the files of this node, in what it took from the cluster and, where an API "
        "server is named, in the cluster's pools and reservations. Nothing is locked, and nothing is changed."
    )
    exits = {
        DONE: "somebody has it",
        FOUND: "nobody has it",
        PARTIAL: "what is said holds, but some place could not be looked at",
    }
    examples = ("multus ipam owner 10.10.0.7", "multus ipam owner fd00::7 --kubeconfig /etc/kubernetes/admin.conf")

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("address", metavar="ADDRESS", type=options.address, help="an IPv4 or IPv6 address")
        survey.declare(parser)
        add_output(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        looked = Survey(arguments)
        found = list(looked.gather(lambda place: place.find(arguments.address)))
        judging = looked.evidence()
        rows = []
        for held in found:
            verdict = judging.judge(held)
            rows.append({**held.to_json(), "alive": verdict.state, "because": verdict.because, "owner": held.owner})
        empty = f"nobody has {arguments.address}"
        emit(arguments.output, {"address": str(arguments.address), "holders": rows}, [Table("", COLUMNS, rows, empty)])
        return looked.status(DONE if rows else FOUND)
