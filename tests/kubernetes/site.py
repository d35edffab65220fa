"""A node of a real cluster: definitions and pods in the API, sandboxes in namespaces, the plugin between them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tests.node import Node, Pod

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.cluster.cluster import Cluster
    from tests.conftest import MakeNamespace
    from tests.node import Answer

NETWORKS = "k8s.v1.cni.cncf.io/networks"
DEFAULT_NETWORK = "v1.multus-cni.io/default-network"
STATUS = "k8s.v1.cni.cncf.io/network-status"
OLDER_STATUS = "k8s.v1.cni.cncf.io/networks-status"
RESOURCE = "k8s.v1.cni.cncf.io/resourceName"
PATIENCE = 20.0


class Member(Pod):
    """A pod of the cluster, and its sandbox."""

    def __init__(self, site: Site, name: str, netns: str, container_id: str, uid: str) -> None:
        super().__init__(netns, container_id)
        self.site = site
        self.name = name
        self.uid = uid

    def environment(self, command: str, path: str, **changed: str) -> dict[str, str]:
        arguments = {
            "IgnoreUnknown": "1",
            "K8S_POD_NAMESPACE": self.site.cluster.namespace,
            "K8S_POD_NAME": self.name,
            "K8S_POD_INFRA_CONTAINER_ID": self.container_id,
            "K8S_POD_UID": self.uid,
        }
        told = ";".join(f"{key}={value}" for key, value in arguments.items())
        return super().environment(command, path, **{"CNI_ARGS": told, **changed})

    @property
    def annotations(self) -> dict[str, str]:
        """What the API has."""
        found = self.site.cluster.api.get(self.site.cluster.path("pods", self.name)).expect(200)
        return dict(found["metadata"].get("annotations", {}))

    @property
    def status(self) -> list[dict[str, Any]]:
        """network-status, as it stands in the API."""
        return list(json.loads(self.annotations[STATUS]))


class Site:
    """One node and the cluster's namespace that the test has for itself."""

    def __init__(
        self, cluster: Cluster, host: Namespace, netns: MakeNamespace, root: Path, kind: type[Node] = Node
    ) -> None:
        self.cluster = cluster
        self.node = kind(host, root)
        self.road = cluster.road(host.path)
        self.kubeconfig = str(cluster.kubeconfig(server=self.road.url))
        self._netns = netns
        self._sandboxes = 0

    def config(self, *delegates: object, **more: object) -> dict[str, Any]:
        """00-multus.conf: the bridge is the primary unless others are given."""
        there = {"kubeconfig": self.kubeconfig, "nadPaths": [str(self.node.root.parent)]}
        return self.node.config(*(delegates or [self.node.bridge()]), **{**there, **more})

    def define(self, name: str, config: object, *, namespace: str = "", resource: str = "") -> None:
        """A NetworkAttachmentDefinition; `config` is text, or what becomes JSON; None leaves the spec out."""
        text = config if isinstance(config, str) else json.dumps(config)
        metadata: dict[str, Any] = {"name": name}
        if resource:
            metadata["annotations"] = {RESOURCE: resource}
        document = {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": metadata,
            **({} if config is None else {"spec": {"config": text}}),
        }
        path = self.cluster.path("network-attachment-definitions", namespace=namespace or None)
        self.cluster.api.post(path, document).expect(201)

    def macvlan(self, name: str, subnet: str, *, namespace: str = "", **more: object) -> None:
        """The definition of a macvlan whose configuration has no name, as most have none."""
        config = self.node.macvlan(name, subnet, cniVersion="1.0.0", **more)
        del config["name"]
        self.define(name, config, namespace=namespace)

    def pod(self, name: str, networks: object = None, **annotations: str) -> Member:
        """A pod that asks for networks, and a sandbox for it."""
        if networks is not None:
            annotations[NETWORKS] = networks if isinstance(networks, str) else json.dumps(networks)
        created = self.cluster.add_pod(name, annotations=annotations)
        return self.sandbox(name, created["metadata"]["uid"])

    def sandbox(self, name: str, uid: str) -> Member:
        """A sandbox of a pod; any number of them may be made."""
        self._sandboxes += 1
        sandbox = f"{name}-{self._sandboxes}"
        return Member(self, name, self._netns(sandbox), sandbox, uid)

    def call(self, command: str, config: dict[str, Any], pod: Pod, **changed: str) -> Answer:
        """Call the meta-plugin for a pod."""
        return self.node.call(command, config, pod, **changed)

    def await_delivery(self) -> None:
        """Until nothing is in the spool."""
        spool = self.node.cni_dir / "events"
        deadline = time.monotonic() + PATIENCE
        while left := [path.name for path in spool.iterdir() if path.name[0].isdigit()]:
            assert time.monotonic() < deadline, left
            time.sleep(0.02)

    def events(self, reason: str, count: int = 1) -> list[str]:
        """The messages of the events with this reason, awaited until there are so many."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = [event for event in self.cluster.objects("events").values() if event["reason"] == reason]
            if len(found) >= count or time.monotonic() > deadline:
                return sorted(event["message"] for event in found)
            time.sleep(0.05)
