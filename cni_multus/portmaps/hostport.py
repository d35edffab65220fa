"""A port of the node and where it leads: as a key of the table's maps, and as a comment that DEL reads back.

The table as `nft list ruleset` shows it:

    table inet multus_hostports {
        map any4 { type inet_proto . inet_service : verdict; elements = { tcp . 8080 : jump way4-5f0c… } }
        map any4to { type inet_proto . inet_service : ipv4_addr . inet_service; elements = { … : 10.1.2.5 . 80 } }
        map one4, one4to, any6, any6to, one6, one6to                # one: with an address of the node behind the port
        chain prerouting { type nat hook prerouting priority dstnat; fib daddr type local jump hostports }
        chain output { type nat hook output priority dstnat; fib daddr type local jump hostports }
        chain hostports { ip protocol . th dport . ip daddr vmap @one4; ip protocol . th dport vmap @any4; … }
        chain guard { type filter hook prerouting priority raw; … }
        chain postrouting { type nat hook postrouting priority srcnat; meta mark & 0x2000 == 0x2000 … masquerade }
        chain way4-5f0c… {
            ip saddr 10.1.2.0/24 meta mark set meta mark | 0x2000
            ip saddr 127.0.0.0/8 meta mark set meta mark | 0x2000
            dnat ip to meta l4proto . th dport . ip daddr map @one4to
            dnat ip to meta l4proto . th dport map @any4to
        }
        chain net-c1-eth0-0a1b2c3d {
            comment "multus:net:c1:eth0"
            comment "tcp 0.0.0.0:8080 -> 10.1.2.5:80"
        }
    }

Nothing leads to an attachment's own chain: it is the record of its ports, and there exactly while it has some. A way is
what all ports of equal conditions and networks have in common. Each of them a chain of rules would be simpler, and the
kernel (before 6.19) would look at all of these rules whenever a port is added: 20 ms, of 10 000 ports.
"""

from __future__ import annotations

from cni_multus.cni.addressing import Ip
from cni_multus.linux.nftables import INET, Table
from cni_multus.linux.nftdata import concatenated

UDP = 17
PROTOCOLS = {"tcp": 6, "udp": UDP, "sctp": 132}

NAME = "multus_hostports"
HELD = Table(INET, NAME)
"""The table where there is one; `rules` has it with its layout."""

ANY, ONE = {4: "any4", 6: "any6"}, {4: "one4", 6: "one6"}
"""The maps to ways: ports of every address of the node, and of a single one; by family."""

TO = "to"
"""What the maps that have the containers' addresses and ports for the same keys are called besides."""

WAY = "way"
"""What the names of ways begin with."""

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
    def value(self) -> bytes:
        """Where it leads, as the maps have it."""
        return concatenated(self.target.packed, self.target_port.to_bytes(2, "big"))

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
