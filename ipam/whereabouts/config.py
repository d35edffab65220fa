"""The configuration of whereabouts: what Whereabouts reads, checked as a whole before anything is touched."""

from __future__ import annotations

from cni_multus.cni.result import Dns
from ipam.whereabouts.engine import DATA_DIR
from ipam.whereabouts.policy import LOWEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cni.addressing import Ip
    from cni_multus.cni.result import IpConfig, Route
    from ipam.whereabouts.pool import Pool


class Wanted:
    """An address that was asked for and `source`, where; `firmly` unless another will do."""

    __slots__ = ("firmly", "ip", "source")

    def __init__(self, ip: Ip, source: str, *, firmly: bool = True) -> None:
        self.ip = ip
        self.source = source
        self.firmly = firmly


class Cluster:
    """How to reach the API server, and what this node is there."""

    __slots__ = ("kubeconfig", "namespace", "node", "node_told", "slice_size")

    def __init__(
        self, kubeconfig: str, namespace: str = "", node: str = "", slice_size: int = 0, *, node_told: bool = True
    ) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        """Of the pools; "" is the kubeconfig's own, else kube-system."""
        self.node = node
        self.node_told = node_told
        """Whether somebody told the node's name; else it is only what the host is called."""
        self.slice_size = slice_size
        """`node_slice_size` of the whole configuration, 0 where there is none; each pool has its own."""


class WhereaboutsConfig:
    """What one request works with; `wanted` has an entry for every pool."""

    __slots__ = (
        "cluster",
        "cool_down",
        "data_dir",
        "datastore_told",
        "dns",
        "exclusive",
        "network",
        "network_name",
        "policy",
        "pools",
        "routes",
        "static",
        "wanted",
    )

    def __init__(
        self,
        network: str,
        pools: Sequence[Pool],
        *,
        wanted: Sequence[Wanted | None] = (),
        static: Sequence[IpConfig] = (),
        routes: Sequence[Route] = (),
        dns: Dns | None = None,
        network_name: str = "",
        exclusive: bool = True,
        policy: str = LOWEST,
        cool_down: float = 0.0,
        cluster: Cluster | None = None,
        data_dir: str = DATA_DIR,
        datastore_told: bool = False,
    ) -> None:
        self.network = network
        """The CNI network's name."""
        self.pools = list(pools)
        self.wanted = list(wanted) or [None] * len(self.pools)
        self.static = list(static)
        self.routes = list(routes)
        self.dns = dns or Dns()
        self.network_name = network_name
        """`network_name`: networks of one name share their addresses, whatever their ranges; "" is a name as well."""
        self.exclusive = exclusive
        """`enable_overlapping_ranges`: an address is given once over all pools of the same `network_name`."""
        self.policy = policy
        self.cool_down = cool_down
        """Seconds for which an address that was given back is kept for whom it was."""
        self.cluster = cluster
        """None where the files of this node keep the addresses."""
        self.data_dir = data_dir
        self.datastore_told = datastore_told
        """Whether the network's own configuration says which it is, so that a change is meant."""
