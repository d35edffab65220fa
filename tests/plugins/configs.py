"""Configurations that several tests ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.plugins.runtime import Runtime


def bridge(version: str = "1.1.0", /, **more: object) -> dict[str, Any]:
    return {"cniVersion": version, "name": "blue", "type": "bridge", "bridge": "cni0", **more}


def pools(node: Runtime, *subnets: str, **more: object) -> dict[str, Any]:
    """host-local with one set of ranges for each subnet."""
    ranges = [[{"subnet": subnet}] for subnet in subnets]
    return {"type": "host-local", "ranges": ranges, "dataDir": str(node.addresses), **more}


def fixed(node: Runtime, address: str, **more: object) -> dict[str, Any]:
    """The IPAM static with one address, its files on this node."""
    return {"type": "static", "addresses": [{"address": address}], "dataDir": str(node.addresses), **more}


NO_ADDRESSES = {"type": "static"}
"""An ipam that fails."""

REFUSED_ROUTES = [{"dst": "10.9.0.0/16", "gw": "10.1.2.1", "scope": 253}]
"""Routes that no kernel takes."""
