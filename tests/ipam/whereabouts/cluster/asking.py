"""What the tests of the cluster engine's parts have in common: a client of ours, and configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cni.addressing import BITS, Cidr, Ip
from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.kubeconfig import load_kubeconfig
from ipam.whereabouts.config import Cluster as OfCluster
from ipam.whereabouts.config import WhereaboutsConfig
from ipam.whereabouts.pool import Pool

if TYPE_CHECKING:
    from pathlib import Path


def client_of(kubeconfig: Path, seconds: float = 30) -> Client:
    """A client of ours for these credentials."""
    return Client(load_kubeconfig(str(kubeconfig)), Deadline(seconds))


def range_of(cidr: str, size: int = 0, first: str = "", last: str = "") -> Pool:
    """A pool of a configuration, in slices of this size."""
    network = Cidr.parse(cidr).network
    inner = 0 if BITS[network.family] - network.prefix <= 1 else 1
    low = Ip.parse(first).number if first else network.first + inner
    high = Ip.parse(last).number if last else network.last - inner
    made = Pool(network, low, high, path="ipam.range")
    made.slice_size = size
    return made


def config_of(data_dir: Path, kubeconfig: Path, *pools: Pool, node: str = "node1", **options: str) -> WhereaboutsConfig:
    """A configuration of the cluster engine, by default of network `net`."""
    told = options.pop("node_told", "yes") == "yes"
    cluster = OfCluster(str(kubeconfig), options.pop("namespace", ""), node, node_told=told)
    network = options.pop("network", "net")
    return WhereaboutsConfig(network, pools, cluster=cluster, data_dir=str(data_dir), **options)  # type: ignore[arg-type]
