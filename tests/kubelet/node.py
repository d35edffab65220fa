"""What a test sees of the node that all share: its files, what is said to its programs, and its pods."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import time
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.cluster.cluster import WHEREABOUTS
from tests.cluster.kubeconfig import Credentials, kubeconfig
from tests.cri.daemon import SOCKET
from tests.cri.enclosure import Enclosure
from tests.cri.runtime import Refused, Runtime
from tests.kubelet.settings import POOLS
from tools.crikit import crikit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster.apiserver import Address

BOOKKEEPING = "/lock|/last_reserved_ip|/[.]multus/|/(hint|last|seen|turns|domain|journal/network)/|/meta$|^ ?cni0$"
"""What stays on a node that has had pods."""

FORGOTTEN = "/results/cni-loopback-"
"""What a containerd that is killed never takes away: its own record of a sandbox's `lo`."""

PATIENCE = 60
"""Seconds that anything may take that a kubelet does."""


class Joined(Enclosure):
    """An enclosure that another process made, and will end."""

    def __init__(self, pid: int) -> None:
        self.pid = pid


class KubeNode:
    """A node with a kubelet; tests in several processes use it at the same time."""

    def __init__(self, directory: Path, server: Address) -> None:
        known = json.loads((directory / "node.json").read_text())
        self.directory = directory
        self.server = server
        self.name: str = known["name"]
        self.config: dict[str, Any] = known["config"]
        self.inside = Joined(known["pid"])
        self.runtime = Runtime(crikit(), self.inside.path(SOCKET), "")

    @cached_property
    def _kubeconfig(self) -> Path:
        path = self.directory / f"admin-of-{os.getpid()}"
        path.write_text(kubeconfig(self.server.url, self.server.ca, Credentials(token=self.server.token)))
        return path

    def kubectl(self, *arguments: str, document: object = None) -> str:
        """What kubectl prints; a document is its standard input."""
        options = [f"--kubeconfig={self._kubeconfig}", f"--cache-dir={self._kubeconfig}.cache"]
        kept = ["setpriv", "--pdeathsig", "KILL"]  # what waits for something does so no longer than this process
        command = [*kept, str(crikit().program("kubectl")), *options, *arguments]
        told = json.dumps(document) if document is not None else None
        done = subprocess.run(command, input=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def apply(self, *documents: dict[str, Any]) -> None:
        """Let kubectl make all these as they are described."""
        self.kubectl("apply", "--filename=-", document={"apiVersion": "v1", "kind": "List", "items": list(documents)})

    def delete(self, *documents: dict[str, Any]) -> None:
        """Let kubectl take them away, at once."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self.kubectl("delete", "--filename=-", "--wait=false", "--grace-period=0", "--force", document=items)

    def kill(self, program: str) -> None:
        """Kill `containerd` or `kubelet`, which is started again; return when containerd answers."""
        self.inside.run("sh", "-c", f"kill -9 $(cat /run/{program}.pid)")
        if program == "containerd":
            until(self._answers, lambda: "containerd does not come back")

    def _answers(self) -> bool:
        try:
            return bool(self.runtime.status())
        except Refused:
            return False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else uses the node meanwhile: what is done to it would be felt."""
        with self._locked(fcntl.LOCK_EX):
            yield

    @contextmanager
    def with_others(self) -> Iterator[None]:
        """Nobody is alone with the node meanwhile."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        with (self.directory / "used").open("w") as lock:
            fcntl.flock(lock, kind)
            yield

    @contextmanager
    def configured(self, **changed: object) -> Iterator[None]:
        """The meta-plugin's configuration is another meanwhile; one has to be alone with the node."""
        path = self.directory / "net.d/00-multus.conf"
        try:
            self._replace(path, {**self.config, **changed})
            yield
        finally:
            self._replace(path, self.config)

    def _replace(self, path: Path, document: dict[str, Any]) -> None:
        written = path.with_name("written")
        written.write_text(json.dumps(document))
        written.rename(path)
        until(lambda: self._read_by_containerd() == document, lambda: f"containerd has not read {document}", 20)

    def _read_by_containerd(self) -> object:
        [_, network] = json.loads(self.runtime.status().info["cniconfig"])["Networks"]  # the first is its own loopback
        [plugin] = network["Config"]["Plugins"]
        return json.loads(plugin["Source"])

    def traces(self, container_id: str) -> list[str]:
        """Everything on the node that names a sandbox."""
        search = 'find /run/cni /run/multus /var/lib/cni -name "*$0*"; grep -rlF "$0" /run/cni /run/multus /var/lib/cni'
        found = self.inside.run("sh", "-c", f'({search}; ip -d link | grep -F "$0") 2>/dev/null || :', container_id)
        return [line for line in found.splitlines() if FORGOTTEN not in line]

    def everything(self) -> set[str]:
        """All links, namespaces and files that pods have here, but for those that stay."""
        search = "find /run/netns /run/cni /run/multus /var/lib/cni ! -type d; ip -o link | cut -d: -f2 | cut -d@ -f1"
        found = self.inside.run("sh", "-c", f"({search}) 2>/dev/null || :")
        return {line.strip() for line in found.splitlines() if not re.search(f"{BOOKKEEPING}|{FORGOTTEN}", line)}

    def allocations(self, pool: str) -> list[str]:
        """The pods that have addresses of a pool."""
        found = self.server.api.get(f"/apis/{WHEREABOUTS}/namespaces/{POOLS}/ippools/{pool}").expect(200)
        return sorted(entry["podref"] for entry in found["spec"].get("allocations", {}).values())

    def log(self) -> str:
        """The kubelet's last words."""
        return (self.directory / "kubelet.log").read_text(errors="replace")[-3000:]


def until(there: Callable[[], Any], what: Callable[[], str], patience: float = PATIENCE) -> Any:
    """What is there, as soon as it is; `what` tells what was missed otherwise."""
    deadline = time.monotonic() + patience
    while not (found := there()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)
    return found
