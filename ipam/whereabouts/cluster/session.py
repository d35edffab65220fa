"""The API servers that one request talks to, under one deadline, and the places of its pools there."""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.kube.deadline import Deadline
from ipam.whereabouts.cluster.naming import LIMIT, pool_name
from ipam.whereabouts.cluster.pools import Place
from ipam.whereabouts.pool import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from cni_multus.kube.client import Client
    from ipam.whereabouts.config import WhereaboutsConfig

ADD_SECONDS = 60.0
DEL_SECONDS = 10.0
CHECK_SECONDS = 10.0
GC_SECONDS = 60.0
"""For everything that a verb asks, repeats included; runtimes wait for minutes."""

NAMESPACE = "kube-system"
"""Where the pools are unless somebody says otherwise, as with the peers."""


class Session:
    """`with Session(seconds, environment) as session:`; nothing is connected before something is asked."""

    def __init__(self, seconds: float, environment: Mapping[str, str]) -> None:
        self.deadline = Deadline(seconds)
        self._environment = environment
        self._clients: dict[str, Client] = {}

    @property
    def calls(self) -> int:
        """How many requests were sent."""
        return sum(client.calls for client in self._clients.values())

    def client(self, kubeconfig: str) -> Client:
        """The client with these credentials, or with those of the pod that this runs in where there is no file."""
        client = self._clients.get(kubeconfig)
        if client is None:
            from cni_multus.kube.client import Client
            from cni_multus.kube.credentials import in_cluster
            from cni_multus.kube.kubeconfig import load_kubeconfig

            access = load_kubeconfig(kubeconfig) if kubeconfig else in_cluster(self._environment)
            client = self._clients[kubeconfig] = Client(access, self.deadline)
        return client

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            client.close()


def namespace_of(client: Client, config: WhereaboutsConfig) -> str:
    """The namespace of the pools."""
    assert config.cluster
    return config.cluster.namespace or client.access.namespace or NAMESPACE


def places(client: Client, config: WhereaboutsConfig) -> list[Place]:
    """Where the addresses of each pool are, in their order; a node that has no slice claims one."""
    return [place(client, config, pool) for pool in config.pools]


def peek(client: Client, config: WhereaboutsConfig, pool: Pool) -> Place | None:
    """The same, of what is known: None where the node has no slice that it remembers."""
    if pool.slice_size:
        from ipam.whereabouts.cluster.slices import remembered_slice

        if remembered_slice(client, config, pool) is None:
            return None
    return place(client, config, pool)


def place(client: Client, config: WhereaboutsConfig, pool: Pool, *, fresh: bool = False) -> Place:
    """Where the addresses of a pool are; `fresh`: whichever slice this node believed to have."""
    assert config.cluster
    base, node, given = pool.cidr, "", pool
    if pool.slice_size:
        from ipam.whereabouts.cluster.slices import slice_of
        from ipam.whereabouts.cluster.slicing import within

        base, node = slice_of(client, config, pool, fresh=fresh), config.cluster.node
        given = within(pool, base)
    name = pool_name(config.network_name, base, node)
    return Place(namespace_of(client, config), name, base, _readable(given, base))


def _readable(pool: Pool, base: Cidr) -> Pool:
    """What of `pool` peers can read."""
    last = base.first + LIMIT - 1
    if pool.cidr.last <= last:
        return pool
    limited = Pool(pool.cidr, pool.first, pool.last, pool.gateway, pool.path)
    limited.spans = list(pool.spans)
    limited.narrow(base.first, last)
    if not limited.spans:
        raise InvalidNetworkConfig(
            f"{pool.path}: {pool} begins beyond {Ip(pool.family, last)}, the last that the IPPool of {base} can have",
            "Whereabouts reads offsets of 63 bits; a range with a prefix of /65 or more has an IPPool of its own",
        )
    return limited
