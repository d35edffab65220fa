"""bridge: a veth pair between the container and a bridge of the node, which may be the pods' gateway."""

from __future__ import annotations

from cni_multus.cni.errors import CniError, NotAvailable
from cni_multus.cni.names import wrong_with_ifname
from cni_multus.cni.result import Interface
from cni_multus.linux.hostports import await_running, remove_pair
from cni_multus.linux.links import find_link, link, random_mac
from cni_multus.linux.netns import Namespace
from cni_multus.marks import requested_mac
from cni_multus.masquerade import backends as masquerade
from cni_multus.plugin.interface import Attached, InterfacePlugin
from cni_multus.undo import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.bridging.ports import Guard
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import IpConfig, Result
    from cni_multus.linux.links import Link
    from cni_multus.undo import Undo


class BridgeConfig:
    """The keys of a bridge configuration; `port` has those of the pod's port of it."""

    __slots__ = (
        "bridge",
        "check_mac",
        "default_gateway",
        "disabled",
        "enable_dad",
        "force_address",
        "gateway",
        "mac",
        "masquerade",
        "port",
        "promisc",
    )

    def __init__(self, request: Request) -> None:
        from cni_multus.bridging.ports import PortSettings

        config = request.config
        self.bridge = config.text("bridge") or "cni0"
        if why := wrong_with_ifname(self.bridge):
            raise config.wrong("bridge", f"{self.bridge!r} cannot name a link: {why}")
        self.default_gateway = config.flag("isDefaultGateway")
        self.gateway = config.flag("isGateway") or self.default_gateway
        self.force_address = config.flag("forceAddress")
        self.promisc = config.flag("promiscMode")
        self.enable_dad = config.flag("enabledad")
        self.disabled = config.flag("disableContainerInterface")
        self.check_mac = config.flag("macspoofchk")
        self.mac = requested_mac(request)
        self.masquerade = masquerade.parse(config)
        self.port = PortSettings.parse(config)
        if self.port.hairpin and self.promisc:
            raise config.wrong("hairpinMode", "a bridge in promiscMode cannot have ports in hairpinMode")
        if self.disabled and config.section("ipam").text("type"):
            raise config.wrong("disableContainerInterface", "an interface that stays down cannot have addresses (ipam)")
        if self.gateway and self.vlan and (why := wrong_with_ifname(f"{self.bridge}.{self.vlan}")):
            raise config.wrong("vlan", f"its gateway would be called {self.bridge}.{self.vlan}: {why}")

    @property
    def vlan(self) -> int:
        """The VLAN of the frames that the pod sends without tag, 0 where it has none of its own."""
        return self.port.vlans.native


class Bridge(InterfacePlugin["BridgeConfig"]):
    """See README.md for the keys."""

    kind = "veth"

    def parse(self, request: Request) -> BridgeConfig:
        return BridgeConfig(request)

    def prepare(self, request: Request, config: BridgeConfig, host: Namespace, container: Namespace) -> None:
        from cni_multus.linux.sharedbridge import require_bridge

        vlans = config.port.vlans
        found = find_link(host, config.bridge)
        require_bridge(host, found, config.bridge, filtering=vlans.filtering, switch=vlans.switch)
        if config.check_mac:
            from cni_multus.bridging.spoofing import require_filter

            require_filter(host)
        if config.masquerade:
            masquerade.require(host, config.masquerade)

    def attach(
        self,
        request: Request,
        config: BridgeConfig,
        host: Namespace,
        container: Namespace,
        ipam: Result,
        undo: Undo,
    ) -> Attached:
        from cni_multus.bridging.gateways import place_gateways, plan_gateways
        from cni_multus.bridging.ports import add_port
        from cni_multus.linux.sharedbridge import ensure_bridge, turn

        gateways = plan_gateways(ipam, default=config.default_gateway) if config.gateway else []
        vlans, mtu = config.port.vlans, config.port.mtu
        extra = []
        with turn(host, config.bridge):
            bridge = ensure_bridge(
                host,
                config.bridge,
                mtu=mtu,
                promisc=config.promisc,
                filtering=vlans.filtering,
                switch=vlans.switch,
                undo=undo,
            )
            if gateways:
                holder = place_gateways(
                    host, bridge, gateways, vlan=config.vlan, mtu=mtu, force=config.force_address, undo=undo
                )
                extra = [holder] if holder.index != bridge.index else []
            mac = config.mac or random_mac()
            port, bridge = add_port(request, config.port, host, container, bridge, mac, undo, _guard(config))
        if config.masquerade and ipam.ips:
            masquerade.add(host, request.attachment, [ip.address for ip in ipam.ips], config.masquerade, undo)
        peer = link(container, request.ifname)
        shown = [Interface(each.name, each.mac, mtu=each.mtu) for each in (bridge, port, *extra)]
        shown.insert(2, Interface(peer.name, peer.mac, request.netns, peer.mtu))
        return Attached(shown, 2, peer, up=not config.disabled, dad=config.enable_dad)

    def settle(
        self, request: Request, config: BridgeConfig, host: Namespace, attached: Attached, ips: list[IpConfig]
    ) -> None:
        from cni_multus.bridging.gateways import families
        from cni_multus.linux.forwarding import forward

        await_running(host, attached.interfaces[1].name)
        # Last, since it is the one change that is not taken back.
        for family in families(ips) if config.gateway else ():
            forward(host, family)

    def verify(
        self, request: Request, config: BridgeConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        from cni_multus.bridging.gateways import gateway_differences
        from cni_multus.bridging.ports import port_differences
        from cni_multus.linux.linkinfo import IFF_PROMISC

        bridge = find_link(host, config.bridge)
        if bridge is None or bridge.kind != "bridge":
            return [f"there is no bridge {config.bridge} on the node"]
        ips = _own_ips(request)
        wrong = [f"bridge {bridge.name} is down"] if not bridge.up else []
        if config.promisc and not bridge.flags & IFF_PROMISC:
            wrong.append(f"bridge {bridge.name} is not in promiscMode")
        if config.gateway:
            wrong += gateway_differences(host, bridge, config.vlan, ips)
        if link.up == config.disabled:
            wrong.append("it is up" if link.up else "it is down")
        wrong += port_differences(config.port, host, bridge, link)
        if config.masquerade and ips:
            wrong += masquerade.differences(host, request.attachment, [ip.address for ip in ips], config.masquerade)
        if config.check_mac:
            from cni_multus.bridging.spoofing import differences

            wrong += differences(host, link)
        return wrong

    def ready(self, request: Request, config: BridgeConfig, host: Namespace) -> None:
        try:
            self.prepare(request, config, host, host)
        except CniError as error:
            raise NotAvailable(error.message) from error

    def detach(self, container: Namespace, link: Link) -> None:
        with Namespace.host() as host:
            remove_pair(host, container, link)

    def remove_stranded(self, request: Request, host: Namespace) -> None:
        from cni_multus.nodeports import remove_stranded_ports

        remove_stranded_ports(request, host, of_bridge=True)

    def clear(self, request: Request) -> None:
        # Whatever the values are, in a DEL: what an ADD asked for must not depend on them now.
        checked, masked, *vlans = map(request.config.value, ("macspoofchk", "ipMasq", "vlan", "vlanTrunk"))
        steps: list[Callable[[Namespace], None]] = []
        if checked:
            from cni_multus.bridging.spoofing import release

            steps.append(lambda host: release(host, request.attachment))
        if masked:
            steps.append(lambda host: masquerade.remove(host, request.attachment))
        if any(vlans):
            from cni_multus.linux.vlangateways import remove_unused

            steps.append(remove_unused)
        if steps:
            _each(steps)

    def collect_garbage(self, request: Request) -> None:
        from cni_multus.bridging.spoofing import collect
        from cni_multus.linux.vlangateways import remove_unused
        from cni_multus.nodeports import collect_ports

        valid = request.valid_attachments()
        steps: list[Callable[[Namespace], None]] = [
            lambda _: collect_ports(request),
            collect,
            remove_unused,
            lambda host: masquerade.collect(host, request.name, valid),
        ]
        _each(steps)
        # Last, and only then: an address must outlive its link.
        super().collect_garbage(request)


def _guard(config: BridgeConfig) -> Guard | None:
    if not config.check_mac:
        return None
    from cni_multus.bridging.spoofing import guard

    return guard


def _own_ips(request: Request) -> list[IpConfig]:
    """Those that this interface got: later plugins of a list may have added others."""
    previous = request.previous
    found = previous.of_interface(request.ifname, request.netns) if previous else None
    return [ip for ip in previous.ips if ip.interface in (None, found[0])] if previous and found else []


def _each(steps: list[Callable[[Namespace], None]]) -> None:
    """Do them all on the node, then raise the first failure."""
    with Namespace.host() as host:
        do_all(lambda step: step(host), steps)
