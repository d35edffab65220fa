"""What the tests of ipMasq have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cni_multus.cni.addressing import Cidr
from cni_multus.cni.request import Attachment
from cni_multus.masquerade import backends as masquerade
from cni_multus.undo import Undo

if TYPE_CHECKING:
    from tests.plugins.runtime import Runtime

FAMILIES = (4, 6)
SUBNETS = "10.1.2.0/24", "2001:db8:1::/64"
DEFAULTS = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]


def rules(node: Runtime) -> str:
    """Everything of ours that translates addresses; nothing of what stays for the next pod."""
    of_iptables = node.shown.run("iptables-save -t nat; ip6tables-save -t nat")
    lines = [line for line in of_iptables.splitlines() if "MULTUS-" in line or "CNI-" in line]
    for kind, name in (("map", "sources4"), ("map", "sources6")):
        listed = node.shown.run(f"nft list {kind} inet multus_masquerade {name} 2>/dev/null || true")
        lines += [line for line in listed.splitlines() if "goto" in line]
    chains = node.shown.run("nft list chains inet 2>/dev/null || true").splitlines()
    return "\n".join([*lines, *(line for line in chains if "blue-" in line or "red-" in line)])


def masquerade_directly(node: Runtime, addresses: list[str], backend: str) -> None:
    def add() -> int:
        told = [Cidr.parse(address) for address in addresses]
        with Undo() as undo:
            masquerade.add(node.host, Attachment("blue", "c1", "eth0"), told, backend or masquerade.AUTO, undo)
            undo.keep()
        return 0

    node.run(add)


def given(node: Runtime, routes: list[dict[str, Any]]) -> None:
    """Let an IPAM give one address of each family, whoever asks."""
    ips = [
        {"address": "10.1.2.5/24", "gateway": "10.1.2.1"},
        {"address": "2001:db8:1::5/64", "gateway": "2001:db8:1::1"},
    ]
    result = {"cniVersion": "1.1.0", "ips": ips, "routes": routes}
    node.program("given", node.runtime_path, ADD={"stdout": json.dumps(result)})


def garbage(config: dict[str, Any], *valid: str) -> dict[str, Any]:
    """The configuration of a GC, with the pods that are valid."""
    attachments = [{"containerID": container, "ifname": "eth0"} for container in valid]
    return {**config, "cni.dev/valid-attachments": attachments}


def links_of(node: Runtime) -> set[str]:
    """The names of the pods' links on the node."""
    return {name for name, kind in node.links().items() if kind == "veth"} - {"out0"}


def address(result: dict[str, Any], family: int) -> str:
    return str(result["ips"][0 if family == 4 else 1]["address"]).partition("/")[0]
