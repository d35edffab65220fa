"""The virtual machine's way to the API server of the test run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster

pytestmark = pytest.mark.vm


def test_it_leads_any_number_of_connections_to_the_server(cluster: Cluster) -> None:
    for name in ("one", "two"):
        cluster.create("serviceaccounts", name)
    with ThreadPoolExecutor(6) as threads:
        found = threads.map(lambda _: cluster.objects("serviceaccounts").keys(), range(6))
        assert all(names == {"one", "two"} for names in found)
