"""A node with many pods of four networks each, of different kinds, and a pool of one that does not suffice for all.

`Site.burst` starts requests of the built program, all at once. Everything is below `root` and in namespaces of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cni_multus.linux.links import add_veth, change_link
from cni_multus.linux.netns import Namespace
from tests.conftest import LIBC, MNT_DETACH, entered, make_namespace
from tests.node import Pod, settle

if TYPE_CHECKING:
    from collections.abc import Sequence

STARTER = Path(__file__).with_name("starter.py")
FILES = 64
"""How many files a request may have open."""
FIRST_PORT = 20_000
"""The node's port that leads to the first pod."""
LIMITS = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 4_000_000, "egressBurst": 800_000}


class Request:
    """A verb for a pod (of no pod: GC, which is told who is valid); `killed_after` seconds of CPU, 0 is never."""

    def __init__(
        self, verb: str, pod: Pod | None = None, *, valid: Sequence[Pod] = (), killed_after: float = 0.0
    ) -> None:
        self.verb = verb
        self.pod = pod
        self.valid = valid
        self.killed_after = killed_after
        self.files = FILES


class Ended:
    """How a request ended: its status (negative: the signal), its answer, its time, and its most memory in KiB."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.status: int = told["status"]
        self.stdout: str = told["stdout"]
        self.stderr: str = told["stderr"]
        self.seconds: float = told["seconds"]
        self.cpu: float = told["cpu"]
        self.peak: int = told["peak"]

    @property
    def error(self) -> dict[str, Any]:
        """What the answer says of a failure, {} where it is no error."""
        try:
            told = json.loads(self.stdout)
        except ValueError:
            return {}
        return told if isinstance(told, dict) and "code" in told else {}


class Site:
    """`pods` of them, of which `scarce` can have their last network."""

    def __init__(self, root: Path, program: Path, pods: int, scarce: int) -> None:
        self.root = root
        self.scarce = scarce
        for name in ("bin", "runtime", "pods"):
            (root / name).mkdir()
        make_namespace(root / "host")
        self.host = Namespace.open(str(root / "host"))
        self.pods = [Pod(str(root / "pods" / f"{at:04}"), f"pod-{at:04}") for at in range(pods)]
        self._number = {pod.container_id: at for at, pod in enumerate(self.pods)}
        for pod in self.pods:
            make_namespace(Path(pod.netns))
        self._prepare()
        command = ["nsenter", f"--net={self.host.path}", sys.executable, "-I", "-S", str(STARTER), str(program)]
        self._starter = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def burst(self, requests: Sequence[Request]) -> list[Ended]:
        """Start them, and wait for all of them."""
        line = json.dumps([self._told(request) for request in requests])
        assert self._starter.stdin
        assert self._starter.stdout
        self._starter.stdin.write(line.encode() + b"\n")
        self._starter.stdin.flush()
        return [Ended(told) for told in json.loads(self._starter.stdout.readline())]

    def ask(self, verb: str, pod: Pod | None = None, valid: Sequence[Pod] = ()) -> Ended:
        """One request, which must succeed."""
        [ended] = self.burst([Request(verb, pod, valid=valid)])
        if ended.status:
            raise AssertionError(f"{verb} fails: {ended.stdout}{ended.stderr}")
        return ended

    def config(self, pod: Pod | None) -> dict[str, Any]:
        """00-multus.conf, and what the runtime adds for the pod."""
        mapping = {"hostPort": self.port(pod) if pod else 0, "containerPort": 80, "protocol": "tcp"}
        own = {"runtimeConfig": {"portMappings": [mapping], "bandwidth": LIMITS}} if pod else {}
        return {
            "cniVersion": "1.1.0",
            "name": "multus-cni-network",
            "type": "multus",
            "cniDir": str(self.root / "multus"),
            "binDir": str(self.root / "bin"),
            "delegates": self.networks(),
            **own,
        }

    def port(self, pod: Pod) -> int:
        """The node's port that leads to it."""
        return FIRST_PORT + self._number[pod.container_id]

    def networks(self) -> list[dict[str, Any]]:
        """The delegates of every pod."""
        subnets = [[{"subnet": "10.1.0.0/16"}], [{"subnet": "fd00:1::/64"}]]
        gateway = {"isDefaultGateway": True, "ipMasq": True, "macspoofchk": True}
        bridge = {"type": "bridge", "bridge": "cni0", **gateway, "ipam": self._host_local(subnets)}
        pool = {"type": "whereabouts", "range": "10.2.0.0/16", "dataDir": self._state("whereabouts")}
        tuning = {
            "type": "tuning",
            "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"},
            "dataDir": self._state("tuning"),
        }
        pointed = {"type": "ptp", "ipam": self._host_local([[{"subnet": "10.3.0.0/16"}]])}
        last = f"10.4.{(self.scarce + 9) // 256}.{(self.scarce + 9) % 256}"
        few = [[{"subnet": "10.4.0.0/16", "rangeStart": "10.4.0.10", "rangeEnd": last}]]
        scarce = {"type": "bridge", "bridge": "br1", "ipam": self._host_local(few)}
        return [
            _list("primary", bridge, {"type": "portmap", "capabilities": {"portMappings": True}}),
            _list("shared", {"type": "macvlan", "master": "up0", "ipam": pool}, tuning),
            _list(
                "pointed",
                pointed,
                {"type": "firewall", "dataDir": self._state("firewall")},
                {"type": "bandwidth", "capabilities": {"bandwidth": True}},
            ),
            _list("scarce", scarce, {"type": "sbr", "dataDir": self._state("sbr")}),
        ]

    def directories(self) -> dict[str, str]:
        """Where all files are that requests leave."""
        return {name: str(self.root / name) for name in ("multus", "state")}

    def close(self) -> None:
        """Give back the namespaces; the files are whose who made `root`."""
        assert self._starter.stdin
        assert self._starter.stdout
        self._starter.stdin.close()
        self._starter.wait()
        self._starter.stdout.close()
        self.host.close()
        for path in (str(self.root / "host"), *(pod.netns for pod in self.pods)):
            LIBC.umount2(os.fsencode(path), MNT_DETACH)

    def _told(self, request: Request) -> dict[str, Any]:
        environment = (request.pod or Pod("", "")).environment(request.verb, str(self.root / "runtime"))
        config = self.config(request.pod)
        if request.pod is None:
            for key in ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_ARGS"):
                environment.pop(key, None)
            valid = [{"containerID": pod.container_id, "ifname": "eth0"} for pod in request.valid]
            config["cni.dev/valid-attachments"] = valid
        return {
            "environment": environment,
            "stdin": json.dumps(config),
            "files": request.files,
            "killed_after": request.killed_after,
        }

    def _prepare(self) -> None:
        for netns in (self.host.path, *(pod.netns for pod in self.pods)):
            with entered(netns):
                for each in ("all", "default"):  # who waits for duplicates waits for a second
                    Path(f"/proc/sys/net/ipv6/conf/{each}/accept_dad").write_text("0")
        link = add_veth(self.host, "up0", peer="up1", peer_namespace=self.host)
        change_link(self.host, link.parent, up=True)
        settle(self.host)

    def _state(self, name: str) -> str:
        return str(self.root / "state" / name)

    def _host_local(self, ranges: list[Any]) -> dict[str, Any]:
        return {"type": "host-local", "ranges": ranges, "dataDir": self._state("host-local")}


def _list(name: str, *plugins: dict[str, Any]) -> dict[str, Any]:
    return {"cniVersion": "1.1.0", "name": name, "plugins": list(plugins)}
