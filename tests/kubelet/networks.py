"""Networks for pods of the one node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.client import Document

UPLINK = "node1"


def macvlan(name: str, subnet: str, **more: object) -> Document:
    """A network on the node's own link, with addresses of host-local; without a name it gets its definition's."""
    ipam = {"type": "host-local", "subnet": subnet, "gateway": f"{subnet.rpartition('.')[0]}.1"}
    named = {"name": name} if name else {}
    return {"cniVersion": "1.0.0", **named, "type": "macvlan", "master": UPLINK, "ipam": ipam, **more}


def pooled(name: str, cidr: str, kubeconfig: Path | None = None) -> Document:
    """The same with addresses of whereabouts; as its installer has it, or through another kubeconfig."""
    ipam: dict[str, Any] = {"type": "whereabouts", "range": cidr}
    if kubeconfig:
        ipam["kubernetes"] = {"kubeconfig": str(kubeconfig)}
    return {"cniVersion": "1.0.0", "name": name, "type": "macvlan", "master": UPLINK, "ipam": ipam}
