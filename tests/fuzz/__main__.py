"""`python -m tests.fuzz`: fuzz targets for a while, try their corpus, or make it anew from what was found."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.fuzz.record import note, record
from tests.fuzz.target import MODULES, WORK, find

if TYPE_CHECKING:
    from pathlib import Path

PRODUCT = ["cni_multus", "plugins", "ipam"]
GRACE = 60
"""Seconds that a target may take beyond its time: it starts, and its last input may be a long one."""


def main() -> int:
    """The exit status: 1 where there is a violation."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(MODULES)}")
    parser.add_argument("--all", action="store_true", help="every target")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--merge", action="store_true", help="keep what was found: tests/fuzz/corpus, made minimal")
    parser.add_argument("--replay", type=int, metavar="MORE", help="only try what is kept, and so many variants of it")
    parser.add_argument(
        "--record", action="store_true", help="write tests/faults/figures/g-fuzz.json of all runs so far"
    )
    parser.add_argument("--until-found", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        print(record())
        return 0
    names = list(MODULES) if options.all else options.targets
    if not names or not (options.inside or set(names) <= set(MODULES)):
        parser.error(f"name targets, or --all; there are {', '.join(MODULES)}")
    if options.inside:
        return _inside(names[0], options)
    return max([_target(name, options) for name in names])


def _inside(name: str, options: argparse.Namespace) -> int:
    if options.replay is not None:
        from tests.fuzz.replay import replay

        return replay(find(name), options.replay)
    if options.merge:
        from tests.fuzz import sandbox
        from tests.fuzz.minimise import merge

        target = find(name)
        found = [path.read_bytes() for path in (WORK / name / "found").glob("*")]
        sandbox.enter()
        print(f"{name}: {merge(target, [*target.seeds(), *found])} inputs kept of {len(found)}")
        return 0
    import atheris

    with atheris.instrument_imports(
        include=[*PRODUCT, "tests.fuzz.targets.planted"]
    ):  # also what is imported late, inside functions
        from tests.fuzz.engine import fuzz

        fuzz(name, options.seconds, until_found=options.until_found)
    return 0


def _target(name: str, options: argparse.Namespace) -> int:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "tests.fuzz", name, "--inside"]
    if options.replay is not None:
        return subprocess.run([*command, "--replay", str(options.replay)], check=False).returncode
    status = _run([*command, "--seconds", str(options.seconds)], WORK / name, options.seconds + GRACE)
    report: dict[str, Any] = {"executions": 0, "violations": {}}
    if (WORK / name / "report.json").exists():
        report = json.loads((WORK / name / "report.json").read_text())
    if status:
        report["violations"]["died"] = f"the process ended with {status}: see {WORK / name}"
    note(name, report["executions"], len(report["violations"]))
    print(f"{name}: {report['executions']} inputs, {len(report['violations'])} violations", flush=True)
    for said in report["violations"].values():
        print(f"  {said}")
    if options.merge and not report["violations"]:
        subprocess.run([*command, "--merge"], check=True)
    return 1 if report["violations"] else 0


def _run(command: list[str], place: Path, timeout: int) -> int:
    place.mkdir(parents=True, exist_ok=True)
    with (place / "log").open("wb") as log:
        try:
            return subprocess.run(command, check=False, stdout=log, stderr=log, timeout=timeout).returncode
        except subprocess.TimeoutExpired:
            return -1


if __name__ == "__main__":
    sys.exit(main())
