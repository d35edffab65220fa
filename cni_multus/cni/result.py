"""What an ADD returns: interfaces, addresses, routes, dns; parsed from and printed in every version's shape.

Inside the program a result has no version: it is the union of all of them. `to_json` prints exactly what a version
knows (https://www.cni.dev/docs/spec/#add-success); keys that no version knows are kept as they came, since a plugin
has to pass on what it does not understand.
"""

from __future__ import annotations

from cni_multus.cni.errors import IncompatibleVersion
from cni_multus.cni.members import Dns, Interface, IpConfig, Route, put, unknown
from cni_multus.cni.versions import family, require_supported

__all__ = ["Dns", "Interface", "IpConfig", "Result", "Route"]

_RESULT = ("cniversion", "interfaces", "ips", "routes", "dns", "ip4", "ip6")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cni_multus.cni.config import Section


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
        spoken = section.text("cniVersion")
        if spoken:
            require_supported(spoken)
        spoken = spoken or version
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
        result.unknown = unknown(section, _RESULT)
        return result

    def to_json(self, version: str) -> dict[str, Any]:
        """As `version` has it; raises IncompatibleVersion where 0.1.0 and 0.2.0 cannot say it at all."""
        if family(version) == 2:
            return {"cniVersion": version, **self._legacy(version), **self.unknown}
        shown: dict[str, object] = {"cniVersion": version}
        put(
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
            shown[key] = ip.to_legacy_json([route for route in self.routes if route.dst.family == number])
        if not shown:
            raise IncompatibleVersion(
                f"a result without addresses cannot be told in CNI {version}: no valid IP addresses"
            )
        shown["dns"] = self.dns.to_json()
        return shown


def _parse_legacy(section: Section) -> Result:
    result = Result(dns=Dns.parse(section.section("dns")))
    for key, number in (("ip4", 4), ("ip6", 6)):
        if section.has(key):
            entry = section.section(key)
            result.ips.append(IpConfig.parse_legacy(entry, number))
            result.routes += [Route.parse(member) for member in entry.sections("routes")]
    result.unknown = unknown(section, _RESULT)
    return result
