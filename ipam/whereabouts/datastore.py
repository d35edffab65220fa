"""Where the addresses are kept: in files of the node, or behind the API server that a kubeconfig names."""

from __future__ import annotations

import os

from cni_multus.cni.addressing import BITS
from cni_multus.cni.errors import InvalidEnvironment, InvalidNetworkConfig
from cni_multus.state.datadir import wrong_with_path
from cni_multus.state.files import read
from ipam.whereabouts.config import Cluster
from ipam.whereabouts.names import wrong_with_object_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cni_multus.cni.config import Section
    from ipam.whereabouts.pool import Pool

FILE = "file"
KUBERNETES = "kubernetes"

_LONGEST_NETWORK_NAME = 200
"""Characters; a pool is called `<network_name>-<range>`, and a range is told in 44 of the API's 253."""
_NODENAME = "nodename"
"""The file in which the installer of Whereabouts leaves the node's name, beside the flat file."""


def parse_network_name(ipam: Section) -> str:
    """`network_name`, also where files are used: it must not stand in the way of a move to the API."""
    name = ipam.text("network_name")
    if name and (why := wrong_with_object_name(name, _LONGEST_NETWORK_NAME)):
        raise ipam.wrong("network_name", why)
    return name


def find_kubeconfig(ipam: Section) -> str:
    """The kubeconfig by which the addresses are reached, "" where files of the node keep them."""
    store = ipam.text("datastore")
    kubernetes = ipam.section("kubernetes")
    kubeconfig = kubernetes.text("kubeconfig")
    if store not in ("", FILE, KUBERNETES):
        raise ipam.wrong("datastore", f"{store!r} is neither {FILE!r} nor {KUBERNETES!r}")
    if store == KUBERNETES and not kubeconfig:
        raise kubernetes.wrong("kubeconfig", f"it is missing, and datastore is {KUBERNETES!r}")
    if store == FILE or not kubeconfig:
        return ""
    if why := wrong_with_path(kubeconfig):
        raise kubernetes.wrong("kubeconfig", why)
    return kubeconfig


def parse_cluster(
    ipam: Section, environment: Mapping[str, str], directories: Sequence[str], pools: list[Pool]
) -> Cluster | None:
    """How the API is reached, and which slices of `pools` nodes get; `directories` may hold the node's name."""
    size = _slice_size(ipam)
    sliced = _slice(ipam, pools, size)
    kubeconfig = find_kubeconfig(ipam)
    if not kubeconfig:
        if sliced:
            raise ipam.wrong("node_slice_size", "nodes have slices where the API keeps the addresses, not with files")
        return None
    node = _node_name(ipam, environment, directories)
    return Cluster(kubeconfig, node=node or os.uname().nodename.lower(), slice_size=size, node_told=bool(node))


def require_names(pools: list[Pool], network_name: str, *, exclusive: bool) -> None:
    """Raise where the API would refuse the names of a pool's object, or of an address's, which the range begins."""
    for pool in pools if not network_name else ():
        of_pool = str(pool.cidr).startswith(":") and not pool.slice_size
        of_address = exclusive and pool.family == 6 and pool.cidr.first >> 96 == 0  # 0:0:1:2:3:4:5:6 is `::1:2:3:4:5:6`
        if of_pool or of_address:
            raise InvalidNetworkConfig(
                f"{pool.path}: {pool.cidr}: names in the API would begin with '-', which it refuses",
                "with a network_name they begin with that",
            )


def _slice(ipam: Section, pools: list[Pool], size: int) -> bool:
    own = {section.where("range"): _slice_size(section) for section in ipam.sections("ipRanges")}
    for pool in pools:
        pool.slice_size = own.get(pool.path) or size
        if pool.slice_size and not pool.cidr.prefix <= pool.slice_size <= BITS[pool.family]:
            raise ipam.wrong(
                "node_slice_size",
                f"/{pool.slice_size} is no part of {pool.cidr} ({pool.path}); "
                f"/{pool.cidr.prefix} to /{BITS[pool.family]} would be, and a range of ipRanges may have its own",
            )
    return any(pool.slice_size for pool in pools)


def _slice_size(section: Section) -> int:
    value = section.value("node_slice_size")
    if isinstance(value, int) and not isinstance(value, bool):
        return section.number("node_slice_size", high=128)
    text = section.text("node_slice_size")
    digits = text.removeprefix("/")
    if not text:
        return 0
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 3):
        raise section.wrong("node_slice_size", f"{text!r} is not a prefix length (as in /26)")
    if not 0 < int(digits) <= 128:
        raise section.wrong("node_slice_size", f"{text!r} is not between 1 and 128")
    return int(digits)


def _node_name(ipam: Section, environment: Mapping[str, str], directories: Sequence[str]) -> str:
    name = environment.get("NODENAME", "").strip()
    if name and (why := wrong_with_object_name(name)):
        raise InvalidEnvironment(f"NODENAME: {why}")
    for directory in () if name else directories:
        name = (read(f"{directory}/{_NODENAME}", follow=True) or b"").decode(errors="replace").strip()
        if name and (why := wrong_with_object_name(name)):
            raise InvalidNetworkConfig(f"{directory}/{_NODENAME}: {why}")
        if name:
            break
    told = ipam.text("node_name")
    if not name and told and (why := wrong_with_object_name(told)):
        raise ipam.wrong("node_name", why)
    return name or told
