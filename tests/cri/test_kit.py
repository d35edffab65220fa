"""What is told where the container runtimes cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tools.build import ROOT
from tools.crikit import OVERRIDE

if TYPE_CHECKING:
    from pathlib import Path

ONE_TEST = "tests/cri/test_pods.py::test_the_runtime_tells_the_primarys_address"


@pytest.mark.parametrize(
    "command", [["tools.crikit"], ["pytest", "-p", "no:cacheprovider", ONE_TEST]], ids=["make", "pytest"]
)
def test_without_a_kit_nothing_passes(command: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, OVERRIDE: str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "passed" not in done.stdout
    assert f"{OVERRIDE}={tmp_path} holds no bin/runc" in done.stdout + done.stderr
