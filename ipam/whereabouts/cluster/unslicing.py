"""Take a slice from a node that is gone, so that the node, should it come back, cannot use it any more.

The node has the slice in a file, and believes it as long as the slice's IPPool is there: so that goes before the slice
is anybody else's, and only while it is empty. Killed at any point, the next run goes on:

    1. the member's node becomes `<node> (leaving)`: nobody has the slice, and nobody can claim it
    2. the IPPool is deleted as it was read, empty; had the node taken an address meanwhile, it gets its slice back
    3. the member's node becomes ""
"""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.kube.errors import Conflict, NotFound, Unprocessable
from cni_multus.kube.objects import IP_POOLS, SLICE_POOLS, pointer
from ipam.whereabouts.cluster.naming import pool_name
from ipam.whereabouts.cluster.slicing import LEAVING, Slicing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.kube.client import Client
    from ipam.whereabouts.cluster.slicing import Entry

ATTEMPTS = 5


def free_slice(client: Client, namespace: str, slices: str, entry: Entry) -> bool:
    """Take the slice of a member from its node; False where that is not to be done any more."""
    node = entry.node.removesuffix(LEAVING)
    leaving = f"{node}{LEAVING}"
    if entry.node != leaving and not _rename(client, namespace, slices, entry.text, node, leaving):
        return False
    if not _remove_pool(client, namespace, slices, node, entry):
        _rename(client, namespace, slices, entry.text, leaving, node)
        return False
    return _rename(client, namespace, slices, entry.text, leaving, "")


def _remove_pool(client: Client, namespace: str, slices: str, node: str, entry: Entry) -> bool:
    """Delete the pools of the slice if they are empty; False where one is not."""
    if entry.slice is None:
        return True  # it never was a slice
    for name in dict.fromkeys((pool_name("", entry.slice, node), pool_name(slices, entry.slice, node))):
        path = IP_POOLS.path(namespace, name)
        try:
            document = client.get(path)
        except NotFound:
            continue
        metadata = Section(document).section("metadata")
        if Section(document).section("spec").section("allocations").raw:
            return False
        try:
            client.delete(path, uid=metadata.text("uid"), resource_version=metadata.text("resourceVersion"))
        except NotFound:
            continue
        except Conflict:
            return False
    return True


def _rename(client: Client, namespace: str, slices: str, text: str, old: str, new: str) -> bool:
    """Give a member to another node by compare-and-swap; False where it is not as it was."""
    path = SLICE_POOLS.path(namespace, slices)
    for _ in range(ATTEMPTS):
        try:
            entries = Slicing.parse(client.get(path)).entries
        except NotFound:
            return False
        at = next((at for at, each in enumerate(entries) if (each.text, each.node) == (text, old)), None)
        if at is None:
            return False
        where = pointer("status", "allocations", str(at))
        operations = [
            {"op": "test", "path": f"{where}/sliceRange", "value": text},
            {"op": "test", "path": f"{where}/nodeName", "value": old},
            {"op": "replace", "path": f"{where}/nodeName", "value": new},
        ]
        try:
            client.patch(path, operations, metadata_only=True)
        except Unprocessable as error:
            if not error.test_failed:
                raise
            continue  # the list has others at its places by now
        return True
    return False
