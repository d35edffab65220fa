"""The cluster of these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rollout.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A node that has no network yet; with all that makes a cluster of it."""
    site = Site(tmp_path)
    yield site
    site.close()
