"""Pods as people write them, and what they see of them."""

from __future__ import annotations

import json
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tests.cri.image import IMAGE
from tests.kubelet.node import until
from tests.plugins.shown import Shown

if TYPE_CHECKING:
    from tests.cluster.client import Document
    from tests.kubelet.node import KubeNode

DEFAULT_NETWORK = "v1.multus-cni.io/default-network"
NETWORKS = "k8s.v1.cni.cncf.io/networks"
RESOURCE_NAME = "k8s.v1.cni.cncf.io/resourceName"
STATUS = "k8s.v1.cni.cncf.io/network-status"


def manifest(
    name: str, namespace: str, node: str, networks: str = "", devices: dict[str, int] | None = None, **annotations: str
) -> Document:
    """A pod for this node, which wants networks by its annotation, and devices by their resources."""
    asked = {**({NETWORKS: networks} if networks else {}), **annotations}
    container = {"name": "main", "image": IMAGE, "imagePullPolicy": "Never"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "annotations": asked},
        "spec": {
            "nodeName": node,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{**container, "resources": {"limits": {key: str(n) for key, n in (devices or {}).items()}}}],
        },
    }


def definition(name: str, namespace: str, config: object = None, **annotations: str) -> Document:
    """A NetworkAttachmentDefinition; a config that is no text becomes JSON."""
    spec = {} if config is None else {"config": config if isinstance(config, str) else json.dumps(config)}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": spec,
    }


class KubePod:
    """A pod that was asked for."""

    def __init__(self, node: KubeNode, namespace: str, name: str) -> None:
        self.node = node
        self.namespace = namespace
        self.name = name
        self._path = f"/api/v1/namespaces/{namespace}/pods/{name}"

    @property
    def document(self) -> Document:
        """The object as it is now."""
        return self.node.server.api.get(self._path).expect(200)

    @cached_property
    def _uids(self) -> set[str]:
        """What tells it from others of its name: a static pod has one at its node, and its mirror another."""
        metadata = self.document["metadata"]
        return {metadata["uid"], metadata["annotations"].get("kubernetes.io/config.mirror", metadata["uid"])}

    @property
    def exists(self) -> bool:
        """Whether the API server knows it."""
        return self.node.server.api.get(self._path).status == HTTPStatus.OK

    def running(self) -> KubePod:
        """The pod itself, as soon as all its containers run."""

        def runs() -> bool:
            states = self.document["status"].get("containerStatuses", [])
            return bool(states) and all("running" in state["state"] for state in states)

        until(runs, lambda: f"{self.name} does not run: {self.events()}\n{self.node.log()}")
        return self

    def events(self, reason: str = "") -> list[tuple[str, str, str]]:
        """What was said about it, the oldest first: type, reason and message."""
        query = f"fieldSelector=involvedObject.name={self.name}"
        found = self.node.server.api.get(f"/api/v1/namespaces/{self.namespace}/events?{query}").expect(200)["items"]
        found = [event for event in found if event["involvedObject"].get("uid") in self._uids]
        found.sort(key=lambda event: str(event["eventTime"] or event["firstTimestamp"] or ""))
        return [
            (event["type"], event["reason"], event["message"]) for event in found if reason in ("", event["reason"])
        ]

    def heard(self, reason: str, number: int) -> list[tuple[str, str, str]]:
        """So many events of this kind, as soon as they are there."""
        until(
            lambda: len(self.events(reason)) >= number,
            lambda: f"not {number} {reason} of {self.name}: {self.events()}\n{self.node.log()}",
        )
        return self.events(reason)

    def told(self, reason: str) -> str:
        """The message of the first event of this kind, as soon as there is one."""
        return self.heard(reason, 1)[0][2]

    def wake(self) -> None:
        """Have the kubelet try again now: it would in ten seconds, and when something about the pod changes."""
        self.node.kubectl("annotate", "pod", self.name, f"--namespace={self.namespace}", "awake=yes")

    @property
    def status(self) -> list[dict[str, Any]]:
        """What the meta-plugin says that it got."""
        found: list[dict[str, Any]] = json.loads(self.document["metadata"]["annotations"][STATUS])
        return found

    def sandboxes(self, *, stopped: bool = False) -> list[str]:
        """The IDs of its sandboxes that run; or of all, since the stopped ones stay for a minute."""
        labels = {"io.kubernetes.pod.name": self.name, "io.kubernetes.pod.namespace": self.namespace}
        messages = self.node.runtime.messages
        request = messages.ListPodSandboxRequest(filter=messages.PodSandboxFilter(label_selector=labels))
        found = self.node.runtime.ask("ListPodSandbox", request).items
        return [each.id for each in found if stopped or each.state == messages.SANDBOX_READY]

    @cached_property
    def container_id(self) -> str:
        """Of the one sandbox that it has."""
        [identity] = self.sandboxes()
        return identity

    @cached_property
    def netns(self) -> str:
        """Its namespace, as a path of this process."""
        request = self.node.runtime.messages.PodSandboxStatusRequest(pod_sandbox_id=self.container_id, verbose=True)
        spec = json.loads(self.node.runtime.ask("PodSandboxStatus", request).info["info"])["runtimeSpec"]
        [path] = (each["path"] for each in spec["linux"]["namespaces"] if each["type"] == "network")
        return str(self.node.inside.path(path.removeprefix("/var")))  # a symbolic link would lead out

    @property
    def shown(self) -> Shown:
        """What iproute2 shows in there."""
        return Shown(self.netns)

    def execute(self, *command: str) -> str:
        """What a command in its container prints."""
        messages = self.node.runtime.messages
        wanted = messages.ContainerFilter(pod_sandbox_id=self.container_id)
        [container] = self.node.runtime.ask("ListContainers", messages.ListContainersRequest(filter=wanted)).containers
        request = messages.ExecSyncRequest(container_id=container.id, cmd=command, timeout=30)
        answer = self.node.runtime.ask("ExecSync", request)
        assert answer.exit_code == 0, answer.stderr
        return str(answer.stdout.decode())

    def delete(self) -> None:
        """Take it away at once, and wait until nothing is left on the node."""
        self.forget()
        self.gone()

    def forget(self) -> None:
        """Take it out of the API at once, whatever its node still has of it."""
        self.node.server.api.delete(self._path, {"gracePeriodSeconds": 0}).expect(200)

    def gone(self) -> None:
        """Wait until it has no sandbox that runs, and nothing on the node names those that it had."""
        until(lambda: not self.sandboxes(), lambda: f"{self.name} still has sandboxes\n{self.node.log()}")
        # They stop before they are detached; and the kubelet may have made another one while the pod was deleted.
        until(lambda: not self.traces(), lambda: f"of {self.name} is left: {self.traces()}")

    def traces(self) -> list[str]:
        """What on the node names its sandboxes, those that are stopped among them."""
        return [trace for identity in self.sandboxes(stopped=True) for trace in self.node.traces(identity)]
