"""The fixtures that give tests an API server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.cluster.apiserver import ApiServer
from tests.cluster.cluster import Cluster
from tests.cluster.keeper import PLACE, shared_server
from tests.vm import way
from tests.vm.host import INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.apiserver import Address


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """The server of the whole test run, also where several processes run the tests; nobody stops or pauses it."""
    if os.environ.get(INSIDE):
        yield way.server()
        return
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with shared_server(run / PLACE) as address:
        yield address


@pytest.fixture
def cluster(api_server: Address, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A namespace of the shared server that nobody else has."""
    cluster = Cluster(api_server, tmp_path, request.node.name)
    yield cluster
    cluster.close()


@pytest.fixture
def own_api_server(tmp_path: Path) -> Iterator[ApiServer]:
    """A server for this test alone, which may be paused, stopped and started."""
    with ApiServer(tmp_path / "own-api-server") as server:
        yield server
