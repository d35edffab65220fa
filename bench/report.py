"""What has to be known besides the numbers: the machine, and what was compared with what. Written as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tools.build import PROGRAM, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bench.row import Row

RESULTS = ROOT / "bench" / "results.json"


def facts(reference: Path, runs: int) -> dict[str, Any]:
    """The circumstances of a run."""
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "load_before": os.getloadavg(),
        "file_system": words(["stat", "--file-system", "--format=%T", str(ROOT)]),
        "interpreter": sys.version,
        "program_commit": words(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]),
        "program_bytes": sum(path.stat().st_size for path in PROGRAM.parent.rglob("*") if path.is_file()),
        "reference": version_of(reference),
        "runs": runs,
    }


def write(path: Path, circumstances: dict[str, Any], rows: Iterable[Row]) -> None:
    """Replace the file at `path`."""
    document = {**circumstances, "rows": [row.to_json() for row in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n")


def processor() -> str:
    """The processor's name as the kernel tells it."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def version_of(plugins: Path) -> str:
    """The first line of what a Go plugin tells about itself."""
    about = subprocess.run(
        [plugins / "bridge"], env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return about.stderr.partition("\n")[0]


def words(command: list[str]) -> str:
    """What a command says, "unknown" where it cannot."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
