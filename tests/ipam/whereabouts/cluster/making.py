"""Nodes of the cluster of a test, as a fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.ipam.whereabouts.cluster.nodes import RANGE, Node

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster


class MakeNode(Protocol):
    def __call__(self, *ranges: str, name: str = ..., kubeconfig: Path | None = ..., **keys: Any) -> Node: ...


@pytest.fixture
def make_node(cluster: Cluster, tmp_path: Path) -> MakeNode:
    """Make a node of the cluster, with files of its own; it gives the addresses of 10.1.2.0/24."""

    def make(*ranges: str, name: str = "node1", kubeconfig: Path | None = None, **keys: Any) -> Node:
        return Node(tmp_path / name, kubeconfig or cluster.kubeconfig(), ranges or (RANGE,), name, **keys)

    return make
