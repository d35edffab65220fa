"""What an ADD returns: interfaces, addresses, routes, dns; parsed from and printed in every version's shape.

Inside the program a result has no version: it is the union of all of them. `to_json` prints exactly what a version
knows (https://www.cni.dev/docs/spec/#add-success); keys that no version knows are kept as they came, since a plugin
has to pass on what it does not understand.
"""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.config import Section
from cni_multus.cni.errors import IncompatibleVersion
from cni_multus.cni.versions import family

SCOPES = {"global": 0, "link": 253, "host": 254}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


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
        interface.unknown = _unknown(section, ("name", "mac", "sandbox", "mtu", "socketpath", "pciid"))
        return interface

    def to_json(self, version: str) -> dict[str, object]:
        """As `version` has it; mtu since 1.1.0, socketPath and pciID since 1.0.0."""
        shown: dict[str, object] = {"name": self.name}
        _put(shown, mac=self.mac, sandbox=self.sandbox)
        if version == "1.1.0":
            _put(shown, mtu=self.mtu)
        if family(version) == 1:
            _put(shown, socketPath=self.socket_path, pciID=self.pci_id)
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
        ip.unknown = _unknown(section, ("version", "address", "gateway", "interface"))
        return ip

    def to_json(self, version: str) -> dict[str, object]:
        """As `version` has it: 0.3.0 to 0.4.0 name the family."""
        shown: dict[str, object] = {}
        if family(version) == 4:
            shown["version"] = str(self.address.family)
        if self.interface is not None:
            shown["interface"] = self.interface
        shown["address"] = str(self.address)
        _put(shown, gateway=_text(self.gateway))
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
        route.unknown = _unknown(section, ("dst", "gw", "mtu", "advmss", "priority", "table", "scope"))
        return route

    @property
    def is_default(self) -> bool:
        """Whether it leads everywhere (0.0.0.0/0 or ::/0)."""
        return self.dst.prefix == 0

    def to_json(self, version: str) -> dict[str, object]:
        """As `version` has it: all but dst and gw came with 1.1.0."""
        shown: dict[str, object] = {"dst": str(self.dst)}
        _put(shown, gw=_text(self.gw))
        if version == "1.1.0":
            _put(shown, mtu=self.mtu, advmss=self.advmss, priority=self.priority)
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
        dns = Dns(section.texts("nameservers"), section.text("domain"), section.texts("search"), section.texts("options"))
        dns.unknown = _unknown(section, ("nameservers", "domain", "search", "options"))
        return dns

    def to_json(self) -> dict[str, object]:
        """The same in every version; empty lists are left out."""
        shown: dict[str, object] = {}
        _put(shown, nameservers=list(self.nameservers), domain=self.domain)
        _put(shown, search=list(self.search), options=list(self.options))
        return {**shown, **self.unknown}


class Result:
    """What one network, or one plugin of its chain, made."""

    __slots__ = ("dns", "interfaces", "ips", "routes", "unknown")

    def __init__(
        self,
        interfaces: list[Interface] | None = None,
        ips: list[IpConfig] | None = None,
        routes: list[Route] | None = None,
        dns: Dns | None = None,
    ) -> None:
        self.interfaces = interfaces if interfaces is not None else []
        self.ips = ips if ips is not None else []
        self.routes = routes if routes is not None else []
        self.dns = dns or Dns()
        self.unknown: dict[str, object] = {}

    @staticmethod
    def parse(section: Section, version: str) -> Result:
        """Read a result by its own `cniVersion`, by `version` where it has none."""
        spoken = section.text("cniVersion") or version
        if family(spoken) == 2:
            return _parse_legacy(section)
        result = Result(
            [Interface.parse(member) for member in section.sections("interfaces")],
            [IpConfig.parse(member) for member in section.sections("ips")],
            [Route.parse(member) for member in section.sections("routes")],
            Dns.parse(section.section("dns")),
        )
        for member, ip in zip(section.sections("ips"), result.ips, strict=True):
            if ip.interface is not None and ip.interface >= len(result.interfaces) > 0:
                raise member.wrong("interface", f"there is no interface {ip.interface}")
        result.unknown = _unknown(section, ("cniversion", "interfaces", "ips", "routes", "dns"))
        return result

    def to_json(self, version: str) -> dict[str, Any]:
        """As `version` has it; raises IncompatibleVersion where 0.1.0 and 0.2.0 cannot say it at all."""
        if family(version) == 2:
            return {"cniVersion": version, **self._legacy(version), **self.unknown}
        shown: dict[str, object] = {"cniVersion": version}
        _put(
            shown,
            interfaces=[interface.to_json(version) for interface in self.interfaces],
            ips=[ip.to_json(version) for ip in self.ips],
            routes=[route.to_json(version) for route in self.routes],
        )
        dns = self.dns.to_json()
        if dns or family(version) == 4:
            shown["dns"] = dns
        return {**shown, **self.unknown}

    def of_interface(self, name: str, sandbox: str) -> tuple[int, Interface] | None:
        """Where the container's interface `name` stands, None where it does not."""
        for index, interface in enumerate(self.interfaces):
            if interface.name == name and interface.sandbox == sandbox:
                return index, interface
        return None

    def _legacy(self, version: str) -> dict[str, object]:
        shown: dict[str, object] = {}
        for key, number in (("ip4", 4), ("ip6", 6)):
            ip = next((ip for ip in self.ips if ip.address.family == number), None)
            if ip is None:
                continue
            entry: dict[str, object] = {"ip": str(ip.address)}
            _put(entry, gateway=_text(ip.gateway))
            _put(entry, routes=[route.to_json(version) for route in self.routes if route.dst.family == number])
            shown[key] = entry
        if not shown:
            raise IncompatibleVersion(f"a result without addresses cannot be told in CNI {version}: no valid IP addresses")
        shown["dns"] = self.dns.to_json()
        return shown


def _parse_legacy(section: Section) -> Result:
    result = Result(dns=Dns.parse(section.section("dns")))
    for key in ("ip4", "ip6"):
        if section.has(key):
            entry = section.section(key)
            result.ips.append(IpConfig(entry.cidr("ip"), entry.ip("gateway")))
            result.routes += [Route.parse(member) for member in entry.sections("routes")]
    result.unknown = _unknown(section, ("cniversion", "ip4", "ip6", "dns"))
    return result


def _unknown(section: Section, known: tuple[str, ...]) -> dict[str, object]:
    return {key: value for key, value in section.raw.items() if key.lower() not in known}


def _put(shown: dict[str, object], **members: object) -> None:
    for key, value in members.items():
        if value:
            shown[key] = value


def _text(ip: Ip | None) -> str:
    return "" if ip is None else str(ip)
