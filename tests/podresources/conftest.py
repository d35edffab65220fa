"""A directory whose name is short enough for a socket in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the kubelet's socket is."""
    with tempfile.TemporaryDirectory(prefix="kubelet") as directory:
        yield Path(directory) / "kubelet.sock"
