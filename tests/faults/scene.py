"""A node with two pods of four networks each: one whose requests meet with faults, and one that nobody may disturb.

`Scene.ask` calls the built program as a runtime does. Everything is below `root` and in namespaces of the scene.
What a request may give out is there exactly twice, so that whatever is lost is missed at once.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cni_multus.linux.links import add_veth, change_link
from cni_multus.linux.netns import Namespace
from tests.conftest import LIBC, MNT_DETACH, entered, make_namespace
from tests.faults.inject import run
from tests.node import Pod, settle

if TYPE_CHECKING:
    from tests.faults.inject import Ended, Fault

PORTS = 8080, 8081
"""The port of the node that leads to each pod."""
LIMITS = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 4_000_000, "egressBurst": 800_000}
KINDS = ("bridge", "macvlan", "ptp", "host-device")
"""What makes the links of eth0, net1, net2 and net3."""


class Scene:
    """`pod` meets with faults, `other` stays attached; `program` is the built one, or another variant of it."""

    def __init__(self, root: Path, program: Path) -> None:
        self.root = root
        self.program = program
        for name in ("host", "pod", "other"):
            make_namespace(root / name)
        for name in ("bin", "runtime"):
            (root / name).mkdir()
        self.host = Namespace.open(str(root / "host"))
        self.pod = Pod(str(root / "pod"), "pod-0")
        self.other = Pod(str(root / "other"), "pod-1")
        self._prepare()

    def config(self, pod: Pod | None = None) -> dict[str, Any]:
        """00-multus.conf; what differs from pod to pod is their device and the port that leads to them."""
        at = 1 if pod is self.other else 0
        mapping = {"hostPort": PORTS[at], "containerPort": 80, "protocol": "tcp"}
        return {
            "cniVersion": "1.1.0",
            "name": "multus-cni-network",
            "type": "multus",
            "cniDir": str(self.root / "multus"),
            "binDir": str(self.root / "bin"),
            "delegates": self.networks(at),
            "runtimeConfig": {"portMappings": [mapping], "bandwidth": LIMITS},
        }

    def networks(self, at: int) -> list[dict[str, Any]]:
        """The delegates of the pod of this number."""
        return [self._primary(at), self._shared(at), self._pointed(), self._lent(at)]

    def ask(
        self,
        verb: str,
        pod: Pod | None = None,
        *,
        config: dict[str, Any] | None = None,
        fault: Fault | None = None,
        list_calls: bool = False,
    ) -> Ended:
        """Run the program for a verb of `pod` (its own pod where none is given); GC is told that `other` is there."""
        environment = (pod or self.pod).environment(verb, str(self.root / "runtime"))
        told = dict(config or self.config(pod))
        if verb == "GC":
            told["cni.dev/valid-attachments"] = [{"containerID": self.other.container_id, "ifname": "eth0"}]
            for key in ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_ARGS"):
                del environment[key]
        command = [str(self.program)]
        data = json.dumps(told).encode()
        return run(command, environment, data, self.host.fd, fault, list_calls=list_calls)

    def namespaces(self) -> dict[str, str]:
        """What an audit looks at: the paths of all namespaces, by what they stand for."""
        return {"node": self.host.path, "pod": self.pod.netns, "other": self.other.netns}

    def directories(self) -> dict[str, str]:
        """And where all files are that requests leave."""
        return {name: str(self.root / name) for name in ("multus", "state")}

    def close(self) -> None:
        """Give back the namespaces; the files are whose who made `root`."""
        self.host.close()
        for name in ("host", "pod", "other"):
            LIBC.umount2(os.fsencode(self.root / name), MNT_DETACH)

    def _prepare(self) -> None:
        for netns in self.namespaces().values():
            with entered(netns):
                for each in ("all", "default"):  # who waits for duplicates waits for a second
                    Path(f"/proc/sys/net/ipv6/conf/{each}/accept_dad").write_text("0")
        for name in ("up0", "dev0", "dev1"):
            link = add_veth(self.host, name, peer=f"{name}-peer", peer_namespace=self.host)
            change_link(self.host, link.parent, up=True)
        settle(self.host)
        ended = self.ask("ADD", self.other)
        if ended.status:
            raise AssertionError(f"the scene cannot be set: {ended.stdout.decode()}{ended.stderr.decode()}")

    def _state(self, name: str) -> str:
        return str(self.root / "state" / name)

    def _primary(self, at: int) -> dict[str, Any]:
        ranges = [
            [{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.2", "rangeEnd": "10.1.0.3"}],
            [{"subnet": "fd00:1::/64", "rangeStart": "fd00:1::2", "rangeEnd": "fd00:1::3"}],
        ]
        bridge = {
            "type": "bridge",
            "bridge": "cni0",
            "isDefaultGateway": True,
            "ipMasq": True,
            "macspoofchk": True,
            "mac": f"02:00:00:00:01:{at:02x}",
            "ipam": {"type": "host-local", "ranges": ranges, "dataDir": self._state("host-local")},
        }
        return self._list("primary", bridge, {"type": "portmap", "capabilities": {"portMappings": True}})

    def _shared(self, at: int) -> dict[str, Any]:
        ipam = {
            "type": "whereabouts",
            "range": "10.2.0.0/24",
            "range_start": "10.2.0.2",
            "range_end": "10.2.0.3",
            "dataDir": self._state("whereabouts"),
        }
        tuning = {
            "type": "tuning",
            "mac": f"02:00:00:00:02:{at:02x}",
            "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"},
            "dataDir": self._state("tuning"),
        }
        return self._list("shared", {"type": "macvlan", "master": "up0", "ipam": ipam}, tuning)

    def _pointed(self) -> dict[str, Any]:
        ranges = [[{"subnet": "10.3.0.0/24", "rangeStart": "10.3.0.2", "rangeEnd": "10.3.0.3"}]]
        ipam = {"type": "host-local", "ranges": ranges, "dataDir": self._state("host-local")}
        firewall = {"type": "firewall", "dataDir": self._state("firewall")}
        bandwidth = {"type": "bandwidth", "capabilities": {"bandwidth": True}}
        return self._list("pointed", {"type": "ptp", "ipam": ipam}, firewall, bandwidth)

    def _lent(self, at: int) -> dict[str, Any]:
        addresses = [{"address": f"10.4.0.{2 + at}/24", "gateway": "10.4.0.1"}]
        ipam = {"type": "static", "addresses": addresses, "dataDir": self._state("static")}
        device = {"type": "host-device", "device": f"dev{at}", "ipam": ipam, "dataDir": self._state("host-device")}
        return self._list("lent", device, {"type": "sbr", "dataDir": self._state("sbr")})

    def _list(self, name: str, *plugins: dict[str, Any]) -> dict[str, Any]:
        return {"cniVersion": "1.1.0", "name": name, "plugins": list(plugins)}
