"""`multus ipam import`: leases taken over from a document or another place, each whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, Command, UsageError
from cni_multus.cli.ipam import options
from cni_multus.cli.ipam.ranges import KnownRanges
from cni_multus.cli.ipam.sources import Sources
from cni_multus.cli.ipam.targets import PLACES, Taken, target
from cni_multus.cli.options import add_dry_run, add_output
from cni_multus.cli.output import GREEN, RED, YELLOW, Column, Table, emit, warn

if TYPE_CHECKING:
    import argparse

    from cni_multus.cli.ipam.portable import Portable
    from cni_multus.cli.ipam.targets import Target

IMPORTED, WOULD_BE, PRESENT, CONFLICT, LEFT_OUT = "imported", "would be imported", "present", "conflict", "left out"
_STYLES = {IMPORTED: GREEN, WOULD_BE: GREEN, CONFLICT: RED, LEFT_OUT: YELLOW}

COLUMNS = (
    Column("ADDRESSES", "addresses"),
    Column("NETWORK", "network"),
    Column("POD", "pod", rare=True),
    Column("INTERFACE", "ifname"),
    Column("CONTAINER", "containerID", show=lambda value: str(value)[:13]),
    Column("WHAT", "what", style=lambda value: _STYLES.get(str(value), "")),
    Column("WHY", "why", rare=True),
)


class Import(Command):
    """A line for each lease, with what became of it."""

    name = "import"
    summary = "take over leases from a document, or from another IPAM"
    description = (
        "Take over leases: from a document that `multus ipam export` printed, from IPPools and reservations as kubectl "
        "prints them (YAML or JSON), or from another IPAM's records. Each lease is taken over whole or not at all. "
        "What is there already stays as it is, so that the same import may be done again; an address that somebody "
        "else has is a conflict, which is told, and nothing is overwritten. What the target cannot record is said."
    )
    exits = {
        DONE: "everything is there (with --dry-run: it would be)",
        FOUND: "some leases were not taken over: conflicts, or something is missing in them",
        FAILED: "it could not be done, or not all of it",
    }
    examples = (
        "multus ipam import --from host-local --range 10.1.0.0/16 --dry-run",
        "multus ipam import --from leases.jsonl",
        "multus ipam import --from pools.yaml --network storage --to file",
        "multus ipam import --from file --to host-local --host-local-dir /var/lib/cni/networks",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        declare_source(parser, default="-")
        parser.add_argument("--to", choices=PLACES, default=options.FILE, help="where to (file: leases of this node)")
        add_dry_run(parser)
        options.add_directories(parser)
        options.add_evidence(parser)
        options.add_cluster(parser)
        add_output(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.source == arguments.to:
            raise UsageError(f"--from and --to are both {arguments.to}")
        leases = read(arguments)
        to = target(arguments.to, arguments)
        if to.lost and leases:
            warn(f"what is lost: {to.lost}")
        rows = [_row(portable, *_put(to, portable, dry_run=arguments.dry_run)) for portable in leases]
        emit(arguments.output, {"leases": rows}, [Table("", COLUMNS, rows, "there are no leases to take over")])
        return FOUND if any(row["what"] in (CONFLICT, LEFT_OUT) for row in rows) else DONE


def declare_source(parser: argparse.ArgumentParser, default: str) -> None:
    """Where leases come from, and what that does not say."""
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE|PLACE",
        default=default,
        help=f"a document (- is standard input), or file, host-local, static, kubernetes ({default})",
    )
    parser.add_argument(
        "--network", metavar="NAME", default="", help="the CNI network, where leases do not say; of host-local: only it"
    )
    parser.add_argument("--network-name", metavar="NAME", default="", help="network_name, of leases of host-local")
    parser.add_argument("--per-pool", action="store_true", help="leases of host-local are without overlap protection")
    parser.add_argument(
        "--range", metavar="CIDR", action="append", default=[], help="a range that addresses of host-local are of"
    )


def read(arguments: argparse.Namespace) -> list[Portable]:
    """What is to be taken over."""
    known = KnownRanges(arguments.conf_dir, arguments.cni_dir, arguments.results_dir)
    return Sources(arguments, known, warn).read(arguments.source)


def _put(to: Target, portable: Portable, *, dry_run: bool) -> tuple[str, str]:
    """What became of a lease, and why."""
    if why := portable.why_incomplete():
        return LEFT_OUT, why
    try:
        if dry_run:
            return (PRESENT if to.look(portable) else WOULD_BE), ""
        return (IMPORTED if to.put(portable) else PRESENT), ""
    except Taken as error:
        return CONFLICT, error.message


def _row(portable: Portable, what: str, why: str) -> dict[str, object]:
    lease = portable.lease
    return {
        "addresses": [str(address) for address in lease.addresses],
        "network": lease.holder.attachment.network,
        "containerID": lease.holder.attachment.container_id,
        "ifname": lease.holder.attachment.ifname,
        "pod": lease.holder.pod,
        "what": what,
        **({"why": why} if why else {}),
    }
