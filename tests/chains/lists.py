"""Networks with all plugins that go together, and the meta-plugin's configuration that gives a pod three of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.node import Node

LIMITS = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 4_000_000, "egressBurst": 800_000}


def mac(number: int = 0) -> str:
    """What tuning gives to the pod of that number."""
    return f"02:00:00:00:00:{number:02x}"


def capabilities(number: int = 0) -> dict[str, Any]:
    """What the runtime passes on for the pod of that number: its ports are nobody else's."""
    mappings = [
        {"hostPort": 8080 + number, "containerPort": 80, "protocol": "tcp"},
        {"hostPort": 5353 + number, "containerPort": 53, "protocol": "udp"},
    ]
    return {"portMappings": mappings, "bandwidth": LIMITS}


def ipam(node: Node, *subnets: str) -> dict[str, Any]:
    """host-local with one address of each subnet."""
    ranges = [[{"subnet": subnet}] for subnet in subnets]
    return {"type": "host-local", "ranges": ranges, "dataDir": str(node.addresses)}


def state(node: Node, kind: str) -> str:
    """Where a plugin keeps what it found."""
    return str(node.root / "state" / kind)


def guarded(node: Node, number: int = 0) -> dict[str, Any]:
    """A bridge that checks MACs and masquerades, then all that may follow it."""
    return {
        "cniVersion": "1.1.0",
        "name": "guarded",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isDefaultGateway": True,
                "ipMasq": True,
                "macspoofchk": True,
                "ipam": ipam(node, "10.1.0.0/24", "fd00:1::/64"),
            },
            {
                "type": "tuning",
                "mtu": 1400,
                "mac": mac(number),
                "sysctl": {"net.core.somaxconn": "1024", "net.ipv4.conf.IFNAME.arp_filter": "1"},
                "dataDir": state(node, "tuning"),
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
            {"type": "bandwidth", "capabilities": {"bandwidth": True}},
            {"type": "firewall", "ingressPolicy": "same-bridge", "dataDir": state(node, "firewall")},
        ],
    }


def routed(node: Node) -> dict[str, Any]:
    """A macvlan whose addresses have their own tables."""
    return {
        "cniVersion": "1.1.0",
        "name": "routed",
        "plugins": [
            {"type": "macvlan", "master": "up0", "ipam": ipam(node, "10.2.0.0/24", "fd00:2::/64")},
            {"type": "sbr", "dataDir": state(node, "sbr")},
            {
                "type": "tuning",
                "allmulti": True,
                "sysctl": {"net/ipv4/conf/IFNAME/arp_announce": "2"},
                "dataDir": state(node, "tuning"),
            },
        ],
    }


def pointed(node: Node, number: int = 0) -> dict[str, Any]:
    """A pair to the node, with a port of its own."""
    mappings = [{"hostPort": 9090 + number, "containerPort": 90, "protocol": "tcp"}]
    return {
        "cniVersion": "1.1.0",
        "name": "pointed",
        "plugins": [
            {"type": "ptp", "ipMasq": True, "ipam": ipam(node, "10.3.0.0/24", "fd00:3::/64")},
            {"type": "portmap", "runtimeConfig": {"portMappings": mappings}},
        ],
    }


def full(node: Node, number: int = 0) -> dict[str, Any]:
    """All three of them for one pod, as eth0, net1 and net2."""
    networks = guarded(node, number), routed(node), pointed(node, number)
    return node.config(*networks, runtimeConfig=capabilities(number))
