"""The members of a result: interfaces, addresses, routes, dns, each parsed from and printed in any version's shape."""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.versions import family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section

_INTERFACE = ("name", "mac", "sandbox", "mtu", "socketpath", "pciid")
_IP = ("version", "address", "gateway", "interface", "ip", "routes")
_ROUTE = ("dst", "gw", "mtu", "advmss", "priority", "table", "scope")
_DNS = ("nameservers", "domain", "search", "options")


class Interface:
    """A link, on the node (`sandbox` empty) or in a container; `mtu` 0 means not told."""

    __slots__ = ("mac", "mtu", "name", "pci_id", "sandbox", "socket_path", "unknown")

    def __init__(
        self, name: str, mac: str = "", sandbox: str = "", mtu: int = 0, socket_path: str = "", pci_id: str = ""
    ) -> None:
        self.name = name
        self.mac = mac
        self.sandbox = sandbox
        self.mtu = mtu
        self.socket_path = socket_path
        self.pci_id = pci_id
        self.unknown: dict[str, object] = {}

    @staticmethod
    def parse(section: Section) -> Interface:
        """Read one member of `interfaces`."""
        interface = Interface(
            section.text("name"),
            section.text("mac"),
            section.text("sandbox"),
            section.number("mtu"),
            section.text("socketPath"),
            section.text("pciID"),
        )
        interface.unknown = unknown(section, _INTERFACE)
        return interface

    def to_json(self, version: str) -> dict[str, object]:
        """As `version` has it; mtu since 1.1.0, socketPath and pciID since 1.0.0."""
        shown: dict[str, object] = {"name": self.name}
        put(shown, mac=self.mac, sandbox=self.sandbox)
        if version == "1.1.0":
            put(shown, mtu=self.mtu)
        if family(version) == 1:
            put(shown, socketPath=self.socket_path, pciID=self.pci_id)
        return {**shown, **self.unknown}


class IpConfig:
    """An address; `interface` is an index into the result's interfaces, None where it belongs to none."""

    __slots__ = ("address", "gateway", "interface", "unknown")

    def __init__(self, address: Cidr, gateway: Ip | None = None, interface: int | None = None) -> None:
        self.address = address
        self.gateway = gateway
        self.interface = interface
        self.unknown: dict[str, object] = {}

    @staticmethod
    def parse(section: Section) -> IpConfig:
        """Read one member of `ips`."""
        interface = section.number("interface") if section.has("interface") else None
        ip = IpConfig(section.cidr("address"), section.ip("gateway"), interface)
        ip.unknown = unknown(section, _IP)
        return ip

    @staticmethod
    def parse_legacy(section: Section, family: int) -> IpConfig:
        """Read `ip4` or `ip6` of a version before 0.3.0."""
        ip = IpConfig(section.cidr("ip"), section.ip("gateway"))
        if ip.address.family != family:
            raise section.wrong("ip", f"{ip.address} is not an IPv{family} address")
        ip.unknown = unknown(section, _IP)
        return ip

    def to_json(self, version: str) -> dict[str, object]:
        """As `version` has it: 0.3.0 to 0.4.0 name the family."""
        shown: dict[str, object] = {}
        if family(version) == 4:
            shown["version"] = str(self.address.family)
        if self.interface is not None:
            shown["interface"] = self.interface
        shown["address"] = str(self.address)
        put(shown, gateway=_text(self.gateway))
        return {**shown, **self.unknown}

    def to_legacy_json(self, routes: list[Route]) -> dict[str, object]:
        """As `ip4` or `ip6` of a version before 0.3.0, which carry the routes of their family."""
        shown: dict[str, object] = {"ip": str(self.address)}
        put(shown, gateway=_text(self.gateway), routes=[route.to_json("0.2.0") for route in routes])
        return {**shown, **self.unknown}


class Route:
    """A route as IPAM asks for it; None and 0 mean not told. `scope` is the kernel's: 0 global, 253 link, 254 host."""

    __slots__ = ("advmss", "dst", "gw", "mtu", "priority", "scope", "table", "unknown")

    def __init__(
        self,
        dst: Cidr,
        gw: Ip | None = None,
        *,
        mtu: int = 0,
        advmss: int = 0,
        priority: int = 0,
        table: int | None = None,
        scope: int | None = None,
    ) -> None:
        self.dst = dst
        self.gw = gw
        self.mtu = mtu
        self.advmss = advmss
        self.priority = priority
        self.table = table
        self.scope = scope
        self.unknown: dict[str, object] = {}

    @staticmethod
    def parse(section: Section) -> Route:
        """Read one member of `routes`."""
        gateway = section.ip("gw")
        dst = section.cidr("dst")
        if gateway is not None and gateway.family != dst.family:
            raise section.wrong("gw", f"{gateway} is not of the family of {dst}")
        route = Route(
            dst,
            gateway,
            mtu=section.number("mtu"),
            advmss=section.number("advmss"),
            priority=section.number("priority"),
            table=section.number("table") if section.has("table") else None,
            scope=section.number("scope", high=255) if section.has("scope") else None,
        )
        route.unknown = unknown(section, _ROUTE)
        return route

    @property
    def is_default(self) -> bool:
        """Whether it leads everywhere (0.0.0.0/0 or ::/0)."""
        return self.dst.prefix == 0

    def to_json(self, version: str) -> dict[str, object]:
        """As `version` has it: all but dst and gw came with 1.1.0."""
        shown: dict[str, object] = {"dst": str(self.dst)}
        put(shown, gw=_text(self.gw))
        if version == "1.1.0":
            put(shown, mtu=self.mtu, advmss=self.advmss, priority=self.priority)
            if self.table is not None:
                shown["table"] = self.table
            if self.scope is not None:
                shown["scope"] = self.scope
        return {**shown, **self.unknown}


class Dns:
    """Resolver settings, as strings: CNI does not look into them."""

    __slots__ = ("domain", "nameservers", "options", "search", "unknown")

    def __init__(
        self,
        nameservers: tuple[str, ...] = (),
        domain: str = "",
        search: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
    ) -> None:
        self.nameservers = nameservers
        self.domain = domain
        self.search = search
        self.options = options
        self.unknown: dict[str, object] = {}

    @staticmethod
    def parse(section: Section) -> Dns:
        """Read a `dns` object; an absent one is empty."""
        dns = Dns(
            section.texts("nameservers"), section.text("domain"), section.texts("search"), section.texts("options")
        )
        dns.unknown = unknown(section, _DNS)
        return dns

    def to_json(self) -> dict[str, object]:
        """The same in every version; empty lists are left out."""
        shown: dict[str, object] = {}
        put(shown, nameservers=list(self.nameservers), domain=self.domain)
        put(shown, search=list(self.search), options=list(self.options))
        return {**shown, **self.unknown}


def unknown(section: Section, known: tuple[str, ...]) -> dict[str, object]:
    """What stands under keys that no version knows; `known` is every version's, in lower case."""
    return {key: value for key, value in section.raw.items() if key.lower() not in known}


def put(shown: dict[str, object], **members: object) -> None:
    """Add the members that say something: no zero, no empty text or list."""
    for key, value in members.items():
        if value:
            shown[key] = value


def _text(ip: Ip | None) -> str:
    return "" if ip is None else str(ip)
