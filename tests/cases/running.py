"""A node whose containerd runs the pods of cases, with the built program as an installer leaves it.

Everything that a node has elsewhere is where it is elsewhere, within the node's own mounts.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from cni_multus.linux.links import add_veth, change_link, remove_link
from cni_multus.linux.netns import Namespace
from cni_multus.registry import MODULES
from tests.cases.asked import Asked
from tests.cases.promises import Seen, primary_of
from tests.cases.scene import ANNOTATIONS
from tests.cluster.cluster import Cluster, rule
from tests.cri.daemon import Containerd
from tests.cri.enclosure import Enclosure
from tests.node import Answer
from tests.plugins.shown import Shown
from tools.build import PROGRAM
from tools.crikit import crikit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cases.asked import Case
    from tests.cluster.apiserver import Address
    from tests.cri.runtime import Sandbox

RELEASE = "2"
"""Of containerd: it hands a pod's annotations over."""

CHANGES = "get,list,create,patch,delete"
RIGHTS = (  # whoever has the annotations already needs not get the pod
    rule("network-attachment-definitions", "get"),
    rule("pods/status", "patch"),
    rule("events", "create"),
    rule("ippools", CHANGES),
    rule("overlappingrangeipreservations", CHANGES),
)

FOREIGN_MAC = "02:00:00:00:00:01"
FOREIGN = f"""#!/bin/sh
inside() {{ nsenter --net="$CNI_NETNS" ip "$@"; }}
case $CNI_COMMAND in
ADD)
    inside link add "$CNI_IFNAME" address {FOREIGN_MAC} type dummy
    inside address add 10.0.0.9/32 dev "$CNI_IFNAME"
    inside link set "$CNI_IFNAME" up
    inside route add 10.0.0.1 dev "$CNI_IFNAME"
    inside route add default via 10.0.0.1
    echo '{{"cniVersion": "1.0.0",
          "interfaces": [{{"name": "'$CNI_IFNAME'", "mac": "{FOREIGN_MAC}", "sandbox": "'$CNI_NETNS'"}}],
          "ips": [{{"address": "10.0.0.9/32", "gateway": "10.0.0.1", "interface": 0}}],
          "routes": [{{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}}]}}' ;;
esac
"""
"""A primary that is not ours; its interface goes with the pod."""

FLAT = "/etc/cni/net.d/whereabouts.d"
"""Where installers leave the cluster's configuration of whereabouts."""

LEFT = """
find /var/lib/cni/multus/journal -name '*@*'
find /var/lib/cni/networks -name '[0-9]*.*.*.*'
ls /run/netns
"""
"""What of a pod's is on the node, as shell commands that print it."""


class Running:
    """The node, and its part in the cluster; all of it goes with `close`."""

    def __init__(self, server: Address, directory: Path) -> None:
        assert PROGRAM.exists(), f"there is no {PROGRAM}: run `make build` first"
        self._opened = ExitStack()
        with self._opened as opened:
            self.enclosure = Enclosure()
            opened.callback(self.enclosure.close)
            self.cluster = Cluster(server, directory, "cases")
            opened.callback(self.cluster.close)
            self.bin_dir = directory / "bin"
            self.bin_dir.mkdir()
            for name in ("multus", "loopback"):
                (self.bin_dir / name).symlink_to(PROGRAM)
            self._kubeconfig = self._installed()
            self.containerd = Containerd(crikit(), RELEASE, self.enclosure, directory, self.bin_dir)
            opened.callback(self.containerd.close)
            self.host = opened.enter_context(Namespace.open(self.enclosure.netns))
            self._opened = opened.pop_all()

    def close(self) -> None:
        """End it."""
        self._opened.close()

    def configure(self, case: Case) -> dict[str, Any]:
        """Let pods have the case's primary, and what they ask for; 00-multus.conf."""
        primary = primary_of(case)
        if primary["type"] not in MODULES:
            program = self.bin_dir / primary["type"]
            program.write_text(FOREIGN)
            program.chmod(0o755)
        config = {
            "cniVersion": "1.0.0",  # containerd asks for the STATUS of a newer one, again and again
            "name": f"network-of-{case['pods'][0]['name']}",
            "type": "multus",
            "capabilities": {ANNOTATIONS: True},
            "binDir": str(self.bin_dir),
            "kubeconfig": self._kubeconfig,
            "namespaceIsolation": True,
            "networksStatus": True,
            "delegates": [primary],
        }
        self.containerd.configure(config)
        return config

    def call(self, command: str, network: dict[str, Any], container_id: str, netns: str, arguments: str) -> Answer:
        """Call the program as the runtime calls it."""
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container_id,
            "CNI_NETNS": netns,
            "CNI_IFNAME": "eth0",
            "CNI_ARGS": arguments,
            "CNI_PATH": str(self.bin_dir),
        }
        command_line = self.enclosure.entering(self.bin_dir / "multus")
        stdin = json.dumps(network).encode()
        ended = subprocess.run(command_line, env=environment, input=stdin, capture_output=True, check=False)
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    def remains(self) -> dict[str, Any]:
        """What is left of pods on the node and in the cluster."""
        found: dict[str, Any] = {"files": self.enclosure.run("sh", "-c", f"({LEFT}) 2>/dev/null || :").split()}
        found["sandboxes"] = self.containerd.runtime.sandboxes()
        found |= {f"pool {name}": pool["spec"]["allocations"] for name, pool in self.cluster.objects("ippools").items()}
        found["reservations"] = sorted(self.cluster.objects("overlappingrangeipreservations"))
        return {what: some for what, some in found.items() if some}

    def _installed(self) -> str:
        """What an installer leaves on a node; the kubeconfig."""
        road = self.cluster.road(self.enclosure.netns, raw=True)
        token = self.cluster.token(*RIGHTS, cluster_wide=True)
        kubeconfig = str(self.cluster.kubeconfig(server=road.url, token=token))
        self.enclosure.run("sh", "-ec", f"mkdir -p /etc/cni; mount -t tmpfs tmpfs /etc/cni; mkdir -p {FLAT}")
        flat = self.enclosure.path(FLAT)
        document = {"datastore": "kubernetes", "kubernetes": {"kubeconfig": kubeconfig}}
        (flat / "whereabouts.conf").write_text(json.dumps(document))
        (flat / "nodename").write_text("node1\n")
        return kubeconfig


class CaseRun:
    """A case on the node: its uplinks, its configuration, and its pods."""

    def __init__(self, running: Running, case: Case) -> None:
        self._running = running
        self._case = case
        self._opened = ExitStack()

    def __enter__(self) -> CaseRun:
        with self._opened as opened:
            host = self._running.host
            for at, name in enumerate(self._case["uplinks"]):
                uplink = add_veth(host, name, peer=f"switch{at}", peer_namespace=host)
                opened.callback(remove_link, host, name)
                change_link(host, uplink.parent, up=True)
            self.asked = opened.enter_context(Asked(self._case, self._running.cluster.api))
            self.network = self._running.configure(self._case)
            opened.callback(self.remove)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def run(self, told: Case) -> Sandbox:
        """Ask for a pod, and let the runtime make it; raises Refused."""
        uid = self.asked.pod(told)
        return self._running.containerd.runtime.run_pod(
            told["name"], namespace=told["namespace"], uid=uid, annotations=told["annotations"]
        )

    def expect(self, told: Case, sandbox: Sandbox) -> None:
        """The pod has what is promised, in its namespace and in the API."""
        uplink = Shown(self._running.enclosure.netns).link(self._case["uplinks"][0])
        # A symbolic link, /var/run, would lead out of the node.
        netns = self._running.enclosure.path(self._netns(sandbox).removeprefix("/var"))
        Seen(Shown(str(netns)), self.asked.status(told), uplink).keeps(told["expect"])

    def check(self, told: Case, sandbox: Sandbox) -> None:
        """Nothing has changed since."""
        netns, arguments = self._netns(sandbox), self.asked.identity(told)
        self._running.call("CHECK", self.network, sandbox.id, netns, arguments).succeeded()

    def refusal(self, told: Case) -> Answer:
        """What the runtime is answered for a pod that it could not make."""
        enclosure = self._running.enclosure
        netns = f"/run/{told['name']}"
        enclosure.run("sh", "-ec", 'touch "$1"; unshare --net="$1" true', "sh", netns)
        network = {**self.network, "runtimeConfig": {ANNOTATIONS: told["annotations"]}}
        answer = self._running.call("ADD", network, told["name"], netns, self.asked.identity(told))
        enclosure.run("umount", netns)
        return answer

    def _netns(self, sandbox: Sandbox) -> str:
        """A pod's namespace, as the runtime calls it."""
        runtime = self._running.containerd.runtime
        request = runtime.messages.PodSandboxStatusRequest(pod_sandbox_id=sandbox.id, verbose=True)
        spec = json.loads(runtime.ask("PodSandboxStatus", request).info["info"])["runtimeSpec"]
        [path] = (each["path"] for each in spec["linux"]["namespaces"] if each["type"] == "network")
        return str(path)

    def remove(self) -> None:
        """Take all pods away, those that never came to run among them."""
        runtime = self._running.containerd.runtime
        for identity in runtime.sandboxes():
            runtime.remove(identity)
