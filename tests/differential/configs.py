"""What the comparisons have in common: sections of configurations. DATA stands for the directory of a side's files."""

from __future__ import annotations

from typing import Any

ASKED, OTHER = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
"""MACs that somebody asks for."""

V4 = [{"subnet": "10.1.2.0/24"}]
V6 = [{"subnet": "2001:db8:1::/64"}]
ROUTES = [
    {"dst": "0.0.0.0/0"},
    {"dst": "192.0.2.0/24", "gw": "10.1.2.77"},
    {"dst": "2001:db8:2::/64"},
]


def host_local(*sets: object, **more: object) -> dict[str, Any]:
    """`ipam` that gives an address of each set."""
    return {"type": "host-local", "dataDir": "DATA/networks", "ranges": list(sets), **more}


def static(*addresses: str, gateway: str = "", **more: object) -> dict[str, Any]:
    """`ipam` that gives these addresses."""
    listed = [{"address": address, **({"gateway": gateway} if gateway else {})} for address in addresses]
    return {"type": "static", "addresses": listed, **more}
