"""A node and its pods in namespaces of their own, and the meta-plugin called there as a runtime calls it."""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from cni_multus.cni.conversation import hold
from cni_multus.linux.addresses import list_addresses
from cni_multus.linux.links import add_veth, change_link, list_links
from cni_multus.linux.netns import Namespace, setns
from cni_multus.registry import load
from cni_multus.state.journal import Journal
from tests.conftest import LIBC, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cni_multus.cni.verbs import Plugin
    from cni_multus.state.journal import Record

T = TypeVar("T")

CLONE_NEWNS = 0x20000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18

UPLINK = "up0"
"""The node's link that macvlan networks stand on."""

PROGRAM = """#!{python} -ISE
import fcntl, json, os, signal, sys, time
command, stdin = os.environ["CNI_COMMAND"], sys.stdin.buffer.read()
with open({calls!r}, "a") as log:
    fcntl.flock(log, fcntl.LOCK_EX)
    stamp = time.monotonic()
    log.write(json.dumps(dict(name={name!r}, command=command, environment=dict(os.environ),
                              stdin=json.loads(stdin or b"{{}}"), time=stamp)) + "\\n")
behaviour = json.load(open({behaviour!r})).get(command, {{}})
time.sleep(behaviour.get("sleep", 0))
while not os.path.exists(behaviour.get("until", "/")):
    time.sleep(0.01)
if "signal" in behaviour:
    os.kill(os.getpid(), behaviour["signal"])
print(behaviour.get("stderr", ""), end="", file=sys.stderr)
print(behaviour.get("stdout", ""), end="")
sys.exit(behaviour.get("status", 0))
"""


class Answer:
    """What a call printed, and how it ended."""

    def __init__(self, status: int, stdout: bytes, stderr: bytes = b"") -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr.decode(errors="replace")

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document

    def succeeded(self) -> Answer:
        """The answer itself, which must be no error."""
        assert self.status == 0, self.stdout.decode() + self.stderr
        return self

    def failed(self, code: int) -> str:
        """The message of the error, which must be complete and have this code."""
        assert self.status == 1, (self.status, self.stdout, self.stderr)
        assert self.document["code"] == code, self.document
        assert {"cniVersion", "code", "msg"} <= set(self.document) <= {"cniVersion", "code", "msg", "details"}
        return str(self.document["msg"])


class Pod:
    """A sandbox: its namespace, and what the runtime calls it by."""

    def __init__(self, netns: str, container_id: str) -> None:
        self.netns = netns
        self.container_id = container_id

    def environment(self, command: str, path: str, **changed: str) -> dict[str, str]:
        """What a runtime sets; a variable changed to "" is left out."""
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": self.container_id,
            "CNI_NETNS": self.netns,
            "CNI_IFNAME": "eth0",
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME={self.container_id};K8S_POD_UID=u1",
            "CNI_PATH": path,
            **changed,
        }
        return {key: value for key, value in environment.items() if value}

    def links(self) -> dict[str, str]:
        """The name and kind of every link but `lo`."""
        return links(self.netns)

    def addresses(self, ifname: str) -> list[str]:
        """The addresses of a link, link-local ones left out."""
        with Namespace.open(self.netns) as inside:
            index = next((link.index for link in list_links(inside) if link.name == ifname), 0)
            found = list_addresses(inside, index) if index else []
        return [str(address) for address in found if not str(address).startswith("fe80")]


def settle(namespace: Namespace, patience: float = 10.0) -> None:
    """Wait until the kernel has seen the carriers of all veth ends that are up: what it shows changes with that."""
    deadline = time.monotonic() + patience
    while not all(link.running for link in list_links(namespace) if link.up and link.kind == "veth"):
        assert time.monotonic() < deadline, "a veth has no carrier"
        time.sleep(0.002)


class Node:
    """A namespace that stands for a node, with an uplink, and the directories that a node has."""

    def __init__(self, host: Namespace, root: Path) -> None:
        self.host = host
        self.root = root
        self.cni_dir = root / "multus"
        self.bin_dir = root / "bin"
        self.addresses = root / "addresses"
        self.leases = root / "leases"
        self.runtime_path = root / "runtime"
        for directory in (self.bin_dir, self.runtime_path):
            directory.mkdir()
        uplink = add_veth(host, UPLINK, peer="up1", peer_namespace=host)
        change_link(host, uplink.parent, up=True)
        settle(host)

    def config(self, *delegates: object, **more: object) -> dict[str, Any]:
        """00-multus.conf with these delegates."""
        return {
            "cniVersion": "1.1.0",
            "name": "multus-cni-network",
            "type": "multus",
            "cniDir": str(self.cni_dir),
            "binDir": str(self.bin_dir),
            "delegates": list(delegates),
            **more,
        }

    def bridge(self, name: str = "primary", subnet: str = "10.1.0.0/24", **more: object) -> dict[str, Any]:
        """A bridge that is the pods' gateway, with addresses from host-local."""
        return {"name": name, "type": "bridge", "bridge": "cni0", "isDefaultGateway": True, **self.ipam(subnet), **more}

    def macvlan(self, name: str, subnet: str = "", **more: object) -> dict[str, Any]:
        """A macvlan on the uplink, with addresses from host-local where a subnet is given."""
        return {"name": name, "type": "macvlan", "master": UPLINK, **(self.ipam(subnet) if subnet else {}), **more}

    def ipam(self, subnet: str) -> dict[str, Any]:
        """host-local's configuration, with its files on this node."""
        return {"ipam": {"type": "host-local", "subnet": subnet, "dataDir": str(self.addresses)}}

    def program(self, name: str, directory: Path | None = None, **behaviour: dict[str, object]) -> dict[str, Any]:
        """A program of that name, which notes its calls, and the delegate that names it; by default it succeeds.

        `behaviour` says for each verb what to do: sleep (s), signal, stdout, stderr, status.
        """
        path = (directory or self.bin_dir) / name
        told = self.root / f"{name}.json"
        result = {"cniVersion": "1.0.0", "ips": [{"address": "192.0.2.1/24"}]}
        told.write_text(json.dumps({"ADD": {"stdout": json.dumps(result)}, **behaviour}))
        path.write_text(
            PROGRAM.format(python=sys.executable, calls=str(self.root / "calls"), name=name, behaviour=str(told))
        )
        path.chmod(0o755)
        return {"cniVersion": "1.0.0", "name": f"net-{name}", "type": name}

    def calls(self, *commands: str) -> list[dict[str, Any]]:
        """What was asked of programs so far, in order; of these verbs only where some are given."""
        path = self.root / "calls"
        noted = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [call for call in noted if not commands or call["command"] in commands]

    def call(
        self,
        command: str,
        config: Mapping[str, object],
        pod: Pod | None = None,
        *,
        kind: str = "multus",
        **changed: str,
    ) -> Answer:
        """Call the plugin `kind` on this node, in a thread of this process."""
        standing = pod or Pod("", "")
        environment = standing.environment(command, str(self.runtime_path), **changed)
        if pod is None:
            for key in ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_ARGS"):
                environment.pop(key, None)
        stdin, stdout, stderr = BytesIO(json.dumps(config).encode()), BytesIO(), BytesIO()

        def plugin() -> Plugin:
            found = load(kind)
            assert found is not None
            return found

        status = self.run(lambda: hold(plugin, environment, stdin, stdout, stderr))
        return Answer(status, stdout.getvalue(), stderr.getvalue())

    def run(self, work: Callable[[], int]) -> int:
        """What `work` returns in a thread that is on this node."""

        def enter() -> int:
            setns(self.host.fd)
            return work()

        return in_thread(enter)

    def links(self) -> dict[str, str]:
        """The name and kind of every link of the node but `lo` and the uplink's pair."""
        return {name: kind for name, kind in links(self.host.path).items() if name not in (UPLINK, "up1")}

    def reserved(self, network: str) -> dict[str, str]:
        """The addresses that host-local has given in a network, and to whom."""
        directory = self.addresses / network
        names = os.listdir(directory) if directory.exists() else []
        return {
            name: (directory / name).read_text().replace("\n", " ")
            for name in names
            if name[0].isdigit() and not name.startswith(".")
        }

    def attached(self) -> list[str]:
        """The attachments for which whereabouts has addresses, in this node's files or on its journal."""
        found = [*self.leases.glob("attachment/*/*/*"), *self.leases.glob("journal/attachment/*/*")]
        return sorted(path.name for path in found)

    def records(self) -> list[str]:
        """The names of the journal's records."""
        directory = self.cni_dir / "journal"
        return sorted(os.listdir(directory)) if directory.exists() else []

    def record_file(self, pod: Pod, ifname: str = "eth0") -> Path:
        """Where a pod's record is."""
        return self.cni_dir / "journal" / f"{pod.container_id}@{ifname}"

    def record(self, pod: Pod, ifname: str = "eth0") -> Record:
        """A pod's record."""
        found = Journal(str(self.cni_dir)).find(pod.container_id, ifname)
        assert found is not None
        return found

    def locks(self) -> list[str]:
        """The names of the lock files."""
        directory = self.cni_dir / "locks"
        return sorted(os.listdir(directory)) if directory.exists() else []

    def remains(self, *pods: Pod) -> dict[str, object]:
        """Whatever is left of attachments on the node and in the pods, apart from bridges; empty if nothing is."""
        networks = os.listdir(self.addresses) if self.addresses.exists() else []
        found: dict[str, object] = {
            "node": {name: kind for name, kind in self.links().items() if kind != "bridge"},
            "addresses": {network: self.reserved(network) for network in networks if self.reserved(network)},
            "records": self.records(),
            "locks": self.locks(),
            **{pod.netns: pod.links() for pod in pods},
        }
        return {what: some for what, some in found.items() if some}


def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns, or raises, in a thread of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def with_run(directory: Path) -> list[str]:
    """What to put before a command so that it finds `directory` in the place of /run, where plugins keep things."""
    return [
        "unshare",
        "--mount",
        "--propagation=private",
        "sh",
        "-c",
        'mount --bind "$0" /run && exec "$@"',
        str(directory),
    ]


def in_private_mounts(work: Callable[[], T]) -> T:
    """The same where nobody else sees what is mounted; it is gone with the thread."""

    def enter() -> T:
        checked(LIBC.unshare(CLONE_NEWNS))
        checked(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
        return work()

    return in_thread(enter)


def links(netns: str) -> dict[str, str]:
    """The name and kind of every link in a namespace but `lo`."""
    with Namespace.open(netns) as inside:
        return {link.name: link.kind for link in list_links(inside) if link.name != "lo"}
