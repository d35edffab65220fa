"""A port of the node and where it leads: as a key of the table's maps, and as a comment that DEL reads back.

The table as `nft list ruleset` shows it:

    table inet multus_hostports {
        map any4 { type inet_proto . inet_service : verdict; elements = { tcp . 8080 : jump net-c1-eth0-0a1b2c3d } }
        map one4 { type inet_proto . inet_service . ipv4_addr : verdict }
        map any6 { type inet_proto . inet_service : verdict }
        map one6 { type inet_proto . inet_service . ipv6_addr : verdict }
        chain prerouting { type nat hook prerouting priority dstnat; fib daddr type local jump hostports }
        chain output { type nat hook output priority dstnat; fib daddr type local jump hostports }
        chain hostports { ip protocol . th dport . ip daddr vmap @one4; ip protocol . th dport vmap @any4; … }
        chain guard { type filter hook prerouting priority raw; … }
        chain postrouting { type nat hook postrouting priority srcnat; meta mark & 0x2000 == 0x2000 … masquerade }
        chain net-c1-eth0-0a1b2c3d {
            comment "multus:net:c1:eth0"
            ip saddr 10.1.2.0/24 meta mark set meta mark | 0x2000
            ip saddr 127.0.0.0/8 meta mark set meta mark | 0x2000
            tcp dport 8080 dnat ip to 10.1.2.5:80 comment "tcp 0.0.0.0:8080 -> 10.1.2.5:80"
        }
    }

An attachment's chain is there exactly while it has ports, and its comments name the keys that lead there.
"""

from __future__ import annotations

from cni_multus.cni.addressing import Ip
from cni_multus.linux.nftables import INET, Table, concatenated

UDP = 17
PROTOCOLS = {"tcp": 6, "udp": UDP, "sctp": 132}

NAME = "multus_hostports"
HELD = Table(INET, NAME)
"""The table where there is one; `rules` has it with its layout."""

ANY, ONE = {4: "any4", 6: "any6"}, {4: "one4", 6: "one6"}
"""The maps: ports of every address of the node, and of a single one; by family."""

_ARROW = " -> "


class Hostport:
    """A protocol's port of the node's addresses, or of the one that is `address`, and the container's that answers."""

    __slots__ = ("address", "port", "protocol", "target", "target_port")

    def __init__(self, protocol: str, address: Ip, port: int, target: Ip, target_port: int) -> None:
        self.protocol = protocol
        self.address = address
        self.port = port
        self.target = target
        self.target_port = target_port

    @staticmethod
    def parse(text: str) -> Hostport | None:
        """What `str` made; None for any other comment."""
        sent, arrow, target = text.partition(_ARROW)
        protocol, space, place = sent.partition(" ")
        if not arrow or not space or protocol not in PROTOCOLS:
            return None
        try:
            return Hostport(protocol, *_endpoint(place), *_endpoint(target))
        except ValueError:
            return None

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.target.family

    @property
    def number(self) -> int:
        """The protocol's number."""
        return PROTOCOLS[self.protocol]

    @property
    def everywhere(self) -> bool:
        """Whether it is the port of every address of the node."""
        return self.address.number == 0

    @property
    def place(self) -> tuple[str, bytes]:
        """The map that it is in, and its key there."""
        return self.place_at(self.address)

    def place_at(self, address: Ip) -> tuple[str, bytes]:
        """The same of another address."""
        fields = [bytes((self.number,)), self.port.to_bytes(2, "big")]
        if address.number == 0:
            return ANY[self.family], concatenated(*fields)
        return ONE[self.family], concatenated(*fields, address.packed)

    @property
    def source(self) -> str:
        """The node's end, as operators write it."""
        return f"{self.protocol} {_written(self.address, self.port)}"

    def __str__(self) -> str:
        return f"{self.source}{_ARROW}{_written(self.target, self.target_port)}"


def _written(ip: Ip, port: int) -> str:
    return f"{ip}:{port}" if ip.family == 4 else f"[{ip}]:{port}"


def _endpoint(text: str) -> tuple[Ip, int]:
    address, _, port = text.rpartition(":")
    return Ip.parse(address.strip("[]")), int(port)
