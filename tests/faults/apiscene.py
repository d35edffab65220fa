"""A scene in a cluster: the pods are in the API, and so are the definitions of three of their networks, and a pool."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from cni_multus.linux.links import change_link
from tests.cluster.cluster import LOOPBACK
from tests.cluster.messages import Call, read_answer
from tests.cluster.road import Road
from tests.faults.scene import Scene
from tests.faults.variant import make_variant
from tests.node import Pod

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.cluster.disturbances import Disturbance
    from tests.cluster.road import Traveller

SETTLE = 0.5
SHORTER = {
    "ipam/whereabouts/cluster/session.py": (
        "ADD_SECONDS = 60.0\nDEL_SECONDS = 10.0\nCHECK_SECONDS = 10.0\nGC_SECONDS = 60.0\n",
        "ADD_SECONDS = 6.0\nDEL_SECONDS = 4.0\nCHECK_SECONDS = 4.0\nGC_SECONDS = 6.0\n",
    ),
    "ipam/whereabouts/cluster/openwork.py": ("SETTLE = 75.0\n", f"SETTLE = {SETTLE}\n"),
}
"""Times that nobody has to wait for where the road is 127.0.0.1: the program is the same but for them."""
PATIENCE = 5.0


def hurried(target: Path) -> Path:
    """The built program with these times."""
    return make_variant(target, SHORTER)


class DoublingRoad(Road):
    """It may give an answer twice, and ask the server once more than the client does."""

    doubled: Disturbance | None = None

    def replay(self, call: Call) -> None:
        """Let the server do it, and tell nobody."""
        with self._outside.wrap_socket(self._connect(), server_hostname="127.0.0.1") as connection:
            connection.sendall(call.raw)
            with connection.makefile("rb") as answers:
                for _ in read_answer(answers, call.method)[1]:
                    pass

    def _answer(
        self, traveller: Traveller, client: socket.socket, pieces: Iterator[bytes], disturbance: Disturbance | None
    ) -> None:
        if disturbance is not None and disturbance is self.doubled:
            client.sendall(b"".join(pieces) * 2)
        else:
            super()._answer(traveller, client, pieces, disturbance)


class ApiPod(Pod):
    """A pod of the cluster."""

    def __init__(self, netns: str, container_id: str, namespace: str, uid: str) -> None:
        super().__init__(netns, container_id)
        self.namespace = namespace
        self.uid = uid

    def environment(self, command: str, path: str, **changed: str) -> dict[str, str]:
        told = f"K8S_POD_NAMESPACE={self.namespace};K8S_POD_NAME={self.container_id};K8S_POD_UID={self.uid}"
        return super().environment(command, path, **{"CNI_ARGS": f"IgnoreUnknown=1;{told}", **changed})


class ApiScene(Scene):
    """The primary is the node's; the others are what the pods ask for."""

    def __init__(self, root: Path, program: Path, cluster: Cluster) -> None:
        self.cluster = cluster
        super().__init__(root, program)

    def _prepare(self) -> None:
        change_link(self.host, LOOPBACK, up=True)
        self.road = DoublingRoad(self.cluster.server, self.host.path)
        self.kubeconfig = str(self.cluster.kubeconfig(server=self.road.url))
        for at, each in enumerate((self.pod, self.other)):
            asked = ", ".join(self._define(at))
            annotations = {"k8s.v1.cni.cncf.io/networks": asked}
            made = self.cluster.add_pod(each.container_id, annotations=annotations)
            pod = ApiPod(each.netns, each.container_id, self.cluster.namespace, made["metadata"]["uid"])
            self.pod, self.other = (self.pod, pod) if at else (pod, self.other)
        super()._prepare()
        self.is_all_told()

    def config(self, pod: Pod | None = None) -> dict[str, Any]:
        config = super().config(pod)
        config["delegates"] = config["delegates"][:1]
        return {**config, "kubeconfig": self.kubeconfig, "apiTimeout": 4, "nadPaths": [str(self.root)]}

    def directories(self) -> dict[str, str]:
        kept = ("host-local", "static", "tuning", "firewall", "host-device", "sbr", "whereabouts/journal")
        told = {f"state/{name}": str(self.root / "state" / name) for name in kept}
        return {"multus/journal": str(self.root / "multus" / "journal"), **told}

    def close(self) -> None:
        self.road.close()
        self.cluster.close()
        super().close()

    def kept(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The entries of all pools, and the owners of all reservations."""
        pools = self.cluster.objects("ippools")
        entries = {name: pool["spec"]["allocations"] for name, pool in pools.items() if pool["spec"]["allocations"]}
        reserved = self.cluster.objects("overlappingrangeipreservations")
        return entries, {name: one["spec"]["podref"] for name, one in reserved.items()}

    def podrefs(self) -> list[str]:
        """What both pods are called in a pool."""
        return [f"{self.cluster.namespace}/{each.container_id}" for each in (self.pod, self.other)]

    def spooled(self) -> list[str]:
        """The Events that are on their way."""
        directory = self.root / "multus" / "events"
        return [path.name for path in directory.iterdir() if path.name[0].isdigit()] if directory.exists() else []

    def is_all_told(self) -> bool:
        """Wait until no Event is on its way; whether it came to that."""
        deadline = time.monotonic() + PATIENCE
        while self.spooled() and time.monotonic() < deadline:
            time.sleep(0.02)
        return not self.spooled()

    def _define(self, at: int) -> list[str]:
        """Definitions of a pod's networks: their names."""
        found = []
        for network in self.networks(at)[1:]:
            name = f"{network['name']}{at}"
            document = {
                "apiVersion": "k8s.cni.cncf.io/v1",
                "kind": "NetworkAttachmentDefinition",
                "metadata": {"name": name},
                "spec": {"config": json.dumps(network)},
            }
            self.cluster.api.post(self.cluster.path("network-attachment-definitions"), document).expect(201)
            found.append(name)
        return found

    def _shared(self, at: int) -> dict[str, Any]:
        network = super()._shared(at)
        network["plugins"][0]["ipam"]["kubernetes"] = {"kubeconfig": self.kubeconfig}
        return network
