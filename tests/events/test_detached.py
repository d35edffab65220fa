"""The process that delivers, and the request that does not wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.events.spool import Spool
from tests.events.spooling import delivered, request, within

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster


def test_fifty_requests_and_fifty_events(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    kubeconfig = cluster.kubeconfig(style="json")
    messages = [f"Add net1 [10.0.0.{at}/24] from net" for at in range(50)]
    for message in messages:
        answer, said = request(spool, kubeconfig, cluster.namespace, message).communicate()
        assert (answer, said) == (b"answer", b"")
    within(20, spool.is_empty)
    assert delivered(cluster) == sorted(messages)
