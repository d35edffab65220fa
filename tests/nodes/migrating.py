"""A live node with the Go Multus, the Go plugins and definitions of networks, on which this program comes and goes."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from cni_multus.node.bundle import Source
from cni_multus.node.changes import Changes
from cni_multus.node.configure import Configuration
from cni_multus.node.generate import Options
from cni_multus.node.install import Wanted, install
from cni_multus.node.uninstall import Options as Leaving
from cni_multus.node.uninstall import uninstall
from tests.multus import gomultus
from tests.node import Node, Pod
from tests.nodes.machine import facts
from tests.nodes.runtime import Runtime
from tools.build import PROGRAM
from tools.reference import reference_plugins

if TYPE_CHECKING:
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from cni_multus.node.changes import Change
    from cni_multus.node.uninstall import Outcome
    from tests.conftest import MakeNamespace

PLUGINS = ("bridge", "host-local", "loopback", "macvlan", "portmap", "sbr", "static", "tuning", "vrf")
TAKEN_ALONG = {"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition"}


class Live:
    """The node; its pods are called like their containers, and are in the namespace `blue`."""

    def __init__(self, host: Namespace, make: MakeNamespace, root: Path, *, masquerades: bool = True) -> None:
        self.node = Node(host, root)
        self._make = make
        self.root = root / "root"
        self.bins, self.net_d, self.state = (self.root / part for part in ("opt/bin", "etc/net.d", "lib/multus"))
        self.node.cni_dir = self.state
        self.definitions, self.kept = self.root / "definitions", root / "kept"
        self.kubeconfig = self.net_d / "multus.d" / "multus.kubeconfig"
        for directory in (self.bins, self.kubeconfig.parent, self.definitions, self.kept):
            directory.mkdir(parents=True)
        for name in PLUGINS:
            shutil.copy2(reference_plugins() / name, self.bins / name)
        self.primary = {
            "cniVersion": "1.0.0",
            "name": "primary",
            "plugins": [{**self.node.bridge("primary"), "ipMasq": masquerades}],
        }
        (self.net_d / "10-primary.conflist").write_text(json.dumps(self.primary))
        self.runtime = Runtime(host, self.bins, self.net_d, root / "results")
        self._api: dict[str, Any] = {"pods": {}, "definitions": {}}

    def define(self, name: str, config: dict[str, Any]) -> None:
        """A definition in the namespace `blue`, for either program."""
        self._api["definitions"][f"blue/{name}"] = config
        metadata, spec = {"namespace": "blue", "name": name}, {"config": json.dumps(config)}
        (self.definitions / f"{name}.json").write_text(json.dumps({**TAKEN_ALONG, "metadata": metadata, "spec": spec}))
        self._tell()

    def macvlan(self, name: str, subnet: str, **more: Any) -> None:
        """One without a name in its configuration, as most are."""
        config = {"cniVersion": "1.0.0", **self.node.macvlan(name, subnet, mode="bridge"), **more}
        del config["name"]
        self.define(name, config)

    def pod(self, name: str, networks: str) -> Pod:
        """A pod that asks for networks; it is not attached yet."""
        self.runtime.wishes[name] = self._api["pods"][name] = networks
        self._tell()
        pod = Pod(self._make(name), name)
        # All networks are one segment: an interface must not answer for another one of the pod.
        setting = "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore"
        subprocess.run(["nsenter", f"--net={pod.netns}", "sh", "-c", setting], check=True)
        return pod

    def start(self, name: str, networks: str) -> Pod:
        """One that runs."""
        pod = self.pod(name, networks)
        self.runtime.add(name, pod.netns)
        return pod

    def stop(self, *pods: Pod) -> None:
        """End pods; the API server has forgotten them by then."""
        for pod in pods:
            del self._api["pods"][pod.container_id]
            self._tell()
            self.runtime.delete(pod.container_id, pod.netns)
            assert pod.links() == {}

    def put_go_multus(self) -> None:
        """Its DaemonSet's work: the program, its kubeconfig, and the primary's configuration in `delegates`."""
        gomultus.install(self.bins / "coming")
        (self.bins / "coming").rename(self.bins / "multus")
        self.kubeconfig.write_text(json.dumps({"server": str(self.kept / "api")}))
        document = {
            "cniVersion": "1.0.0",
            "name": "multus-cni-network",
            "type": "multus",
            "cniDir": str(self.state),
            "kubeconfig": str(self.kubeconfig),
            "delegates": [self.primary],
        }
        for path in self.net_d.glob("00-multus.conf*"):
            path.unlink()
        (self.net_d / ".coming").write_text(json.dumps(document))
        (self.net_d / ".coming").rename(self.net_d / "00-multus.conf")

    def install(self, *, dry: bool = False, **changed: Any) -> list[Change]:
        """`multus install --take-over`."""
        more = {
            "cniDir": str(self.state),
            "nadDir": str(self.definitions),
            "resultsDir": str(self.runtime.results),
        }
        options = Options(bin_dir=str(self.bins), more=more)
        wanted = Wanted(
            **{
                "root": "/",
                "bin_dir": str(self.bins),
                "conf_dir": str(self.net_d),
                "cni_dir": str(self.state),
                "results_dir": str(self.runtime.results),
                "source": Source.look(str(PROGRAM.parent)),
                "configuration": Configuration(str(self.net_d), str(self.net_d), options=options),
                "states": (),
                "take_over": True,
                **changed,
            }
        )
        changes = Changes(dry)
        assert install(wanted, changes) == ""
        return changes.made

    def uninstall(self, *, hand_over: bool = True, dry: bool = False, settle: float = 0.1) -> Outcome:
        """`multus uninstall --hand-over`."""
        options = Leaving("/", str(self.bins), settle=settle, hand_over=hand_over)
        found: list[Outcome] = []

        def work() -> int:
            found.append(uninstall(options, Changes(dry)))
            return 0

        self.node.run(work)
        return found[0]

    def tree(self, *without: str) -> dict[str, tuple[object, ...]]:
        """The node's files, but for those whose path begins so."""
        paths = {str(path.relative_to(self.root)): path for path in sorted(self.root.rglob("*"))}
        return {name: facts(path, True) for name, path in paths.items() if not name.startswith(without or ("//",))}

    def reserved(self) -> dict[str, dict[str, str]]:
        """Of each network with addresses, the address and the container and interface that have it."""
        names = [path.name for path in self.node.addresses.iterdir() if not path.name.startswith(".")]
        found = {name: self.node.reserved(name) for name in names}
        return {name: {ip: " ".join(owner.split()) for ip, owner in of.items()} for name, of in found.items() if of}

    def remains(self) -> dict[str, object]:
        """What is left of pods; empty where nothing is."""
        command = ["nsenter", f"--net={self.node.host.path}", "sh", "-c", "nft list ruleset; iptables-save"]
        rules = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        containers = set(self.runtime.wishes)
        found = {
            "links": {name for name, kind in self.node.links().items() if kind != "bridge"},
            "addresses": self.reserved(),
            "state": {path.name for path in self.state.rglob("*") if any(each in path.name for each in containers)},
            "rules": [line for line in rules if "10.1.0." in line and "10.1.0.0/24" not in line],
        }
        return {what: some for what, some in found.items() if some}

    def _tell(self) -> None:
        (self.kept / "api").write_text(json.dumps(self._api))


def reach(one: Pod, other: Pod, ifname: str = "net1") -> bool:
    """Whether a pod answers another one on a network of theirs."""
    [address] = [each for each in other.addresses(ifname) if "." in each]
    command = ["nsenter", f"--net={one.netns}", "ping", "-q", "-c1", "-W5", "-I", ifname, address.partition("/")[0]]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
