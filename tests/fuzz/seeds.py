"""Documents that are right: the examples of `conf`, and what plugins answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONF = Path(__file__).parent.parent.parent / "conf"

RESULT: dict[str, Any] = {
    "cniVersion": "1.1.0",
    "interfaces": [
        {"name": "cni0", "mac": "02:00:00:00:00:01", "mtu": 1500},
        {"name": "eth0", "mac": "02:00:00:00:00:02", "sandbox": "/run/netns/x", "pciID": "0000:01:00.0"},
    ],
    "ips": [
        {"address": "10.0.0.5/24", "gateway": "10.0.0.1", "interface": 1},
        {"address": "fd00::5/64", "gateway": "fd00::1", "interface": 1},
    ],
    "routes": [
        {"dst": "0.0.0.0/0", "gw": "10.0.0.1", "mtu": 1400, "advmss": 1360, "priority": 10, "table": 100, "scope": 0},
        {"dst": "::/0"},
    ],
    "dns": {"nameservers": ["10.0.0.1"], "domain": "x.y", "search": ["x.y"], "options": ["ndots:2"]},
}


def printed(document: object) -> bytes:
    """A document as short as it can be."""
    return json.dumps(document, separators=(",", ":")).encode()


def _compact(path: Path) -> bytes:
    return printed(json.loads(path.read_text()))


CONFLISTS = [_compact(path) for path in sorted(CONF.glob("*/*.conflist"))]
"""Every example of a network."""

PLUGINS = [
    {"cniVersion": "1.1.0", "name": document["name"], **plugin}
    for document in map(json.loads, CONFLISTS)
    for plugin in document["plugins"]
]
"""Every plugin of those, as it gets its configuration."""

MULTUS = [_compact(path) for path in sorted(CONF.glob("*/00-multus*.conf"))]
"""Examples of the meta-plugin's configuration."""
