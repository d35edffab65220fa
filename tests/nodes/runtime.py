"""A container runtime as containerd is one: it uses the first configuration of its directory, and libcni's cache."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace

ANNOTATIONS, NETWORKS = "io.kubernetes.cri.pod-annotations", "k8s.v1.cni.cncf.io/networks"
ENDINGS = (".conf", ".conflist", ".json")


class Failed(Exception):
    """What a plugin answered."""


class Runtime:
    """Executes the plugins of `net_d` in `bins` for a pod, in the node's namespace."""

    def __init__(self, host: Namespace, bins: Path, net_d: Path, results: Path) -> None:
        self.host = host
        self.bins = bins
        self.net_d = net_d
        self.results = results
        self.calls = 0
        self.wishes: dict[str, str] = {}
        """The annotation for networks of each pod, which is called like its container."""

    def add(self, container: str, netns: str) -> dict[str, Any]:
        """ADD, kept as libcni keeps it."""
        network = self.network()
        previous: dict[str, Any] = {}
        for plugin in network["plugins"]:
            previous = self._call("ADD", network, plugin, container, netns, previous) or {}
        entry = {
            "kind": "cniCacheV1",
            "containerId": container,
            "config": base64.b64encode(json.dumps(network).encode()).decode(),
            "ifName": "eth0",
            "networkName": network["name"],
            "netns": netns,
            "cniArgs": [["IgnoreUnknown", "1"]],
            "result": previous,
        }
        self.results.mkdir(exist_ok=True)
        self._entry(network, container).write_text(json.dumps(entry))
        return previous

    def delete(self, container: str, netns: str) -> None:
        """DEL with the configuration as it is now: libcni takes only the result from its cache."""
        network = self.network()
        path = self._entry(network, container)
        previous = json.loads(path.read_text())["result"] if path.exists() else {}
        for plugin in network["plugins"][::-1]:
            self._call("DEL", network, plugin, container, netns, previous)
        path.unlink(missing_ok=True)

    def check(self, container: str, netns: str) -> None:
        """CHECK, with the result that is kept."""
        network = self.network()
        previous = json.loads(self._entry(network, container).read_text())["result"]
        for plugin in network["plugins"]:
            self._call("CHECK", network, plugin, container, netns, previous)

    def network(self) -> dict[str, Any]:
        """The first configuration, as a list."""
        first = min(path for path in self.net_d.iterdir() if path.suffix in ENDINGS)
        document: dict[str, Any] = json.loads(first.read_text())
        if "plugins" in document:
            return document
        return {"name": document["name"], "cniVersion": document["cniVersion"], "plugins": [document]}

    def _entry(self, network: dict[str, Any], container: str) -> Path:
        return self.results / f"{network['name']}-{container}-eth0"

    def _call(
        self,
        command: str,
        network: dict[str, Any],
        plugin: dict[str, Any],
        container: str,
        netns: str,
        previous: dict[str, Any],
    ) -> dict[str, Any] | None:
        config = {**plugin, "name": network["name"], "cniVersion": network["cniVersion"]}
        if previous:
            config["prevResult"] = previous
        wish, arguments = self.wishes.get(container), "IgnoreUnknown=1"
        if wish is not None:
            arguments += f";K8S_POD_NAMESPACE=blue;K8S_POD_NAME={container};K8S_POD_UID=uid-of-{container}"
            if plugin.get("capabilities", {}).get(ANNOTATIONS):
                config["runtimeConfig"] = {ANNOTATIONS: {NETWORKS: wish}}
        self.calls += 1
        done = subprocess.run(
            ["nsenter", f"--net={self.host.path}", str(self.bins / plugin["type"])],
            input=json.dumps(config).encode(),
            capture_output=True,
            check=False,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "CNI_COMMAND": command,
                "CNI_CONTAINERID": container,
                "CNI_NETNS": netns,
                "CNI_IFNAME": "eth0",
                "CNI_ARGS": arguments,
                "CNI_PATH": str(self.bins),
            },
        )
        if done.returncode:
            raise Failed(f"{command} of {plugin['type']} for {container}: {done.stdout.decode()}{done.stderr.decode()}")
        document: dict[str, Any] | None = json.loads(done.stdout) if done.stdout.strip() else None
        return document
