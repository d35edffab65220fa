"""`make faults`: disturb the built program at every system call of every verb, and say who put things right.

python -m tests.faults                                       all points, going on where it was stopped
python -m tests.faults --point ADD/openat/57/EIO/DEL         one of them
python -m tests.faults cut | delegates | api                 files cut, programs that misbehave, the API disturbed
python -m tests.faults table                                 FAULTS.md, of what all parts have kept
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tests.faults import results
from tests.faults.found import FOUND
from tests.faults.judge import Stand
from tests.faults.points import REQUEST, Point
from tests.faults.sweep import all_points, in_own_mounts, listed, remarks, rows, sweep
from tools.build import PROGRAM

PARTS = ("cut", "delegates", "api")
KEPT = results.ROOT / ".cache" / "faults"
TITLE = "Calls: killed before each, and each made to fail"


def main() -> int:
    """0 where everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("command", nargs="?", choices=("sweep", "table", *PARTS), default="sweep")
    parser.add_argument("--minutes", type=float, default=0, help="the same: as many cases as can be had in this time")
    parser.add_argument("--case", action="append", default=[], help="of cut, delegates and api: only this one")
    parser.add_argument("--point", action="append", default=[], help="only this point; may be given again")
    parser.add_argument("--program", type=Path, default=PROGRAM, help="another program than the built one")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stride", type=int, default=1, help="every so many points")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where the verdicts are")
    parser.add_argument("--fresh", action="store_true", help="forget what was tried before")
    told = parser.parse_args()
    if told.command == "table":
        (results.ROOT / "FAULTS.md").write_text(results.table())
        return 0
    if told.command in PARTS:
        from tests.faults.parts import try_part  # what it needs, a sweep does not

        return try_part(told.command, told.program, told.kept, told.workers, told.case, told.minutes)
    if told.point:
        return _try(told.point, told.program)
    if told.fresh:
        shutil.rmtree(told.kept, ignore_errors=True)
    for left in told.kept.glob("faults-*"):  # of a sweep that was killed; its namespaces went with it
        shutil.rmtree(left)
    program = _own(told.program, told.kept)
    found = sweep(program, told.kept, told.workers, told.stride)
    results.write("a-b-calls", TITLE, rows(found), remarks=remarks(found, listed(program, told.kept)), found=FOUND)
    for verdict in found:
        if verdict["problems"]:
            print(f"python -m tests.faults --point {verdict['point']}", *verdict["problems"], sep="\n    ")
    return int(any(verdict["problems"] for verdict in found))


def _try(texts: list[str], program: Path) -> int:
    in_own_mounts()
    stand = Stand(program)
    status = 0
    try:
        phases = {str(point): point.phase for point in all_points(stand)}
        for text in texts:
            verdict = stand.attempt(Point.parse(text, phases.get(text, REQUEST)))
            print(verdict.to_json())
            status = status or int(bool(verdict.problems))
    finally:
        stand.close()
    return status


def _own(program: Path, kept: Path) -> Path:
    """A copy of the program for the whole sweep, as somebody may build another meanwhile."""
    copy = kept / "program"
    if not copy.exists():
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copytree(program.parent, copy, symlinks=True)
    return copy / program.name


if __name__ == "__main__":
    sys.exit(main())
