"""The built program, executed with inputs that are nearly right, always the same ones."""

from __future__ import annotations

import subprocess
import sys

from tools.build import PROGRAM, ROOT

INPUTS = 100


def test_the_program_answers_with_one_document_and_touches_nothing_when_it_refuses() -> None:
    assert PROGRAM.exists(), f"there is no {PROGRAM}: run `make build` first"
    command = [sys.executable, "-m", "tests.fuzz.binary", str(INPUTS)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
