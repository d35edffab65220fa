"""One network of the plan: its plugins, what each would do, the link it stands on, addresses and routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cni_multus.cli.explain.effects import effect, read_keys
from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import CniError, InvalidNetworkConfig
from cni_multus.cni.result import Result, Route
from cni_multus.cni.versions import require_supported
from cni_multus.delegate import Program, find
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.masters import Master
from cni_multus.plugin.chained import ChainedPlugin
from cni_multus.plugin.interface import InterfacePlugin, find_ipam

if TYPE_CHECKING:
    from cni_multus.cli.explain.addresses import Addresses
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.multus.plan import Planned

BUILT_IN = "built in"
_MAC = "mac"


@dataclass
class Step:
    """A plugin of the network: where its code is, what it does in words, and the capabilities that it is handed."""

    kind: str
    where: str
    effect: str
    capabilities: dict[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """One member each."""
        return {"type": self.kind, "program": self.where, "effect": self.effect, "capabilities": self.capabilities}


@dataclass
class Foreseen:
    """What the attachment of one network would come to."""

    ifname: str
    network: str
    label: str
    why: str = ""
    steps: list[Step] = field(default_factory=list)
    master: str = ""
    mtu: int = 0
    mac: str = ""
    ipam: str = ""
    pools: list[str] = field(default_factory=list)
    addresses: list[Cidr] = field(default_factory=list)
    sure: bool = True
    """Whether the addresses are all that it would get."""
    routes: list[Route] = field(default_factory=list)
    asked_default: tuple[Ip, ...] = ()
    """The gateways of the default route that the pod asks for by this network."""
    problems: list[CniError] = field(default_factory=list)

    def gateway(self, family: int) -> str | None:
        """Of its own default route of a family, "" for one without gateway; None where it brings none."""
        route = next((route for route in self.routes if route.is_default and route.dst.family == family), None)
        return None if route is None else str(route.gw or "")

    def to_json(self) -> dict[str, object]:
        """Everything, for programs."""
        return {
            "interface": self.ifname,
            "network": self.network,
            "name": self.label,
            "why": self.why,
            "plugins": [step.to_json() for step in self.steps],
            "master": self.master,
            "mtu": self.mtu,
            "mac": self.mac,
            "ipam": self.ipam,
            "pools": self.pools,
            "addresses": [str(each) for each in self.addresses],
            "addressesKnown": self.sure,
            "routes": [{"dst": str(route.dst), **({"gw": str(route.gw)} if route.gw else {})} for route in self.routes],
            "problems": [{"code": error.code, "msg": error.message} for error in self.problems],
        }


def foresee(planned: Planned, request: Request, host: Namespace, addresses: Addresses) -> Foreseen:
    """One network; what would fail is collected, and the rest is foreseen all the same."""
    found = Foreseen(planned.ifname, planned.name, planned.label or planned.name)
    found.asked_default = planned.default_route
    network = planned.network
    for at, section in enumerate(network.plugins):
        kind = section.text("type")
        try:
            member = network.member(section, request, planned.capabilities)
            plugin = find(kind, request.path, section.where("type"))
            is_program = isinstance(plugin, Program)
            handed = dict(member.config.section("runtimeConfig").raw)
            where = plugin.path if isinstance(plugin, Program) else BUILT_IN
            found.steps.append(Step(kind, where, effect(kind, member.config, is_program=is_program), handed))
            if not is_program:
                require_supported(network.version, plugin.versions)
            if isinstance(plugin, InterfacePlugin):
                _interface(found, plugin, member, host, addresses)
            elif isinstance(plugin, ChainedPlugin):
                if at == 0:
                    raise InvalidNetworkConfig(
                        f"{section.where('type')}: {kind} changes what an earlier plugin of a list made, "
                        "and there is none"
                    )
                read_keys(kind, member)
                found.mtu = member.config.number("mtu") or found.mtu
            else:
                _program(found, section)
        except CniError as error:
            if not any(step.kind == kind for step in found.steps[at:]):
                found.steps.append(Step(kind, "-", "cannot be run"))
            found.problems.append(error)
    return found


def _program(found: Foreseen, section: Section) -> None:
    """Of a program only the configuration is known: it is not run."""
    ipam = section.value("ipam")
    if isinstance(ipam, dict):
        found.ipam = str(ipam.get("type", ""))
    master = section.value("master")
    found.master = master if isinstance(master, str) else found.master
    found.sure = False


def _interface(
    found: Foreseen, plugin: InterfacePlugin[Any], member: Request, host: Namespace, addresses: Addresses
) -> None:
    """In the order of an ADD: the keys, IPAM's type, what the kernel refuses, addresses."""
    config = plugin.parse(member)
    found.mac = getattr(config, _MAC, "") or ""
    ipam = find_ipam(member)
    if member.netns:
        with Namespace.open(member.netns) as container:
            _kernel(found, plugin, config, member, host, container)
    else:
        _kernel(found, plugin, config, member, host, None)
    found.ipam = member.config.section("ipam").text("type")
    if ipam is None:
        return
    if isinstance(ipam, Program):
        found.sure = False
        found.pools = [f"whatever {ipam.path} gives"]
        return
    try:
        given = addresses.foresee(found.ipam, member)
    finally:
        found.pools, found.sure = addresses.pools, addresses.sure
    if given is not None:
        _give(found, config, given)


def _give(found: Foreseen, config: Any, given: Result) -> None:
    if getattr(config, "gateway", False):
        from cni_multus.bridging.gateways import plan_gateways

        plan_gateways(given, default=config.default_gateway)
    found.addresses = [each.address for each in given.ips]
    for route in given.routes:
        if route.gw is None:
            gateways = (ip.gateway for ip in given.ips if ip.gateway and ip.gateway.family == route.dst.family)
            route.gw = next(gateways, None)
    found.routes = given.routes


def _kernel(
    found: Foreseen,
    plugin: InterfacePlugin[Any],
    config: Any,
    member: Request,
    host: Namespace,
    container: Namespace | None,
) -> None:
    """What it stands on, held against the kernel; probes that make something for a moment are left out."""
    master = getattr(config, "master", None)
    if isinstance(master, Master):
        found.master, found.mtu = master.name, master.mtu
        if master.in_container and container is None:
            return  # an earlier network of the same pod may make it
        master.require(plugin.kind, host, container or host)
        if master.found is not None:
            found.master, found.mtu = master.found.name, master.mtu or master.found.mtu
    elif bridge := getattr(config, "bridge", ""):
        _bridge(found, config, host, bridge)
    else:
        found.mtu = getattr(config, "mtu", 0) or found.mtu
        if not hasattr(config, "masquerade"):
            plugin.ready(member, config, host)


def _bridge(found: Foreseen, config: Any, host: Namespace, bridge: str) -> None:
    """The bridge of a port, which is made where it is missing."""
    port = getattr(config, "port", None)
    if port is None:  # a tap's, which is in the container
        found.master = bridge
        return
    from cni_multus.linux.sharedbridge import require_bridge

    link = find_link(host, bridge)
    found.master = bridge if link else f"{bridge} (made)"
    found.mtu = port.mtu or (link.mtu if link else 0)
    require_bridge(host, link, bridge, filtering=port.vlans.filtering, switch=port.vlans.switch)
