"""Start-up: VERSION, against a frozen program that does nothing at all; and against a Go program, to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import compare, execute
from bench.row import Bench, Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.measure import Round

BUDGET = 1.3
SHORT = 2  # times as many runs: it is short, and its budget narrow


def measure(bench: Bench) -> list[Row]:
    environment = bench.ours.environment("VERSION")

    def start(program: Path) -> Callable[[], Round]:
        return lambda: {"VERSION": execute(program, environment)[0]}

    sides = {
        "ours": start(bench.ours.plugins / "multus"),
        "baseline": start(bench.baseline),
        "go": start(bench.reference.plugins / "bridge"),
    }
    measured = {side: steps["VERSION"] for side, steps in compare(sides, SHORT * bench.runs, bench.warmups).items()}
    return [
        Row(
            "VERSION, against a frozen program that does nothing",
            measured["ours"],
            measured["baseline"],
            BUDGET,
            ("cpu",),
        ),
        Row("VERSION, against the Go bridge", measured["ours"], measured["go"]),
    ]
