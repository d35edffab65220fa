"""`python -m bench [rows ...]`: measure, print the table, write results.json."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import report
from bench.measure import Failed
from bench.row import Bench, Row
from bench.rows import calls, cluster, leases, memory, meta, pair, plugins, pods, pool, portmap, start
from bench.runtime import Runtime
from bench.table import table
from bench.world import isolate, make_world
from cni_multus.registry import MODULES
from tools.build import BASELINE, PROGRAM, ROOT
from tools.reference import ReferenceMissing, reference_plugins

ROWS = {
    "start": start,
    "pair": pair,
    "meta": meta,
    "plugins": plugins,
    "portmap": portmap,
    "pool": pool,
    "leases": leases,
    "cluster": cluster,
    "pods": pods,
    "memory": memory,
    "calls": calls,
}
RUNS, QUICK_RUNS = 30, 5


def main() -> int:
    options = parse_arguments()
    for program in (PROGRAM, BASELINE):
        if not program.exists():
            sys.exit(f"bench: there is no {program.relative_to(ROOT)}; run `make build baseline` first")
    if os.geteuid() != 0:
        sys.exit("bench: making network namespaces and links needs root")
    try:
        reference = reference_plugins()
    except ReferenceMissing as error:
        sys.exit(f"bench: {error}")
    runs = options.runs or (QUICK_RUNS if options.quick else RUNS)
    circumstances = report.facts(reference, runs)
    isolate()
    # On the disk that the checkout is on: /tmp may be memory, and files are a part of what is measured.
    (ROOT / ".cache").mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=ROOT / ".cache") as directory, ExitStack() as worlds:
        bench = prepare(Path(directory), worlds, reference, runs, quick=options.quick)
        rows = measure(bench, options.rows or list(ROWS))
    report.write(options.output, circumstances, rows)
    print(table(rows))
    print(f"\nMedians of {runs} runs, CPU / wall in ms of whole processes. Every sample is in {options.output}.")
    return 1 if options.strict and any(row.over() for row in rows) else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the budgets against the Go programs.")
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], metavar="rows", help=f"only some of: {', '.join(ROWS)}")
    parser.add_argument("--runs", type=int, help=f"how often each side takes its turn (default {RUNS})")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_RUNS} runs: shows that all works, not what it costs"
    )
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="where the samples go (JSON)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a row is over budget")
    return parser.parse_args()


def prepare(directory: Path, worlds: ExitStack, reference: Path, runs: int, *, quick: bool) -> Bench:
    """Both sides: links to our program under its plugins' names, a node and a pod each, a directory on disk each.

    The programs are copied: a build in the meantime does not change what is measured.
    """
    program, baseline = (
        Path(shutil.copytree(built.parent, directory / built.name)) / built.name for built in (PROGRAM, BASELINE)
    )
    links = directory / "bin"
    links.mkdir()
    for name in MODULES:
        (links / name).symlink_to(program)
    sides = {}
    for name, programs in (("ours", links), ("reference", reference)):
        data = directory / f"{name}-data"
        data.mkdir()
        sides[name] = Runtime(programs, worlds.enter_context(make_world(directory / name)), data)
    return Bench(sides["ours"], sides["reference"], baseline, runs, quick=quick)


def measure(bench: Bench, names: list[str]) -> list[Row]:
    rows: list[Row] = []
    for name in names:
        print(f"bench: {name} ...", file=sys.stderr, flush=True)
        rows += ROWS[name].measure(bench)
    return rows


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"bench: {error}")
