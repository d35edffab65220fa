"""The cases as they stand in their files, and nodes with what one of them names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cni_multus.linux.links import add_veth, change_link
from tests.cases.promises import FOREIGN_MAC, Seen
from tests.node import Node, Pod
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace

Case = dict[str, Any]

CASES: dict[str, Case] = {path.stem: yaml.safe_load(path.read_text()) for path in Path(__file__).parent.glob("*.yaml")}

FOREIGN = {
    "cniVersion": "1.0.0",
    "interfaces": [{"name": "eth0", "mac": FOREIGN_MAC, "sandbox": "/var/run/netns/pod"}],
    "ips": [{"address": "10.0.0.9/32", "gateway": "10.0.0.1", "interface": 0}],
}
"""What a primary that is not ours answers; it makes nothing."""


def asked_by(pod: Case) -> str:
    """The networks that a pod's annotation names, without the namespaces: nothing reads those yet."""
    named = pod["annotations"]["k8s.v1.cni.cncf.io/networks"]
    return ",".join(name.rpartition("/")[2] for name in named.split(","))


class Scene:
    """One node with a case's uplinks, and its pods, attached as the case says.

    `ipam` is what whereabouts gets besides; with `joined` the uplinks are there already.
    """

    def __init__(self, case: Case, node: Node, netns: MakeNamespace, *, joined: bool = False, **ipam: object) -> None:
        self.case = case
        self.node = node
        self.netns = netns
        self.ipam = ipam
        for at, name in enumerate(() if joined else case["uplinks"]):
            uplink = add_veth(node.host, name, peer=f"switch{at}", peer_namespace=node.host)
            change_link(node.host, uplink.parent, up=True)

    def attach(self, name: str, asked: str) -> tuple[Pod, Any]:
        """A pod with the networks that its annotation names, and the answer to its ADD."""
        pod = Pod(self.netns(name), name)
        return pod, self.node.call("ADD", self._config(asked), pod)

    def delete(self, pod: Pod, asked: str) -> None:
        self.node.call("DEL", self._config(asked), pod).succeeded()

    def check(self, pod: Pod, asked: str) -> None:
        self.node.call("CHECK", self._config(asked), pod).succeeded()

    def remains(self, pods: list[Pod]) -> dict[str, object]:
        """What is left of the pods, here and on the node, apart from the uplinks."""
        found = self.node.remains(*pods)
        uplinks = {end for at, name in enumerate(self.case["uplinks"]) for end in (name, f"switch{at}")}
        left = {name: kind for name, kind in self.node.links().items() if name not in uplinks and kind != "bridge"}
        attached = dict.fromkeys(self.node.attached(), "an address of whereabouts")
        return {**{what: some for what, some in found.items() if what != "node"}, **left, **attached}

    def _config(self, asked: str) -> dict[str, Any]:
        named = {network["name"]: json.loads(network["config"]) for network in self.case["networks"]}
        wanted = [json.loads(json.dumps({"name": name, **named[name]})) for name in asked.split(",")]
        for network in wanted:
            for plugin in network.get("plugins", [network]):
                if plugin.get("ipam", {}).get("type") == "whereabouts":
                    plugin["ipam"] |= {"dataDir": str(self.node.leases), **self.ipam}
                elif "ipam" in plugin:
                    plugin["ipam"]["dataDir"] = str(self.node.addresses)
        return self.node.config(self._primary(), *wanted)

    def _primary(self) -> dict[str, Any]:
        primary = self.case.get("primary", {"type": "bridge", "subnet": "10.244.0.0/24"})
        if primary["type"] == "bridge":
            return self.node.bridge(subnet=primary["subnet"])
        program = self.node.program(primary["name"], ADD={"stdout": json.dumps(FOREIGN)})
        return {**program, "name": primary["name"]}


def expect(here: Scene, pod: Pod, promised: Case) -> None:
    """Hold a pod against what its case says that must be there."""
    entries = [entry for attachment in here.node.record(pod).attachments for entry in attachment.status]
    uplink = Shown(here.node.host.path).link(here.case["uplinks"][0])
    # Without annotations nothing tells the namespace of a definition.
    Seen(Shown(pod.netns), entries, uplink, namespaced=False).keeps(promised)
