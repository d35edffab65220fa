"""The cases as they stand in their files, and nodes on which the meta-plugin is called for the pods of one of them.

A node has the definitions from the API server, or, with no word to it, from files; then its runtime tells the
annotations.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cni_multus.linux.links import add_veth, change_link
from tests.cases.asked import document_of, identity
from tests.cases.promises import Seen, primary_of
from tests.node import Node, Pod
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cases.asked import Asked
    from tests.conftest import MakeNamespace
    from tests.node import Answer

Case = dict[str, Any]

CASES: dict[str, Case] = {path.stem: yaml.safe_load(path.read_text()) for path in Path(__file__).parent.glob("*.yaml")}

ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
"""The capability by which a runtime tells a pod's annotations."""


class CasePod(Pod):
    """A pod of a case, and its sandbox."""

    def __init__(self, netns: str, told: Case, uid: str) -> None:
        super().__init__(netns, told["name"])
        self.told = told
        self._identity = identity(told, uid)

    def environment(self, command: str, path: str, **changed: str) -> dict[str, str]:
        return super().environment(command, path, **{"CNI_ARGS": self._identity, **changed})


class Scene:
    """One node with a case's uplinks, and its pods; with `joined` the uplinks are there already.

    `asked` is what the API server knows of the case; the definitions are files of the node where that is None.
    """

    def __init__(
        self,
        case: Case,
        node: Node,
        netns: MakeNamespace,
        asked: Asked | None = None,
        kubeconfig: str = "",
        *,
        joined: bool = False,
        **ipam: object,
    ) -> None:
        self.case = case
        self.node = node
        self._netns = netns
        self._asked = asked
        if asked:
            self._sources: dict[str, object] = {"kubeconfig": kubeconfig, "nadPaths": [str(node.root)]}
        else:
            self._sources = {"nadDir": str(self._written(on_node(node, **ipam)))}
        for at, name in enumerate(() if joined else case["uplinks"]):
            uplink = add_veth(node.host, name, peer=f"switch{at}", peer_namespace=node.host)
            change_link(node.host, uplink.parent, up=True)

    def attach(self, told: Case) -> tuple[CasePod, Answer]:
        """A pod with the networks that its annotation names, and the answer to its ADD."""
        uid = self._asked.pod(told) if self._asked else "u1"
        pod = CasePod(self._netns(told["name"]), told, uid)
        return pod, self.node.call("ADD", self._config(told), pod)

    def delete(self, pod: CasePod) -> None:
        self.node.call("DEL", self._config(pod.told), pod).succeeded()

    def check(self, pod: CasePod) -> None:
        self.node.call("CHECK", self._config(pod.told), pod).succeeded()

    def expect(self, pod: CasePod) -> None:
        """Hold a pod against what its case says that must be there."""
        if self._asked:
            entries = self._asked.status(pod.told)
        else:
            entries = [entry for attachment in self.node.record(pod).attachments for entry in attachment.status]
        uplink = Shown(self.node.host.path).link(self.case["uplinks"][0])
        Seen(Shown(pod.netns), entries, uplink).keeps(pod.told["expect"])

    def remains(self, pods: list[CasePod]) -> dict[str, object]:
        """What is left of the pods, here and on the node, apart from the uplinks."""
        found = self.node.remains(*pods)
        uplinks = {end for at, name in enumerate(self.case["uplinks"]) for end in (name, f"switch{at}")}
        left = {name: kind for name, kind in self.node.links().items() if name not in uplinks and kind != "bridge"}
        attached = dict.fromkeys(self.node.attached(), "an address of whereabouts")
        return {**{what: some for what, some in found.items() if what != "node"}, **left, **attached}

    def _config(self, told: Case) -> dict[str, Any]:
        runtime = {} if self._asked else {"runtimeConfig": {ANNOTATIONS: told["annotations"]}}
        return self.node.config(on_node(self.node)(primary_of(self.case)), **self._sources, **runtime)

    def _written(self, adapted: Callable[[Case], Case]) -> Path:
        directory = self.node.root / "nad.d"
        directory.mkdir()
        for network in self.case["networks"]:
            document = document_of(network, adapted)
            (directory / f"{network['namespace']}-{network['name']}.json").write_text(json.dumps(document))
        return directory


def on_node(node: Node, **ipam: object) -> Callable[[Case], Case]:
    """What changes a configuration so that its files are a node's; `ipam` is what whereabouts gets besides."""

    def adapted(config: Case) -> Case:
        for plugin in config.get("plugins", [config]):
            if plugin.get("ipam", {}).get("type") == "whereabouts":
                plugin["ipam"] |= {"dataDir": str(node.leases), **ipam}
            elif "ipam" in plugin:
                plugin["ipam"]["dataDir"] = str(node.addresses)
        return config

    return adapted
