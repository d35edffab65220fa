"""An address from a pool of 65 536 of which 60 000 are taken, and its release, against the same in an empty pool."""

from __future__ import annotations

import random
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from bench.measure import compare
from bench.row import Bench, Row
from bench.runtime import VERSION, host_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bench.measure import Round
    from bench.runtime import Config, Runtime

BUDGET = 2.0
SUBNET = "10.80.0.0/16"
FIRST = int(IPv4Address("10.80.0.2"))
POOL = 65_533  # without network, broadcast and gateway
TAKEN = 60_000
SLOW_RUNS = 5  # of what takes a second


def measure(bench: Bench) -> list[Row]:
    same_in_every_run = random.Random(TAKEN)
    layouts = {"contiguous": range(TAKEN), "scattered": same_in_every_run.sample(range(POOL), TAKEN)}
    for side in (bench.ours, bench.reference):
        for layout, taken in layouts.items():
            fill(side, layout, taken)
    rows = []
    for layout in layouts:
        sides = {
            "full": turn(bench.ours, layout),
            "empty": turn(bench.ours, f"empty-{layout}"),
            "go": turn(bench.reference, layout),
        }
        measured = compare(sides, bench.runs, bench.warmups)
        for step, what in (("ADD", "address"), ("DEL", "release")):
            full, empty, go = (measured[side][step] for side in ("full", "empty", "go"))
            title = f"{what}, 60 000 of 65 536 taken ({layout})"
            rows.append(Row(f"{title}, against an empty pool", full, empty, BUDGET))
            rows.append(Row(f"{title}, against the Go host-local", full, go))
    return [*rows, shared(bench)]


def shared(bench: Bench) -> Row:
    """Both programs in one directory: whoever comes after the other has to look at every file again."""
    sides = {
        "ours": turn(bench.ours, "contiguous", changed=True),
        "go": turn(bench.reference, "contiguous", changed=True),
    }
    measured = compare(sides, min(bench.runs, SLOW_RUNS), 1)
    what = "address, 60 000 taken and another program's change seen, against the Go host-local"
    return Row(what, measured["ours"]["ADD"], measured["go"]["ADD"])


def fill(side: Runtime, network: str, taken: Iterable[int]) -> str:
    """Reserve addresses as host-local keeps them, a file each with its owner inside; the network's name again."""
    directory = side.data / "networks" / network
    directory.mkdir(parents=True)
    for number in taken:
        (directory / str(IPv4Address(FIRST + number))).write_text(f"{number:064x}\r\neth0")
    return network


def config(side: Runtime, network: str) -> Config:
    """host-local called by itself: no link is made."""
    return {"cniVersion": VERSION, "name": network, "type": "host-local", "ipam": host_local(side, SUBNET)}


def turn(side: Runtime, network: str, *, changed: bool = False) -> Callable[[], Round]:
    """One address and its release, found from the beginning of the pool each time: the longest way."""
    asked = config(side, network)
    last_reserved = side.data / "networks" / network / "last_reserved_ip.0"

    def reserve_and_release() -> Round:
        if last_reserved.parent.exists():
            last_reserved.write_text(str(IPv4Address(FIRST)))
        if changed:
            (last_reserved.parent / "10.80.255.254").write_text("another\r\neth0")
            (last_reserved.parent / "10.80.255.254").unlink()
        added, result = side.add(asked)
        return {"ADD": added, "DEL": side.delete(asked, result)}

    return reserve_and_release
