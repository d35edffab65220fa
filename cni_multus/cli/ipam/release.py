"""`multus ipam release`: one address, or what one attachment has, given back by hand and under guard."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, Command, UsageError
from cni_multus.cli.ipam import options, survey
from cni_multus.cli.ipam.evidence import GONE, LIKELY_GONE, LIVES, Verdict
from cni_multus.cli.ipam.leaks import judge
from cni_multus.cli.ipam.owner import COLUMNS
from cni_multus.cli.ipam.survey import Survey
from cni_multus.cli.options import add_dry_run, add_output
from cni_multus.cli.output import Column, Table, emit, one_line

if TYPE_CHECKING:
    import argparse

    from cni_multus.cli.ipam.held import Held, Place

    Found = tuple[Place, Held]

_MAY_GO = (GONE, LIKELY_GONE, "waiting")


class Release(Command):
    """It takes from whom it was told to take, or from nobody."""

    name = "release"
    summary = "give back one address by hand, unless its owner lives"
    description = (
        "Give back an address, or all that one attachment has. Without --owner it only shows who has the address. "
        "With it the address is taken from exactly that owner: whoever else has it by then keeps it. Refused while "
        "the owner looks alive, or nothing tells whether it does; --force is for those who know better. A lease of "
        "whereabouts is given back with all its addresses."
    )
    exits = {
        DONE: "released (with --dry-run: it would be)",
        FOUND: "nothing was released: nobody, or somebody else, has it, or its owner may live",
        PARTIAL: "nobody has it as far as could be looked: some place could not",
        FAILED: "it could not be done",
    }
    examples = (
        "multus ipam release 10.10.0.7",
        "multus ipam release 10.10.0.7 --owner 4f2a6c1e9b7d@net1",
        "multus ipam release --attachment storage/4f2a6c1e9b7d/net1 --dry-run",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("address", metavar="ADDRESS", nargs="?", type=options.address, help="the address")
        which.add_argument(
            "--attachment", metavar="NETWORK/CONTAINER/INTERFACE", default="", help="all that this attachment has"
        )
        parser.add_argument(
            "--owner", metavar="CONTAINER@INTERFACE", default="", help="who it is taken from, as `owner -o wide` says"
        )
        parser.add_argument("--force", action="store_true", help="also where the owner looks alive")
        add_dry_run(parser)
        survey.declare(parser)
        add_output(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        looked = Survey(arguments)
        who = f"{arguments.address or arguments.attachment}"
        found = list(_by_attachment(looked, arguments.attachment) if arguments.attachment else _by(looked, arguments))
        if not found:
            return _say(f"nobody has {who}", looked.status(FOUND))
        evidence = looked.evidence()
        verdicts = [judge(evidence, held) for _, held in found]
        if not arguments.attachment and (why := _not_told(arguments, found)):
            emit(arguments.output, _rows(found, verdicts), [Table("", COLUMNS, _rows(found, verdicts)["holders"])])
            return _say(why, FOUND)
        chosen = [(one, verdict) for one, verdict in zip(found, verdicts, strict=True) if _is_meant(arguments, one[1])]
        for (_, held), verdict in chosen:
            if verdict.state not in _MAY_GO and not arguments.force:
                return _say(_refusal(held, verdict), FOUND)
        return _release_all(arguments, [one for one, _ in chosen])


def _by(looked: Survey, arguments: argparse.Namespace) -> list[Found]:
    return list(looked.gather(lambda place: ((place, held) for held in place.find(arguments.address))))


def _by_attachment(looked: Survey, text: str) -> list[Found]:
    parts = tuple(text.split("/"))
    if len(parts) != 3 or not all(parts):
        raise UsageError(f"--attachment: {text!r} is not NETWORK/CONTAINER/INTERFACE")
    return list(looked.gather(lambda place: ((place, held) for held in place.held() if held.attachment == parts)))


def _is_meant(arguments: argparse.Namespace, held: Held) -> bool:
    return bool(arguments.attachment) or held.owner == arguments.owner


def _not_told(arguments: argparse.Namespace, found: list[Found]) -> str:
    """Why nothing can be released yet, "" where `--owner` names one who has it."""
    owners = " or ".join(sorted({held.owner for _, held in found}))
    if not arguments.owner:
        return f"nothing was released: say who it is taken from, with --owner {owners}"
    if any(_is_meant(arguments, held) for _, held in found):
        return ""
    return f"nothing was released: {arguments.owner} does not have {arguments.address}, {owners} has it"


def _refusal(held: Held, verdict: Verdict) -> str:
    looks = "looks alive" if verdict.state == LIVES else "may be alive"
    return (
        f"nothing was released: {held.who or held.record}, who has {held.ip}, {looks}: {verdict.because}; "
        "--force takes it away all the same, and somebody else may get it then"
    )


def _release_all(arguments: argparse.Namespace, chosen: list[Found]) -> int:
    rows, lost = [], []
    for place, held in chosen:
        if arguments.dry_run or place.release(held):
            rows.append({**held.to_json(), "owner": held.owner})
        elif not _went_along(held, rows):
            lost.append(str(held.ip))
    title = "would be released" if arguments.dry_run else "released"
    columns = (Column(title.upper(), "address"), Column("OWNER", "owner"), *COLUMNS[1:4])
    emit(arguments.output, {title.replace(" ", "_"): rows}, [Table("", columns, rows)])
    if lost:
        return _say(f"{', '.join(lost)}: changed meanwhile, nothing was released of it; look again", FOUND)
    return DONE


def _went_along(held: Held, rows: list[dict[str, object]]) -> bool:
    """Whether it was another address of a lease that is given back by now."""
    return any(row["record"] == held.record and row["owner"] == held.owner for row in rows)


def _rows(found: list[Found], verdicts: list[Verdict]) -> dict[str, list[dict[str, object]]]:
    rows = [
        {**held.to_json(), "alive": verdict.state, "because": verdict.because, "owner": held.owner}
        for (_, held), verdict in zip(found, verdicts, strict=True)
    ]
    return {"holders": rows}


def _say(text: str, status: int) -> int:
    sys.stderr.write(f"multus ipam release: {one_line(text)}\n")
    return status
