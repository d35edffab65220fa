"""One node for all processes of a test run: its namespaces, containerd, kubelet and device plugin, from start to end.

node.json       what tests want to know of it
bin/            the runtime's directory of plugins
net.d/          ... and of configurations
manifests/      pods that the kubelet runs by itself
<program>.log   what a program says
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.apiserver import Address
from tests.cluster.cluster import Cluster
from tests.cluster.keeper import ROOT, main
from tests.cri.daemon import Containerd
from tests.cri.enclosure import Enclosure
from tests.kubelet import settings
from tests.kubelet.deviceplugin import DevicePlugin
from tools.crikit import crikit
from tools.kubekit import kubekit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 120
"""Seconds until a node that is not ready is given up."""

PROGRAM = ROOT / "dist/multus"
PID = "/run/kubelet.pid"

# What is written below /etc and /opt stays in memory, and the kernel's settings are shown as they should be.
PLACE = """
for directory in etc opt; do
    mkdir /run/$directory /run/$directory.work
    mount -t overlay -o lowerdir=/$directory,upperdir=/run/$directory,workdir=/run/$directory.work overlay /$directory
done
rm -rf /etc/cni /etc/kubernetes /opt/cni
mkdir -p /etc/cni/net.d /opt/cni/bin /run/settings /var/lib/kubelet
for setting; do
    name=${setting%%=*}
    shown=/run/settings/$(echo $name | tr / .)
    echo ${setting#*=} >$shown
    mount --bind $shown /proc/sys/$name
done
"""
LINKS = f"""
ip link add node0 type veth peer name node1
ip address add {settings.ADDRESS}/24 dev node0
ip link set node0 up
ip link set node1 up
"""


class Making:
    """A node as it comes to be."""

    def __init__(self, directory: Path, name: str, server: Address, opened: ExitStack) -> None:
        self.directory = directory
        self.name = name
        self.enclosure = Enclosure()
        opened.callback(self.enclosure.close)
        shown = [f"{setting}={value}" for setting, value in settings.SETTINGS.items()]
        self.enclosure.run("sh", "-ec", PLACE + LINKS, "sh", *shown)
        self.cluster = Cluster(server, directory, name)
        opened.callback(self.cluster.close)
        self.bin_dir = directory / "bin"
        self.static_pods = directory / "manifests"
        for made in (self.bin_dir, self.static_pods):
            made.mkdir(exist_ok=True)

    def write(self, name: str, document: dict[str, Any]) -> Path:
        """A file of JSON."""
        path = self.directory / name
        path.write_text(json.dumps(document, indent=1))
        return path


def install(made: Making) -> dict[str, Any]:
    """What an installer leaves on a node for the meta-plugin; its configuration."""
    shutil.copytree(PROGRAM, made.directory / "program", symlinks=True)
    for name in ("multus", "loopback"):
        (made.bin_dir / name).symlink_to(made.directory / "program/multus")
    token = made.cluster.token(*settings.RIGHTS, *settings.RIGHTS_OF_WHEREABOUTS, cluster_wide=True)
    road = made.cluster.road(made.enclosure.netns, raw=True)
    kubeconfig = made.cluster.kubeconfig(server=road.url, token=token, namespace=settings.POOLS)
    flat = made.enclosure.path("/etc/cni/net.d/whereabouts.d")
    flat.mkdir()
    of_whereabouts = {"datastore": "kubernetes", "kubernetes": {"kubeconfig": str(kubeconfig)}}
    (flat / "whereabouts.conf").write_text(json.dumps(of_whereabouts))
    (flat / "nodename").write_text(f"{made.name}\n")
    return settings.multus_config(made.bin_dir, kubeconfig)


class Minder:
    """Starts a program again whenever it has ended, as an init does."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._over = threading.Event()
        self._process = start()
        self._thread = threading.Thread(target=self._mind, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let it be ended from now on."""
        self._over.set()

    def _mind(self) -> None:
        while not self._over.is_set():
            self._process.wait()
            if not self._over.wait(0.1):
                self._process = self._start()


def start_containerd(made: Making, opened: ExitStack, bin_dir: Path, conf_dir: Path | None = None) -> Containerd:
    """The runtime, and the image that all pods are of."""
    containerd = Containerd(crikit(), "1.7", made.enclosure, made.directory, bin_dir, conf_dir)
    opened.callback(containerd.close)

    def start() -> subprocess.Popen[bytes]:
        if containerd._process is None or containerd._process.poll() is not None:
            containerd.start()
        assert containerd._process is not None
        return containerd._process

    opened.callback(Minder(start).stop)
    return containerd


def start_kubelet(made: Making, opened: ExitStack) -> None:
    """The kubelet, which makes its node known, and will say that it is ready."""
    who = made.cluster.certificate(f"system:node:{made.name}", "system:nodes")
    kubeconfig = made.cluster.reachable_from(made.enclosure.netns, certificate=who)
    config = settings.kubelet_config(made.enclosure.cgroup, made.cluster.server.ca, made.static_pods)
    options = settings.kubelet_options(made.name, made.write("kubelet.json", config), kubeconfig)
    command = ["sh", "-c", f'echo $$ >{PID}; exec "$@"', "sh", kubekit(building=False).kubelet, *options]

    def start() -> subprocess.Popen[bytes]:
        with (made.directory / "kubelet.log").open("ab") as log:
            return made.enclosure.start(command, log, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})

    opened.callback(Minder(start).stop)


def wait_until_ready(made: Making) -> None:
    """Return when the API server knows of a node that runs pods."""
    deadline = time.monotonic() + PATIENCE
    while not is_ready(made):
        log = (made.directory / "kubelet.log").read_text()[-4000:]
        assert time.monotonic() < deadline, f"the node {made.name} is not ready: {log}"
        time.sleep(0.05)


def is_ready(made: Making) -> bool:
    """Whether pods can be run."""
    found = made.cluster.api.get(made.cluster.path("nodes", made.name))
    conditions = found.document["status"].get("conditions", []) if found.status == HTTPStatus.OK else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


@contextmanager
def node(directory: Path, name: str, server: Address) -> Iterator[None]:
    """A node, and what there is to know of it."""
    with ExitStack() as opened:
        made = Making(directory, name, server, opened)
        config = install(made)
        start_containerd(made, opened, made.bin_dir)
        made.write("net.d/00-multus.conf", config)
        start_kubelet(made, opened)
        wait_until_ready(made)
        plugins = made.enclosure.path(f"{settings.ROOT}/device-plugins")
        opened.enter_context(DevicePlugin(plugins, settings.RESOURCE, settings.DEVICES))
        known = {"name": name, "pid": made.enclosure.pid, "config": config}
        made.write("node.json", known)
        yield
    shutil.rmtree(directory / "program")


if __name__ == "__main__":
    place, called, url, of_server = sys.argv[1:]
    sys.exit(main(Path(place), node(Path(place), called, Address(url, Path(of_server)))))
