"""The smallest real request: bridge with host-local, one process of ours against the two of the Go pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import compare
from bench.row import Bench, Row
from bench.runtime import bridge

if TYPE_CHECKING:
    from bench.measure import Round
    from bench.runtime import Runtime

BUDGET = 2.0


def measure(bench: Bench) -> list[Row]:
    def attach_and_detach(side: Runtime) -> Round:
        config = bridge(side)
        added, result = side.add(config)
        return {"ADD": added, "DEL": side.delete(config, result)}

    sides = {"ours": lambda: attach_and_detach(bench.ours), "reference": lambda: attach_and_detach(bench.reference)}
    measured = compare(sides, bench.runs, bench.warmups)
    ours, reference = measured["ours"], measured["reference"]
    return [
        Row("bridge + host-local ADD", ours["ADD"], reference["ADD"], BUDGET),
        Row("bridge + host-local DEL", ours["DEL"], reference["DEL"]),
    ]
