"""An operator with a node of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.ipam.operator import Operator

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capsys)
