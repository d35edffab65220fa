"""The cases as they stand in their files, and nodes with what one of them names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cni_multus.linux.links import add_veth, change_link
from tests.node import Node, Pod
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.conftest import MakeNamespace

Case = dict[str, Any]

CASES: dict[str, Case] = {path.stem: yaml.safe_load(path.read_text()) for path in Path(__file__).parent.glob("*.yaml")}

FOREIGN = {
    "cniVersion": "1.0.0",
    "interfaces": [{"name": "eth0", "mac": "02:00:00:00:00:01", "sandbox": "/var/run/netns/pod"}],
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
    inside = Shown(pod.netns)
    entries = [entry for attachment in here.node.record(pod).attachments for entry in attachment.status]
    if "interfaces" in promised:
        assert inside.links() | {"lo"} == set(promised["interfaces"])
    for wanted in promised.get("status", []):
        expect_entry(here, inside, entries, wanted)
    for family, device in promised.get("default_route_device", {}).items():
        assert {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}.keys() >= {family}
        assert inside.ip("route get 198.51.100.1")[0]["dev"] == device
    for rule in promised.get("rules", []):
        assert rule in inside.run("ip rule")
    for table, routes in promised.get("routes", {}).items():
        devices = {route.split(" dev ")[1].split()[0] for route in routes}
        shown = [route for route in inside.ip(f"route show table {table}") if route["dev"] in devices]
        assert sorted(map(spelled, shown)) == sorted(routes)
    for interface, addresses in promised.get("reach", {}).items():
        for address in addresses:
            assert inside.reaches(address, f"-I {interface}")


def expect_entry(here: Scene, inside: Shown, entries: list[Case], wanted: Case) -> None:
    """One entry of network-status."""
    [entry] = [entry for entry in entries if entry["interface"] == wanted["interface"]]
    for key, value in wanted.items():
        if key == "name":
            # Without annotations nothing tells the namespace of a definition; the case's primary has no name at all.
            assert not value or entry["name"] == value.rpartition("/")[2]
        elif key == "mac" and value == "same-as-uplink":
            assert entry["mac"] == Shown(here.node.host.path).link(here.case["uplinks"][0])["address"]
        elif key == "mac":
            assert entry["mac"] == (
                inside.link(entry["interface"])["address"] if inside.links() >= {"eth0"} else "02:00:00:00:00:01"
            )
        elif value == ["any"]:
            assert entry[key]
        else:
            assert entry[key] == value


def spelled(route: Case) -> str:
    """A route as the cases write it."""
    words = [route["dst"]]
    for word, key in (("via", "gateway"), ("dev", "dev"), ("src", "prefsrc")):
        words += [word, route[key]] if key in route else []
    return " ".join(words)
