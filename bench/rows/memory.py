"""The most memory that one request has resident at a time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.row import Bench, Row
from bench.rows import pool
from bench.runtime import bridge, multus, networks

if TYPE_CHECKING:
    from bench.measure import Samples
    from bench.runtime import Config, Runtime

BUDGET = 24.0  # MiB
SECONDARIES = 8
SPAWN = Path(__file__).resolve().parent.parent / "spawn.py"


def measure(bench: Bench) -> list[Row]:
    ours, reference = bench.ours, bench.reference
    pair = peaks(ours, bridge(ours), bench.runs), peaks(reference, bridge(reference), bench.runs)
    pod = peaks(ours, multus(ours, networks(ours, SECONDARIES)), bench.runs)
    full = peaks(ours, pool.config(ours, pool.fill(ours, "memory", range(pool.TAKEN))), bench.runs)
    return [
        Row("peak memory, bridge + host-local ADD", *pair, BUDGET, ("memory",), absolute=True),
        Row(f"peak memory, multus 1+{SECONDARIES} ADD", pod, {}, BUDGET, ("memory",), absolute=True),
        Row("peak memory, address from the full pool", full, {}, BUDGET, ("memory",), absolute=True),
    ]


def peaks(side: Runtime, config: Config, runs: int) -> Samples:
    """The peak of every ADD, in MiB; the first, which makes what stays, is not counted."""
    spawn = [sys.executable, "-I", "-S", str(SPAWN)]
    found = []
    side.add(config)
    side.delete(config)
    for _ in range(runs):
        found.append(int(side.under(spawn, "ADD", config)) / 1024)
        side.delete(config)
    return {"memory": found}
