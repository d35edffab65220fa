"""What a configuration of portmap asks for: read, held against what can be, and led to the container's addresses."""

from __future__ import annotations

from cni_multus.cni.addressing import BITS, Ip
from cni_multus.cni.errors import InvalidNetworkConfig, UnsupportedField
from cni_multus.portmaps.hostport import PROTOCOLS, Hostport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Cidr
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result
    from cni_multus.portmaps.conditions import Condition

IPTABLES, NFTABLES = "iptables", "nftables"
DEFAULT_BIT = 13

_ANYWHERE = {family: Ip(family, 0) for family in BITS}
_CONDITIONS = {4: "conditionsV4", 6: "conditionsV6"}


class Mapping:
    """One member of `portMappings`; `where` is its path, `address` None where the node's are meant, of any family."""

    __slots__ = ("address", "container_port", "port", "protocol", "where")

    def __init__(self, section: Section) -> None:
        self.where = section.path
        self.port = _port(section, "hostPort")
        self.container_port = _port(section, "containerPort")
        self.protocol = section.text("protocol").lower() or "tcp"
        if self.protocol not in PROTOCOLS:
            given = section.text("protocol")
            raise section.wrong("protocol", f"{given!r} is not one of {', '.join(PROTOCOLS)}")
        self.address = section.ip("hostIP")

    def towards(self, target: Ip) -> Hostport | None:
        """The port of the node that leads to `target`; None where the node's address is of the other family."""
        address = self.address or _ANYWHERE[target.family]
        if address.family != target.family:
            return None
        return Hostport(self.protocol, address, self.port, target, self.container_port)


class PortmapConfig:
    """The keys of a portmap configuration; `conditions` by family, `bit` the mark of what is to be masqueraded."""

    __slots__ = ("bit", "conditions", "mappings", "masquerade_all", "snat")

    def __init__(self, request: Request) -> None:
        config = request.config
        self.snat = config.flag("snat", True)
        self.masquerade_all = config.flag("masqAll")
        self.bit = config.number("markMasqBit", DEFAULT_BIT, high=31)
        backend = config.text("backend")
        if backend not in ("", IPTABLES, NFTABLES):
            raise config.wrong("backend", f"{backend!r} is neither {IPTABLES} nor {NFTABLES}")
        _refuse_external_chain(config, backend, self.snat)
        self.conditions = _conditions(config, backend)
        self.mappings = [Mapping(each) for each in config.section("runtimeConfig").sections("portMappings")]

    def hostports(self, targets: dict[int, Cidr]) -> list[Hostport]:
        """The ports of the node by the container's addresses; raises where one leads nowhere, or two are the same."""
        found: dict[tuple[str, bytes], tuple[Hostport, str]] = {}
        served = set()
        passed_over = []
        for mapping in self.mappings:
            ports = [port for cidr in targets.values() if (port := mapping.towards(cidr.ip))]
            for port in ports:
                if port.place in found:
                    earlier = found[port.place][1]
                    raise InvalidNetworkConfig(f"{mapping.where}: {port.source} is mapped by {earlier} already")
                found[port.place] = port, mapping.where
            if ports:
                served.add((mapping.protocol, mapping.port))
            else:
                passed_over.append(mapping)
        # Runtimes publish a port at 0.0.0.0 and at :: whatever the container has.
        for mapping in passed_over:
            if (mapping.protocol, mapping.port) not in served:
                raise _leads_nowhere(mapping)
        return [port for port, _ in found.values()]


def targets(previous: Result, ifname: str) -> dict[int, Cidr]:
    """By family, the first address of the container's interface; one that names no interface counts too."""
    found: dict[int, Cidr] = {}
    for ip in previous.ips:
        at = ip.interface
        if at is not None and at < len(previous.interfaces):
            interface = previous.interfaces[at]
            if interface.name != ifname or not interface.sandbox:
                continue
        found.setdefault(ip.address.family, ip.address)
    return dict(sorted(found.items()))


def _port(section: Section, key: str) -> int:
    if not section.has(key):
        raise section.wrong(key, "it is missing")
    return section.number(key, low=1, high=65535)


def _leads_nowhere(mapping: Mapping) -> InvalidNetworkConfig:
    if mapping.address is None:
        return InvalidNetworkConfig(
            f"{mapping.where}: prevResult has no address that port {mapping.port} could lead to"
        )
    other = f"IPv{mapping.address.family}"
    return InvalidNetworkConfig(
        f"{mapping.where}.hostIP: {mapping.address} is {other}, and the container has no {other}"
    )


def _refuse_external_chain(config: Section, backend: str, snat: bool) -> None:
    chain = config.text("externalSetMarkChain")
    if not chain:
        return
    if config.has("markMasqBit"):
        raise config.wrong("externalSetMarkChain", "it cannot be given together with markMasqBit")
    if backend == NFTABLES:
        raise config.wrong("externalSetMarkChain", f"the backend {NFTABLES} has no chains of iptables")
    if snat:
        raise UnsupportedField(
            f"{config.where('externalSetMarkChain')}: rules of nftables cannot jump to {chain}, a chain of iptables: "
            "give the bit that it sets as markMasqBit instead (KUBE-MARK-MASQ: 14), or leave both out"
        )


def _conditions(config: Section, backend: str) -> dict[int, list[Condition]]:
    given = {family: config.texts(key) for family, key in _CONDITIONS.items()}
    if not any(given.values()):
        return {family: [] for family in _CONDITIONS}
    from cni_multus.portmaps.conditions import is_of_iptables, parse

    foreign = [
        _CONDITIONS[family]
        for family, words in given.items()
        if words and backend and is_of_iptables(words) != (backend == IPTABLES)
    ]
    if foreign:
        raise config.wrong(" ".join(foreign), f"not written as the backend {backend} has conditions")
    return {family: parse(config, key, family) for family, key in _CONDITIONS.items()}
