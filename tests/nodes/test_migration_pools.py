"""Pools of Whereabouts, which both programs keep in the API: whoever attached, either of them gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ipam.whereabouts.cluster.nodes import allocations, reservations
from tests.nodes import gowhereabouts
from tests.nodes.migrating import Live, reach
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.cluster.cluster import Cluster
    from tests.conftest import MakeNamespace


@pytest.fixture
def live(host: Namespace, netns: MakeNamespace, tmp_path: Path, cluster: Cluster) -> Live:
    assert PROGRAM.exists(), "run `make build` first"
    live = Live(host, netns, tmp_path, masquerades=False)
    gowhereabouts.install(live.bins / "whereabouts", live.kept / "whereabouts", cluster, host.path)
    ipam = {
        "type": "whereabouts",
        "range": "10.7.0.0/24",
        "kubernetes": {"kubeconfig": str(cluster.reachable_from(host.path))},
        "dataDir": str(live.node.leases),
    }
    live.macvlan("leased", "", ipam=ipam)
    live.put_go_multus()
    return live


def holders(cluster: Cluster) -> dict[str, str]:
    """Who has which address."""
    return {place.rpartition(" ")[2]: entry["id"] for place, entry in allocations(cluster).items()}


def test_addresses_of_pools_are_given_back_by_whoever_is_there(live: Live, cluster: Cluster) -> None:
    early, kept = live.start("go-0", "blue/leased"), live.start("go-1", "blue/leased")
    live.install()
    assert holders(cluster) == {"10.7.0.1": "go-0", "10.7.0.2": "go-1"}
    ours, other = live.start("ours-0", "blue/leased"), live.start("ours-1", "blue/leased")
    assert reach(ours, early)
    for pod in (early, kept, ours, other):
        live.runtime.check(pod.container_id, pod.netns)
    live.stop(early, other)
    assert holders(cluster) == {"10.7.0.2": "go-1", "10.7.0.3": "ours-0"}
    assert live.uninstall().complete
    assert live.node.attached() == []
    late = live.start("go-2", "blue/leased")
    assert reach(late, ours)
    assert holders(cluster) == {"10.7.0.1": "go-2", "10.7.0.2": "go-1", "10.7.0.3": "ours-0"}
    live.stop(ours, kept, late)
    assert allocations(cluster) == reservations(cluster) == {}
    assert live.remains() == {}
