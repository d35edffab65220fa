"""An attachment whose traffic is limited, and what `tc` shows of it."""

from __future__ import annotations

import json
import socket
import time
from threading import Thread
from typing import TYPE_CHECKING, Any

from tests.conftest import entered
from tests.node import UPLINK

if TYPE_CHECKING:
    from tests.node import Pod
    from tests.plugins.runtime import Runtime
    from tests.plugins.shown import Shown

LIMITS = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 16_000_000, "egressBurst": 1_600_000}
OF_KIND: dict[str, dict[str, Any]] = {"bridge": {"isGateway": True}, "macvlan": {"master": UPLINK}}


class Limited:
    """A pod's eth0 of some kind, and bandwidth called on it as the second plugin of a list."""

    def __init__(
        self, node: Runtime, pod: Pod, inside: Shown, kind: str, version: str = "1.1.0", **keys: object
    ) -> None:
        self.node = node
        self.pod = pod
        self.inside = inside
        self.version = version
        ipam = {"type": "host-local", "subnet": "10.1.2.0/24", "dataDir": str(node.addresses)}
        self.network = {"cniVersion": version, "name": "blue", "type": kind, "ipam": ipam, **(keys or OF_KIND[kind])}
        self.previous = node.add(self.network, pod)
        self.place = node.shown if kind == "bridge" else inside
        interfaces = self.previous.get("interfaces", [])
        self.link = interfaces[1]["name"] if kind == "bridge" and interfaces else "eth0"

    def config(self, **keys: object) -> dict[str, Any]:
        return {"cniVersion": self.version, "name": "blue", "type": "bandwidth", **keys}

    def add(self, config: dict[str, Any]) -> dict[str, Any]:
        return self.node.ask("ADD", config, self.pod, self.previous).succeeded().document

    def shown(self) -> tuple[object, ...]:
        """Links and everything that decides over their traffic, on the node and in the pod."""
        return tuple(
            (shown.links(), sorted(f"{one['dev']} {one['kind']} {one['handle']}" for one in qdiscs(shown)))
            for shown in (self.node.shown, self.inside)
        )

    def ifb(self) -> str:
        """The one ifb that there is."""
        names = [name for name in (self.node.links() | self.pod.links()) if name.startswith("bwp")]
        assert len(names) == 1, names
        return names[0]


def qdiscs(shown: Shown) -> list[dict[str, Any]]:
    """What `tc -s qdisc` shows of a namespace."""
    found = json.loads(shown.run("tc -j -s qdisc show") or "[]")
    assert isinstance(found, list)
    return found


def root_of(shown: Shown, link: str) -> dict[str, Any]:
    """The root qdisc of a link."""
    [found] = [one for one in qdiscs(shown) if one["dev"] == link and one.get("root")]
    return found


def redirects(shown: Shown, link: str) -> list[str]:
    """The links that what comes in by a link is sent to."""
    told = shown.run(f"tc filter show dev {link} ingress").split("Redirect to device ")[1:]
    return [each.partition(")")[0] for each in told]


def seconds(sender: str, receiver: str, address: str, size: int) -> float:
    """How long a transfer between two namespaces takes, by TCP, from the first byte to the last."""
    with entered(receiver):
        listening = socket.create_server((address, 0))
    with entered(sender):
        out = socket.create_connection(listening.getsockname(), timeout=30)
    arrived, _ = listening.accept()
    with listening, out, arrived:
        arrived.settimeout(60)

        def send() -> None:
            out.sendall(bytes(size))
            out.shutdown(socket.SHUT_WR)

        thread = Thread(target=send)
        left = size - len(start(thread, arrived))
        begun = time.monotonic()
        while data := arrived.recv(1 << 16):
            left -= len(data)
        took = time.monotonic() - begun
        thread.join()
    assert left == 0
    return took


def start(thread: Thread, arrived: socket.socket) -> bytes:
    thread.start()
    return arrived.recv(1)
