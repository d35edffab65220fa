"""What people of the cluster do: they have Deployments, and scale them."""

from __future__ import annotations

import itertools
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.cri.image import IMAGE
from tests.kubelet.pods import NETWORKS, KubePod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.client import Document
    from tests.rollout.site import Site

OF_SANDBOXES = {"FailedCreatePodSandBox", "FailedKillPod"}
SIZES = (3, 1, 4, 0, 2)


class Deployment:
    """Pods that want these networks."""

    def __init__(self, site: Site, name: str, replicas: int, networks: str = "") -> None:
        self.site = site
        self.name = name
        site.node.apply(self._manifest(replicas, networks))
        self._settle()

    def _manifest(self, replicas: int, networks: str) -> Document:
        labels = {"app": self.name}
        container = {"name": "main", "image": IMAGE, "imagePullPolicy": "Never"}
        pod = {"terminationGracePeriodSeconds": 1, "containers": [container]}
        annotations = {NETWORKS: networks} if networks else {}
        template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self.name, "namespace": self.site.namespace},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
        }

    def scale(self, replicas: int) -> None:
        """Let there be so many pods that run; those that are too many end by and by."""
        where = f"--namespace={self.site.namespace}"
        self.site.node.kubectl("scale", f"deployment/{self.name}", where, f"--replicas={replicas}")
        self._settle()

    def end(self) -> None:
        """Let there be none, and wait until nothing on the node is theirs."""
        pods = self.pods
        self.scale(0)
        for pod in pods:
            pod.gone()

    def _settle(self) -> None:
        self.site.rolled_out(f"deployment/{self.name}", self.site.namespace)

    @property
    def pods(self) -> list[KubePod]:
        """Those that the API has."""
        path = f"/api/v1/namespaces/{self.site.namespace}/pods?labelSelector=app={self.name}"
        found = self.site.server.api.get(path).expect(200)["items"]
        return [KubePod(self.site.node, self.site.namespace, each["metadata"]["name"]) for each in found]

    @contextmanager
    def scaled_up_and_down(self) -> Iterator[list[int]]:
        """Meanwhile the number of its pods changes all the time, as is told; in the end there are none."""
        over = threading.Event()
        failures: list[AssertionError] = []
        reached: list[int] = []

        def change() -> None:
            sizes = itertools.cycle(SIZES)
            try:
                while not over.is_set():
                    self.scale(size := next(sizes))
                    reached.append(size)
            except AssertionError as failure:
                failures.append(failure)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            yield reached
        finally:
            over.set()
            thread.join()
        assert not failures, failures
        self.end()


def failures(site: Site) -> list[str]:
    """What went wrong with pods' networks, as the kubelet told it."""
    found = json.loads(site.node.kubectl("get", "events", f"--namespace={site.namespace}", "--output=json"))["items"]
    return [event["message"] for event in found if event["reason"] in OF_SANDBOXES]
