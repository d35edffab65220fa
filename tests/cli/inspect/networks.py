"""The networks that pods of these tests have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cli.inspect.conftest import Inspected


def primary(node: Inspected) -> dict[str, Any]:
    """A bridge with everything that leaves traces on the node, and in the pod."""
    data_dir = str(node.root / "run")
    bridge = node.bridge(ipMasq=True, macspoofchk=True)
    tuning = {"type": "tuning", "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}, "dataDir": data_dir}
    limit = {"type": "bandwidth", "ingressRate": 8_000_000, "ingressBurst": 800_000}
    return {"cniVersion": "1.1.0", "name": "primary", "plugins": [bridge, tuning, limit]}


def red(node: Inspected) -> dict[str, Any]:
    """A macvlan that is routed by its source."""
    routed = {"type": "sbr", "dataDir": str(node.root / "run")}
    return {"cniVersion": "1.1.0", "name": "red", "plugins": [node.macvlan("red", "10.2.0.0/24"), routed]}
