"""A node of a real cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kubernetes.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.cluster.cluster import Cluster
    from tests.conftest import MakeNamespace


@pytest.fixture
def site(cluster: Cluster, host: Namespace, netns: MakeNamespace, tmp_path: Path) -> Site:
    """One node."""
    (tmp_path / "node").mkdir()
    return Site(cluster, host, netns, tmp_path / "node")
