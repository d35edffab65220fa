"""A cluster of one node, on which everything is applied by kubectl: a primary CNI, multus, and what people run."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path

import yaml

from tests.cluster.apiserver import SERVICE
from tests.cluster.controlplane import ControlPlane
from tests.cri.image import write_image
from tests.deploy.kit import DEPLOY, NAMESPACE
from tests.kubelet.keeper import Making, start_containerd, start_kubelet
from tests.kubelet.node import KubeNode, until
from tools import image
from tools.crikit import crikit
from tools.reference import reference_plugins

NODE = "node-a"
BIN, NET_D = Path("/opt/cni/bin"), Path("/etc/cni/net.d")
PRIMARY = Path(__file__).with_name("primary.yaml")
OF_THE_PRIMARY = ("bridge", "host-local", "loopback", "portmap")
REPOSITORY, FIRST = image.NAME.split(":")
SECOND = f"{FIRST}-second"
"""The tag of an image that holds the same, and a file more: another version for whoever installs it."""
PLACES = (str(BIN), str(NET_D), "/var/lib/cni", "/run/multus", "/var/log")
"""Where a CNI plugin leaves anything."""
OF_PODS = ("/var/log/pods", "/var/log/containers")

# Where pods are told that the API server is. Elsewhere kube-proxy does this.
SERVICES = f"""
add table ip services
add chain ip services output {{ type nat hook output priority -100; }}
add rule ip services output ip daddr {SERVICE} tcp dport 443 dnat to 127.0.0.1:%s
"""


class Site:
    """Everything that there is; `close` ends it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._opened = ExitStack()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self.server = self._opened.enter_context(ControlPlane(self.directory / "server")).address
        place = self.directory / "node"
        place.mkdir()
        made = Making(place, NODE, self.server, self._opened)
        road = made.cluster.road(made.enclosure.netns, raw=True)
        made.enclosure.run("ip", "address", "add", f"{SERVICE}/32", "dev", "lo")
        made.enclosure.run("nft", SERVICES % road.url.rpartition(":")[2])
        containerd = start_containerd(made, self._opened, BIN, NET_D)
        for archive in self._images():
            containerd.ctr("images", "import", archive)
            archive.unlink()
        start_kubelet(made, self._opened)
        made.write("node.json", {"name": NODE, "pid": made.enclosure.pid, "config": {}})
        self.node = KubeNode(place, self.server)
        self._opened.callback(self.node.runtime.close)
        self.namespace = made.cluster.namespace

    def _images(self) -> list[Path]:
        """Archives of what is run, besides what people run."""
        archives = [self.directory / name for name in ("primary.tar", "first.tar", "second.tar")]
        programs = [reference_plugins() / name for name in OF_THE_PRIMARY]
        write_image(archives[0], crikit().program("busybox"), "localhost/primary:1", programs)
        root = self.directory / "root"
        image.lay_out(root)
        image.write_archive(archives[1], root)
        (root / image.HOME / "another").write_text("version\n")
        image.write_archive(archives[2], root, f"{REPOSITORY}:{SECOND}")
        shutil.rmtree(root)
        return archives

    def close(self) -> None:
        self._opened.close()

    @property
    def my_cluster(self) -> str:
        """The kustomization that an operator of this cluster has."""
        directory = self.directory / "my-cluster"
        directory.mkdir(exist_ok=True)
        return str(directory)

    def join(self) -> None:
        """Let the primary CNI come, and return when pods are scheduled."""
        self.node.kubectl("apply", f"--filename={PRIMARY}")
        until(self._takes_pods, self.node.log)

    def _takes_pods(self) -> bool:
        node = self.server.api.get(f"/api/v1/nodes/{NODE}")
        return node.status == HTTPStatus.OK and not node.document["spec"].get("taints")

    def apply(self, tag: str) -> None:
        """Let kubectl have this version on the node, and wait until it says that it is."""
        base = os.path.relpath(DEPLOY / "overlays" / "kind", self.my_cluster)  # kind's images are imported, too
        images = [{"name": "multus", "newName": REPOSITORY, "newTag": tag}]
        kustomization = yaml.safe_dump({"resources": [base], "images": images})
        (Path(self.my_cluster) / "kustomization.yaml").write_text(kustomization)
        self.node.kubectl("apply", "--server-side", f"--kustomize={self.my_cluster}")
        self.rolled_out("daemonset/multus")

    def rolled_out(self, name: str, namespace: str = NAMESPACE) -> None:
        """Return when all its pods are ready."""
        told = ("status", name, f"--namespace={namespace}", "--timeout=120s")
        self.node.kubectl("rollout", *told)

    def version(self) -> str:
        """What the node executes."""
        return os.readlink(self.node.inside.path(f"{BIN}/.multus/current"))

    def tree(self) -> dict[str, str]:
        """What there is on the node but for what is the kubelet's; files with what they hold, unless that counts."""
        root = str(self.node.inside.path("/"))
        found: dict[str, str] = {}
        for place in PLACES:
            for directory, folders, files in os.walk(f"{root}{place}"):
                inside = directory.removeprefix(root)
                folders[:] = [name for name in folders if f"{inside}/{name}" not in OF_PODS]
                found[inside] = "directory"
                found.update({f"{inside}/{name}": _held(f"{directory}/{name}") for name in [*folders, *files]})
        return found

    def network(self) -> set[str]:
        """The links and the rules of the node."""
        links = self.node.inside.run("sh", "-c", "ip -o link | cut -d: -f2 | cut -d@ -f1")
        return {*links.split(), *self.node.inside.run("nft", "list", "ruleset").splitlines()}


def _held(path: str) -> str:
    """What there is; nothing of a counter, and of what is just going away."""
    if os.path.islink(path):
        return os.readlink(path)
    try:
        return "" if "/last_reserved_ip." in path else hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except IsADirectoryError:
        return "directory"
    except FileNotFoundError:
        return ""
