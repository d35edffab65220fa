"""`multus ipam show`: how full the pools are and, of those that are named, who has which address."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, Command
from cni_multus.cli.ipam import survey
from cni_multus.cli.ipam.owner import HOLDER
from cni_multus.cli.ipam.survey import Survey
from cni_multus.cli.options import add_output
from cni_multus.cli.output import RED, YELLOW, Column, Table, emit
from cni_multus.cni.addressing import Cidr

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cni_multus.cli.ipam.held import Held, Summary

FULL, NEARLY = 100.0, 90.0
LARGEST = 5
"""How many of the largest holders are shown."""


def _fullness(value: object) -> str:
    percent = float(str(value)) if value is not None else 0.0
    return RED if percent >= FULL else YELLOW if percent >= NEARLY else ""


POOLS = (
    Column("ENGINE", "engine"),
    Column("POOL", "pool"),
    Column("SIZE", "size", right=True),
    Column("USED", "used", right=True, show=str),
    Column("FREE", "free", right=True, show=str),
    Column("USED %", "percent", right=True, show=str, style=_fullness),
    Column("RANGES", "ranges"),
    Column("RECORD", "record", wide=True),
)
HOLDERS = (
    Column("ADDRESS", "address"),
    *HOLDER,
    Column("UNTIL", "until", rare=True),
    Column("NETWORK", "network", wide=True),
    Column("NODE", "node", wide=True, rare=True),
    Column("POOL", "pool", wide=True),
    Column("ENGINE", "engine", wide=True),
    Column("NAMESPACE", "netns", wide=True, rare=True),
    Column("RECORD", "record", wide=True),
    Column("WRONG", "wrong", rare=True),
)
LARGE = (Column("HOLDER", "holder"), Column("ADDRESSES", "addresses", right=True))


class Show(Command):
    """Without an argument the pools, with one also its holders."""

    name = "show"
    summary = "show pools of addresses, and who has which address"
    description = (
        "Show the pools of addresses that this node knows: in its files, in what it took from the cluster and, where "
        "an API server is named, the cluster's. With a pool's or a network's name, or a range, show who has which "
        "address of it, and who has most. Nothing is locked, and nothing is changed."
    )
    exits = {
        DONE: "shown",
        FOUND: "there is nothing of that name",
        PARTIAL: "what is shown holds, but some place could not be looked at",
        FAILED: "nothing could be shown",
    }
    examples = (
        "multus ipam show",
        "multus ipam show 10.10.0.0/16 -o wide",
        "multus ipam show storage --engine host-local -o json",
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("what", metavar="POOL|NETWORK|RANGE", nargs="?", default="", help="show its holders too")
        survey.declare(parser)
        add_output(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        looked = Survey(arguments)
        wanted = Wanted(arguments.what)
        pools = [pool for pool in looked.gather(lambda place: place.pools()) if wanted.has_pool(pool)]
        document: dict[str, object] = {"pools": [pool.to_json() for pool in pools]}
        tables = [Table("Pools", POOLS, [pool.to_json() for pool in pools], "there are no pools")]
        found = bool(pools)
        if arguments.what:
            holders = [held for held in looked.gather(lambda place: place.held(wanted.range)) if wanted.has(held)]
            holders.sort(key=lambda held: (held.ip.family, held.ip.number, held.engine))
            rows = [held.to_json() for held in holders]
            largest = largest_holders(holders)
            document |= {"holders": rows, "largest": largest}
            tables = [table for table in tables if table.rows]
            tables.append(Table("Holders", HOLDERS, rows, "nobody has an address of it" if found else ""))
            tables.append(Table("Largest holders", LARGE, largest))
            found = found or bool(holders)
            if not found:
                tables = [Table("", (), [], f"there is nothing called {arguments.what}")]
        emit(arguments.output, document, tables)
        return looked.status(DONE if found or not arguments.what else FOUND)


class Wanted:
    """What was asked for: a name, or a range."""

    def __init__(self, text: str) -> None:
        self._name = text
        self.range = _range(text)

    def has_pool(self, pool: Summary) -> bool:
        """Whether a pool is meant; every one where nothing is."""
        if not self._name or self._name in (pool.pool, pool.network, *pool.ranges):
            return True
        return self.range is not None and any(_overlap(self.range, text) for text in pool.ranges)

    def has(self, held: Held) -> bool:
        """Whether an address is meant."""
        if self.range is not None:
            return self.range.contains(held.ip)
        return self._name in (held.pool, held.network)


def largest_holders(holders: Sequence[Held]) -> list[dict[str, object]]:
    """Who has more than one address, the most first."""
    counted = Counter(held.who for held in holders if held.who)
    return [{"holder": who, "addresses": count} for who, count in counted.most_common(LARGEST) if count > 1]


def _range(text: str) -> Cidr | None:
    try:
        return Cidr.parse(text)
    except ValueError:
        return None


def _overlap(one: Cidr, text: str) -> bool:
    """Whether a range, as its text begins or ends with a prefix, has an address in common with `one`."""
    for word in text.replace("(", " ").split():
        other = _range(word)
        if other is not None and other.family == one.family and one.first <= other.last and other.first <= one.last:
            return True
    return False
