"""A pod with a primary and several secondary networks: one process of ours against the Go plugins one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import compare
from bench.row import Bench, Row
from bench.runtime import multus, networks

if TYPE_CHECKING:
    from bench.measure import Round
    from bench.runtime import Runtime

BUDGETS = {1: (1.1, 0.8), 3: (0.65, 0.45), 8: (0.35, 0.25)}
"""Secondary networks to what ADD and DEL may cost."""


def measure(bench: Bench) -> list[Row]:
    rows = []
    for secondaries, (add, delete) in BUDGETS.items():
        sides = {
            "ours": lambda count=secondaries: together(bench.ours, count),
            "reference": lambda count=secondaries: one_by_one(bench.reference, count),
        }
        measured = compare(sides, bench.runs, bench.warmups)
        ours, reference = measured["ours"], measured["reference"]
        rows += [
            Row(f"multus 1+{secondaries} ADD", ours["ADD"], reference["ADD"], add),
            Row(f"multus 1+{secondaries} DEL", ours["DEL"], reference["DEL"], delete),
        ]
    return rows


def together(side: Runtime, secondaries: int) -> Round:
    """All networks in one request to the meta-plugin."""
    config = multus(side, networks(side, secondaries))
    added, result = side.add(config)
    return {"ADD": added, "DEL": side.delete(config, result)}


def one_by_one(side: Runtime, secondaries: int) -> Round:
    """Every network as a request of its own; the last attached is the first detached."""
    attached = []
    for at, config in enumerate(networks(side, secondaries)):
        ifname = f"net{at}" if at else "eth0"
        cost, result = side.add(config, ifname)
        attached.append((cost, config, result, ifname))
    adding = [cost for cost, _, _, _ in attached]
    deleting = [side.delete(config, result, ifname) for _, config, result, ifname in reversed(attached)]
    return {"ADD": sum(adding[1:], adding[0]), "DEL": sum(deleting[1:], deleting[0])}
