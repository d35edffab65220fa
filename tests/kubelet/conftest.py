"""The node that all tests of this directory share, in all processes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cluster.keeper import shared
from tests.kubelet.node import KubeNode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.apiserver import Address


@contextmanager
def kept(directory: Path, name: str, server: Address) -> Iterator[KubeNode]:
    """A node of this name, which is there already if another process has it."""
    with shared(directory, "tests.kubelet.keeper", name, server.url, str(server.directory)):
        node = KubeNode(directory, server)
        yield node
        node.runtime.close()


@pytest.fixture(scope="session")
def shared_node(api_server: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeNode]:
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with kept(run / "node", "node-a", api_server) as node:
        yield node


@pytest.fixture
def second_node(api_server: Address, tmp_path: Path) -> Iterator[KubeNode]:
    with kept(tmp_path / "node", "node-b", api_server) as node:
        yield node


@pytest.fixture
def node(shared_node: KubeNode) -> Iterator[KubeNode]:
    """For those who do nothing to the node that others would feel."""
    with shared_node.with_others():
        yield shared_node


@pytest.fixture
def node_alone(shared_node: KubeNode) -> Iterator[KubeNode]:
    """For those who stop its programs, or configure it otherwise."""
    with shared_node.alone():
        yield shared_node
