"""`make load`: 500 pods of four networks on a node, in bursts of 64 requests, of which some are killed.

python -m tests.load --pods 500 --seed 7
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.faults.results import Row, write
from tests.faults.sweep import in_own_mounts
from tests.load.audit import Audit
from tests.load.course import BURST, VERBS, Course
from tests.load.site import FILES, Site
from tools.build import PROGRAM

FOUND = (
    "GC took addresses, links and rules from a valid pod whose ADD had begun after GC had looked at the journal.",
    "CHECK of a pod that was just being detached, or attached, told of differences: it waited for no other request.",
)
SPARE = 24
"""Pods more than can be attached: some of them meet with an empty pool."""
FEW = 10
LOCKS = 54
"""Seconds: of a host-local pool (three networks) and the leases 10 each, of bridges and tables (three) 3, DAD 5."""


def main() -> int:
    """0 where nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__.splitlines()[0])
    parser.add_argument("--pods", type=int, default=500)
    parser.add_argument("--churns", type=int, default=14, help="bursts in which pods come and go")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--program", type=Path, default=PROGRAM, help="another program than the built one")
    told = parser.parse_args()
    in_own_mounts()
    with tempfile.TemporaryDirectory(prefix="load-") as directory:
        site = Site(Path(directory), told.program, told.pods + SPARE, told.pods)
        try:
            course = Course(site, Audit(site), told.seed, lambda line: sys.stderr.write(line + "\n"))
            course.run(FEW, told.pods - SPARE // 2, told.churns)
        finally:
            site.close()
    write(
        "f-load", "Load: bursts of requests for many pods", rows(course), held="", remarks=remarks(course), found=FOUND
    )
    for line in course.violations:
        sys.stderr.write(line + "\n")
    return int(bool(course.violations))


def rows(course: Course) -> list[Row]:
    """A verb each; what an audit found is told of the whole."""
    model = course.model
    found = []
    for verb in VERBS:
        held = {how: count for (of, how), count in sorted(model.held.items()) if of == verb and how != "wrong"}
        found.append(Row(verb, model.tried[verb], held, model.held[verb, "wrong"]))
    audits = len(course.violations) - len(model.violations)
    found.append(Row("lost, left or given twice", sum(model.tried.values()), {}, audits))
    return found


def remarks(course: Course) -> tuple[str, ...]:
    """What requests needed, and how long the slowest took."""
    few, many = sorted(course.needs)
    load = os.getloadavg()[2]
    alone = max(course.needs[many].seconds.values())
    slowest = max(course.model.slowest.values())
    lines = [
        f"{len(course.site.pods)} pods of four networks each, at most {course.most} attached at once: the last",
        f"network has {course.site.scarce} addresses. Bursts of up to {BURST}; no request may have more than {FILES}",
        "files open. Audits whenever all was quiet, and of every byte in the end.",
        "",
        f"| verb | files open, {few} pods | {many} pods | peak memory, {few} pods | {many} pods | under load |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for verb in VERBS:
        one, other = course.needs[few], course.needs[many]
        peaks = [one.peak[verb], other.peak[verb], course.model.peak[verb]]
        shown = " | ".join(f"{peak / 1024:.1f} MiB" for peak in peaks)
        lines.append(f"| {verb} | {one.files[verb]} | {other.files[verb]} | {shown} |")
    return (
        *lines,
        "",
        f"The bound for a request in a burst is that of {BURST} requests one after another, each as long as the",
        f"slowest alone with {many} pods ({alone:.2f} s): {BURST * alone:.0f} s. The slowest took {slowest:.1f} s",
        f"({', '.join(f'{verb} {course.model.slowest[verb]:.1f}' for verb in VERBS)}), on two processors with",
        f"others at work (load average {load:.0f}). No lock was waited for to the end: all together would be",
        f"{LOCKS} s, and 60 more for a request of the same pod, or a sweep, before it.",
    )


if __name__ == "__main__":
    sys.exit(main())
