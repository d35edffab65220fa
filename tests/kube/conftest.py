"""What the tests of the API client have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kube.talking import Talk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    """A client and a server, made by calling it with what the server is to answer."""
    talk = Talk(tmp_path)
    yield talk
    talk.close()
