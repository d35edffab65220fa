"""Every input that is kept, and variants of them: an answer or a declared error, soon, and nothing touched."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.fuzz.target import CORPUS, MODULES, WORK
from tools.build import ROOT

VARIANTS = 60
"""Of each target's inputs, always the same ones. `make fuzz` tries more of them, and has coverage lead it."""

SIGNATURES = {
    "planted_crash": "OverflowError",
    "planted_touch": "/etc/planted",
    "planted_slow": "slow",
    "planted_large": "large",
}
LARGEST = 1 << 20
"""Bytes of the whole corpus."""


@pytest.mark.parametrize("name", MODULES)
def test_no_input_breaks_what_holds_for_all(name: str) -> None:
    """In a process of its own, which leaves this machine's network and mounts."""
    done = tried(name)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["planted_crash", "planted_touch", "planted_slow", "planted_large"])
def test_what_is_planted_is_found_by_variants(name: str) -> None:
    done = tried(name, 1000)
    assert done.returncode == 1, done.stdout
    assert SIGNATURES[name] in done.stderr


def test_what_is_planted_is_found_by_coverage() -> None:
    """The first byte of each step is in no seed, and one step leads to the next."""
    command = [sys.executable, "-m", "tests.fuzz", "planted_steps", "--inside", "--seconds", "200", "--until-found"]
    subprocess.run(command, capture_output=True, cwd=ROOT, check=False)
    report = json.loads((WORK / "planted_steps" / "report.json").read_text())
    assert any("the last step" in said for said in report["violations"].values()), report


def tried(name: str, variants: int = VARIANTS) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz", name, "--inside", "--replay", str(variants)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_corpus_has_each_target_and_is_small() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(MODULES)
    kept = [path for path in CORPUS.glob("*/*") if path.is_file()]
    assert len(kept) < 800
    assert sum(path.stat().st_size for path in kept) < LARGEST
