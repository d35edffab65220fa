"""What the tests of the server's semantics share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.pools import Pool

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster


@pytest.fixture
def pool(cluster: Cluster) -> Pool:
    """An empty pool."""
    return Pool(cluster)
