"""A node on which a containerd runs pods, for one test: its networks, its pods, and what is left of them."""

from __future__ import annotations

import json
import os
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

from cni_multus.linux.netns import Namespace
from cni_multus.state.journal import Journal
from tests.node import UPLINK, Node

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.state.journal import Record
    from tests.cri.daemon import Containerd
    from tests.cri.runtime import Sandbox

WITNESS = f"""#!{sys.executable} -ISE
import fcntl, json, os, sys
network = json.load(sys.stdin)
with open(network["log"], "a") as log:
    fcntl.flock(log, fcntl.LOCK_EX)
    log.write(json.dumps(dict(environment=dict(os.environ), stdin=network)) + "\\n")
if os.environ["CNI_COMMAND"] == "ADD":
    print(json.dumps(network["prevResult"]))
"""
"""A plugin at the end of a list: it notes what the runtime asks, and changes nothing."""

_numbers = count()


class Site:
    """The node; everything that it has goes with `close`."""

    def __init__(self, containerd: Containerd, root: Path) -> None:
        self.containerd = containerd
        self.runtime = containerd.runtime
        self._host = Namespace.open(containerd.enclosure.netns)
        self.node = Node(self._host, root)
        self.calls_log = root / "witness"

    def config(self, *delegates: object, **more: object) -> dict[str, Any]:
        """00-multus.conf in the newest version that the runtime knows, under a name of its own."""
        version = self.containerd.newest_version
        there = {"nadPaths": [str(self.node.root)], "name": f"network{next(_numbers)}"}
        return self.node.config(*delegates, **{"cniVersion": version, **there, **more})

    def three(self) -> dict[str, Any]:
        """A bridge, a macvlan, and a second bridge."""
        second = self.node.bridge("second", "10.3.0.0/24", bridge="cni1", isDefaultGateway=False)
        return self.config(self.node.bridge(), self.node.macvlan("red", "10.2.0.0/24"), second)

    def witnessed(self, network: dict[str, Any]) -> dict[str, Any]:
        """The same network as a list, at whose end the witness stands."""
        program = self.containerd.bin_dir / "witness"
        program.write_text(WITNESS)
        program.chmod(0o755)
        named = {key: network[key] for key in ("cniVersion", "name")}
        return {**named, "plugins": [network, {"type": "witness", "log": str(self.calls_log)}]}

    def calls(self, command: str) -> list[dict[str, Any]]:
        """What the witness was asked, of one verb."""
        lines = self.calls_log.read_text().splitlines() if self.calls_log.exists() else []
        return [call for call in map(json.loads, lines) if call["environment"]["CNI_COMMAND"] == command]

    def record(self, sandbox: Sandbox) -> Record:
        """What the journal says of a sandbox."""
        found = Journal(str(self.node.cni_dir)).find(sandbox.id, "eth0")
        assert found is not None
        return found

    def remains(self) -> dict[str, object]:
        """Whatever is left of pods on the node; empty if nothing is."""
        found: dict[str, object] = {
            **self.node.remains(),
            "namespaces": os.listdir(self.containerd.enclosure.path("/run/netns")),
            "sandboxes": self.runtime.sandboxes(),
        }
        return {what: some for what, some in found.items() if some}

    def close(self) -> None:
        """Take all pods away, and the links that a node keeps."""
        for sandbox in self.runtime.sandboxes():
            self.runtime.stop(sandbox)
            self.runtime.remove(sandbox)
        bridges = [name for name, kind in self.node.links().items() if kind == "bridge"]
        for name in (*bridges, UPLINK):
            self.containerd.enclosure.run("ip", "link", "delete", name)
        self._host.close()
