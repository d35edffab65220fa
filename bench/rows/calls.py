"""How many system calls a request makes: what explains the rest of the table. Needs strace."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from bench.row import Bench, Row
from bench.runtime import bridge, multus, networks

if TYPE_CHECKING:
    from bench.measure import Samples
    from bench.runtime import Config, Runtime


def measure(bench: Bench) -> list[Row]:
    if not shutil.which("strace"):
        return []
    ours, reference = bench.ours, bench.reference
    added, deleted = count(ours, bridge(ours))
    reference_added, reference_deleted = count(reference, bridge(reference))
    pod_added, pod_deleted = count(ours, multus(ours, networks(ours, 1)))
    return [
        Row("system calls, bridge + host-local ADD", added, reference_added),
        Row("system calls, bridge + host-local DEL", deleted, reference_deleted),
        Row("system calls, multus 1+1 ADD", pod_added),
        Row("system calls, multus 1+1 DEL", pod_deleted),
    ]


def count(side: Runtime, config: Config) -> tuple[Samples, Samples]:
    """The calls of one ADD and of its DEL, after others have made what stays."""
    side.add(config)
    side.delete(config)
    report = side.data / "strace"
    strace = ["strace", "-f", "-qq", "-c", "-o", str(report)]
    found: list[Samples] = []
    for verb in ("ADD", "DEL"):
        side.under(strace, verb, config)
        total = report.read_text().splitlines()[-1].split()  # "100.00 0.01 4 1289 63 total"
        found.append({"calls": [float(total[3])]})
    return found[0], found[1]
