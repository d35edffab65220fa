"""The slice of a range that this node has: found in the NodeSlicePool, or claimed there; kept in a file of the node.

    <dataDir>/slices/<hash of cluster, pool and node>    one JSON object: what was asked, and the slice

A claim is a compare-and-swap of one member of the list, so that no controller is needed, and nodes that start
together lose to each other only where they want the same one. The file spares the call in the quiet case. A slice
that was taken from a node (reconcile does that when the Node is gone) lost its IPPool first: who finds that missing
asks again with `fresh`.
"""

from __future__ import annotations

import os

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError, InvalidNetworkConfig, TryAgainLater
from cni_multus.hashes import digest
from cni_multus.kube.errors import AlreadyExists, Conflict, NotFound, Unavailable, Unprocessable
from cni_multus.kube.objects import SLICE_POOLS, pointer
from cni_multus.state import files
from ipam.whereabouts.cluster.naming import pool_name
from ipam.whereabouts.cluster.slicing import Slicing, fits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Cidr
    from cni_multus.kube.client import Client
    from ipam.whereabouts.config import WhereaboutsConfig
    from ipam.whereabouts.pool import Pool

ATTEMPTS = 64
"""Each ends with a slice, or because another node was faster."""

NAMESPACE = "kube-system"
"""Where the pools are unless somebody says otherwise, as with the peers."""

LISTED = 8
"""So many nodes are named where all slices are taken."""

_ALLOCATIONS = pointer("status", "allocations")


def slice_of(client: Client, config: WhereaboutsConfig, pool: Pool, *, fresh: bool = False) -> Cidr:
    """The slice of `pool` that this node has from now on; `fresh`: whatever its own file says.

    TryAgainLater where all are taken, InvalidNetworkConfig where the node cannot have any.
    """
    claim = _Claim(client, config, pool)
    found = None if fresh else claim.remembered()
    if found is None:
        found = claim.make()
        claim.remember(found)
    return found


def remembered_slice(client: Client, config: WhereaboutsConfig, pool: Pool) -> Cidr | None:
    """The slice that this node's own file says that it has; nobody is asked."""
    return _Claim(client, config, pool).remembered()


def slice_pool_name(config: WhereaboutsConfig, pool: Pool) -> str:
    """What the NodeSlicePool of one of the ranges is called: as the peers call it for the first of them."""
    base = config.network_name or config.network
    first = next(each for each in config.pools if each.slice_size)
    return base if pool.cidr == first.cidr else pool_name(base, pool.cidr)


class _Claim:
    """The conversation of one node about one pool."""

    def __init__(self, client: Client, config: WhereaboutsConfig, pool: Pool) -> None:
        assert config.cluster
        self._client = client
        self._cluster = config.cluster
        self._pool = pool
        self._name = slice_pool_name(config, pool)
        self._namespace = config.cluster.namespace or client.access.namespace or NAMESPACE
        self._path = SLICE_POOLS.path(self._namespace, self._name)
        self._asked = {
            "kubeconfig": config.cluster.kubeconfig,
            "namespace": self._namespace,
            "pool": self._name,
            "node": config.cluster.node,
            "range": str(pool.cidr),
            "size": str(pool.slice_size),
        }
        file = digest("\0".join(self._asked.values()), 40)
        self._file = os.path.join(config.data_dir, "slices", file)

    def remembered(self) -> Cidr | None:
        """What the node's file says; None where there is none that is whole, or it answers something else."""
        data = files.read(self._file)
        if not data:
            return None
        try:
            document = Section(parse_object(data, self._file))
            if any(document.text(key) != value for key, value in self._asked.items()):
                return None
            found = document.cidr("slice")
        except CniError:
            return None
        return found if fits(found, self._pool) else None

    def remember(self, slice_: Cidr) -> None:
        """Spare the next request the call."""
        files.make_directory(os.path.dirname(self._file))
        files.write_atomically(self._file, print_compact({**self._asked, "slice": str(slice_)}) + b"\n")

    def make(self) -> Cidr:
        """Find the node's slice on the API server, or claim one."""
        for losses in range(ATTEMPTS):
            try:
                found = self._attempt(losses)
            except (AlreadyExists, Conflict):
                continue
            except Unprocessable as error:
                if not error.test_failed:
                    raise self._unfit(error) from error
                continue
            except Unavailable as error:
                if not error.ambiguous:
                    raise
                continue  # the next look tells whether it was done
            if found:
                return found
        raise TryAgainLater(f"no slice of {self._pool.cidr} for node {self._cluster.node}: others were always faster")

    def _attempt(self, losses: int) -> Cidr | None:
        """One look and, where the node has none, one claim."""
        try:
            document = self._client.get(self._path)
        except NotFound:
            return self._create()
        slicing = Slicing.parse(document)
        if found := slicing.find_own(self._cluster.node, self._pool):
            return found
        self._require_node()
        free = slicing.free(self._pool)
        if free and slicing.says(self._pool):
            return self._take(slicing, free[_anyone(min(len(free), 8**losses))])
        return self._rewrite(slicing, document)

    def _take(self, slicing: Slicing, at: int) -> Cidr | None:
        entry, where = slicing.entries[at], f"{_ALLOCATIONS}/{at}"
        operations: list[dict[str, object]] = [
            {"op": "test", "path": f"{where}/sliceRange", "value": entry.text},
            {"op": "test", "path": f"{where}/nodeName", "value": ""},
            {"op": "replace", "path": f"{where}/nodeName", "value": self._cluster.node},
        ]
        self._client.patch(self._path, operations, metadata_only=True)
        return entry.slice

    def _rewrite(self, slicing: Slicing, document: dict[str, object]) -> Cidr | None:
        """More free ones, or those of an edited configuration; the node's own is taken in the same step."""
        refilled, own = self._with_own(slicing)
        version = Section(document).section("metadata").text("resourceVersion")
        operations: list[dict[str, object]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/spec", "value": {"range": refilled.range, "sliceSize": refilled.size}},
            {"op": "add", "path": "/status", "value": _status(refilled)},
        ]
        self._client.patch(self._path, operations, metadata_only=True)
        return own

    def _create(self) -> Cidr | None:
        self._require_node()
        refilled, own = self._with_own(Slicing())
        document: dict[str, object] = {
            "apiVersion": SLICE_POOLS.api_version,
            "kind": SLICE_POOLS.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {"range": refilled.range, "sliceSize": refilled.size},
            "status": _status(refilled),
        }
        self._client.create(SLICE_POOLS.path(self._namespace), document, metadata_only=True)
        return own

    def _with_own(self, slicing: Slicing) -> tuple[Slicing, Cidr | None]:
        refilled = slicing.refilled(self._pool)
        free = refilled.free(self._pool)
        if not free:
            raise self._all_taken(slicing)
        entry = refilled.entries[free[0]]
        entry.node = self._cluster.node
        return refilled, entry.slice

    def _require_node(self) -> None:
        if not self._cluster.node or not self._cluster.node_told:
            raise InvalidNetworkConfig(
                f"{self._pool.path}: this node's name in the cluster is not known, so it cannot have a slice of "
                f"{self._pool.cidr}, and {self._name} has none for {self._cluster.node or 'it'}",
                "set NODENAME, the file nodename beside the kubeconfig, or node_name",
            )

    def _all_taken(self, slicing: Slicing) -> CniError:
        holders = slicing.holders(self._pool)
        if not holders:
            return InvalidNetworkConfig(
                f"{self._pool.path}: no slice of /{self._pool.slice_size} in {self._pool} has an address to give",
            )
        named = ", ".join(f"{entry.node} {entry.text}" for entry in holders[:LISTED])
        more = f" and {len(holders) - LISTED} more" if len(holders) > LISTED else ""
        return TryAgainLater(
            f"all slices of /{self._pool.slice_size} in {self._pool} are taken, none is left for {self._cluster.node}",
            f"{self._name}: {named}{more}; multus ipam reconcile frees those of nodes that are gone",
        )

    def _unfit(self, error: Unprocessable) -> InvalidNetworkConfig:
        return InvalidNetworkConfig(
            f"{self._pool.path}: the API server takes no NodeSlicePool called {self._name!r}: {error.said}",
            "give the network a network_name of lower-case letters, digits, '-' and '.'",
        )


def _status(slicing: Slicing) -> dict[str, object]:
    return {"allocations": [entry.to_json() for entry in slicing.entries]}


def _anyone(number: int) -> int:
    """One of so many, as good as by chance; the first where there is one."""
    return int.from_bytes(os.urandom(4), "big") % number
