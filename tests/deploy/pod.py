"""The DaemonSet's pod on a node of the test's own, made of the manifest as a kubelet does, run from the image."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.cri.enclosure import Enclosure
from tools.crikit import crikit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.deploy.kit import Document

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
UNITS = {"Mi": 1 << 20}


class Pod:
    """Its containers are run one by one, in the node's network namespace, which is an enclosure's."""

    def __init__(self, place: Path, image: Path, template: Document, cluster: Cluster, token: str) -> None:
        self.inside = Enclosure()
        self.node = place / "node"
        self.spec: Document = template["spec"]
        self._image = image
        self._place = place
        self._road = urlsplit(cluster.road(self.inside.netns, raw=True).url)
        self._account = place / "secret"
        self._account.mkdir()
        (self._account / "token").write_text(token)
        (self._account / "ca.crt").write_bytes(cluster.server.ca.read_bytes())
        (self._account / "namespace").write_text(cluster.namespace)
        for volume in self.spec["volumes"]:
            if volume["hostPath"]["type"] == "DirectoryOrCreate":
                self.at(volume["hostPath"]["path"]).mkdir(parents=True, exist_ok=True)

    def at(self, path: str) -> Path:
        """Where the node's path is."""
        return self.node / path[1:]

    def run(self, container: Document) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = self.inside.entering(*self._runc("run", f"--bundle={self._bundle(container)}", container["name"]))
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def start(self, container: Document) -> subprocess.Popen[bytes]:
        """Let it run; what it says is in `log`."""
        command = self._runc("run", f"--bundle={self._bundle(container)}", container["name"])
        with self.log.open("ab") as log:
            return self.inside.start(command, log, {"PATH": os.environ["PATH"]})

    def execute(self, container: Document, command: list[str]) -> int:
        """Run a command in a container, as a hook is; its exit status."""
        entering = self.inside.entering(*self._runc("exec", container["name"], *command))
        return subprocess.run(entering, capture_output=True, timeout=60, check=False).returncode

    def ask(self, probe: Document) -> bool:
        """Whether a probe succeeds."""
        where = probe["httpGet"]
        url = f"http://{where['host']}:{where['port']}{where['path']}"
        entering = self.inside.entering(crikit().program("busybox"), "wget", "-qO-", url)
        return subprocess.run(entering, capture_output=True, timeout=20, check=False).returncode == 0

    def kill(self, container: Document, signal: str = "TERM") -> None:
        self.inside.run(*self._runc("kill", container["name"], signal))

    @property
    def log(self) -> Path:
        return self._place / "log"

    def peak(self, container: Document) -> int:
        """The most bytes of memory that it had, file caches included."""
        [path] = [
            *self.inside.path("/sys/fs/cgroup").glob(f"memory/{self._cgroup(container)}/memory.max_usage_in_bytes"),
            *self.inside.path("/sys/fs/cgroup").glob(f"{self._cgroup(container)}/memory.peak"),
        ]
        return int(path.read_text())

    def close(self) -> None:
        self.inside.close()

    def _runc(self, *words: object) -> list[object]:
        return [crikit().program("runc"), "--root=/run/runc", *words]

    def _cgroup(self, container: Document) -> str:
        return f"{self.inside.cgroup}/{container['name']}"

    def _bundle(self, container: Document) -> Path:
        bundle = self._place / f"bundle-{container['name']}"
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(self._config(container)))
        return bundle

    def _config(self, container: Document) -> Document:
        """What a runtime tells runc of a container like this."""
        security, limits = container["securityContext"], container["resources"]["limits"]
        capabilities = [f"CAP_{name}" for name in security["capabilities"]["add"]]
        environment = {"KUBERNETES_SERVICE_HOST": self._road.hostname, "KUBERNETES_SERVICE_PORT": self._road.port}
        milliseconds = int(limits["cpu"].removesuffix("m"))
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": security["runAsUser"], "gid": security["runAsGroup"]},
                "args": [*container["command"], *container["args"]],
                "env": ["PATH=/usr/bin", *(f"{name}={value}" for name, value in environment.items())],
                "cwd": "/",
                "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
                "noNewPrivileges": not security["allowPrivilegeEscalation"],
            },
            "root": {"path": str(self._image), "readonly": security["readOnlyRootFilesystem"]},
            "mounts": self._mounts(container),
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
                "cgroupsPath": f"/{self._cgroup(container)}",
                "resources": {
                    "memory": {"limit": int(limits["memory"][:-2]) * UNITS[limits["memory"][-2:]]},
                    "cpu": {"quota": milliseconds * 100, "period": 100_000},
                },
            },
        }

    def _mounts(self, container: Document) -> list[dict[str, Any]]:
        sources = {each["name"]: each["hostPath"] for each in self.spec["volumes"]}
        mounts: list[dict[str, Any]] = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": ACCOUNT, "source": str(self._account), "options": ["bind", "ro"]},
        ]
        for mount in container["volumeMounts"]:
            host = sources[mount["name"]]
            source = self.at(host["path"]) if host["type"] == "DirectoryOrCreate" else host["path"]
            access = "ro" if mount.get("readOnly") else "rw"
            mounts.append({"destination": mount["mountPath"], "source": str(source), "options": ["rbind", access]})
        return mounts
