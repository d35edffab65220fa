"""The benchmark runs to its end and reports every row; what the numbers are is no test's business."""

import json
import subprocess
import sys
from pathlib import Path

from tools.build import ROOT

PLAYED = ["start", "pair"]
EXPECTED = [
    "VERSION, against a frozen program that does nothing",
    "VERSION, against the Go bridge",
    "bridge + host-local ADD",
    "bridge + host-local DEL",
]


def test_the_table_has_every_row_and_the_samples_are_kept(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--quick", "--runs", "2", "--output", str(output), *PLAYED]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    table = run.stdout.splitlines()
    results = json.loads(output.read_text())
    assert [row["what"] for row in results["rows"]] == EXPECTED
    assert [line.split("  ")[0] for line in table[2 : 2 + len(EXPECTED)]] == EXPECTED
    for row in results["rows"]:
        assert all(len(values) >= 2 for side in row["samples"].values() for values in side.values())
    assert results["reference"].startswith("CNI bridge plugin")
