"""What the names of the cluster's objects tell: the network_name of a pool, the address of a reservation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cni.addressing import Cidr, Ip
from ipam.whereabouts.cluster.naming import parse_address, pool_name, reservation_name

if TYPE_CHECKING:
    from collections.abc import Collection


def prefix_of_pool(name: str, base: Cidr) -> str | None:
    """What stands before the range in its name: "", a network_name, a node, or both; None where the range is not."""
    plain = pool_name("", base)
    if name == plain:
        return ""
    return name.removesuffix(f"-{plain}") if name.endswith(f"-{plain}") else None


def without_node(prefix: str, nodes: Collection[str]) -> str:
    """The network_name in what stands before a range: a slice's has its node behind it, or instead of it."""
    if prefix in nodes:
        return ""
    ending = next((f"-{node}" for node in nodes if prefix.endswith(f"-{node}")), "")
    return prefix.removesuffix(ending)


def split_reservation(name: str, network_names: Collection[str]) -> tuple[str, Ip] | None:
    """The network_name and the address of a reservation's name, None where it is no such name.

    Both may have dashes: what is among `network_names`, those that pools have, is believed before the longest address.
    """
    found = []
    for network_name, text in _cuts(name):
        ip = parse_address(text)
        if ip is not None and reservation_name(network_name, ip) == name:
            found.append((network_name, ip))
    return next((one for one in found if one[0] in network_names), found[0] if found else None)


def _cuts(name: str) -> list[tuple[str, str]]:
    """The name as a whole, then cut at each dash."""
    at = [position for position, letter in enumerate(name) if letter == "-"]
    return [("", name), *((name[:position], name[position + 1 :]) for position in at if position)]
