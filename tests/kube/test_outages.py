"""Bad days of a real API server: slow, standing still, gone, and answers that are lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.kube.errors import (
    Lost,
    NotFound,
    TimedOut,
    Unreachable,
)
from cni_multus.kube.objects import IP_POOLS, PODS
from tests.cluster.cluster import Cluster
from tests.kube.real import CONFIG_MAPS, pool, talking
from tests.kube.talking import at_most

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.apiserver import ApiServer


def test_a_slow_server_works(cluster: Cluster) -> None:
    road = cluster.road()
    road.delay_answer = 2.0
    with talking(cluster.kubeconfig(server=road.url), seconds=20) as client:
        assert client.create(IP_POOLS.path(cluster.namespace), pool())["kind"] == "IPPool"
        assert client.get(IP_POOLS.path(cluster.namespace, "10.0.0.0-24"))["kind"] == "IPPool"
    assert client.calls == 2


def test_a_change_whose_answer_was_lost_is_in_doubt_and_made(cluster: Cluster) -> None:
    road = cluster.road()
    road.disturb(method="POST", lose=True)
    with talking(cluster.kubeconfig(server=road.url)) as client:
        with pytest.raises(Lost) as caught:
            client.create(IP_POOLS.path(cluster.namespace), pool())
        assert caught.value.ambiguous
        assert client.get(IP_POOLS.path(cluster.namespace, "10.0.0.0-24"))["kind"] == "IPPool"
        road.disturb(method="DELETE", lose=True)
        with pytest.raises(NotFound):
            client.delete(IP_POOLS.path(cluster.namespace, "10.0.0.0-24"), repeatable=True)
    assert client.calls == 4


def test_a_server_that_stands_still_and_one_that_is_gone(own_api_server: ApiServer, tmp_path: Path) -> None:
    cluster = Cluster(own_api_server.address, tmp_path)
    kubeconfig = cluster.kubeconfig()
    with talking(kubeconfig, seconds=1.5) as client:
        assert list(client.list(PODS.path(cluster.namespace))) == []
        own_api_server.pause()
        with at_most(10), pytest.raises(TimedOut) as late:
            client.create(CONFIG_MAPS.path(cluster.namespace), {"metadata": {"name": "x"}})
        own_api_server.resume()
    assert late.value.ambiguous
    own_api_server.stop()
    with talking(kubeconfig, seconds=60) as client, at_most(10), pytest.raises(Unreachable):
        client.get(PODS.path(cluster.namespace, "x"))
    cluster.close()
