"""bridge: a veth pair between the container and a bridge of the node, which may be the pods' gateway."""

from __future__ import annotations

from cni_multus.cni.addressing import BITS, Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig, NotAvailable, UnsupportedField
from cni_multus.cni.request import Attachment, wrong_with_ifname
from cni_multus.cni.result import Interface, IpConfig, Result, Route
from cni_multus.linux import sysctl
from cni_multus.linux.bridges import port_message, port_of
from cni_multus.linux.hostports import await_running, find_port, remove_pair, remove_ports
from cni_multus.linux.linkinfo import IFF_PROMISC, decode_link
from cni_multus.linux.links import (
    add_veth,
    change_link,
    change_message,
    find_link,
    link,
    random_mac,
    random_veth_name,
    remove_link,
)
from cni_multus.linux.linktable import get_message
from cni_multus.linux.netns import Namespace
from cni_multus.linux.sharedbridge import (
    add_gateways,
    ensure_bridge,
    forward,
    forwards,
    missing_gateways,
    turn,
    why_no_bridge,
)
from cni_multus.marks import group_of, label, labels_start, requested_mac
from cni_multus.plugin import Attached, InterfacePlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link
    from cni_multus.undo import Undo

_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
_LATER = ("vlan", "vlanTrunk", "macspoofchk", "ipMasq")


class BridgeConfig:
    """The keys of a bridge configuration; `mtu` 0 means the kernel's own."""

    __slots__ = (
        "bridge",
        "default_gateway",
        "disabled",
        "enable_dad",
        "force_address",
        "gateway",
        "hairpin",
        "isolated",
        "mac",
        "mtu",
        "promisc",
    )

    def __init__(self, request: Request) -> None:
        config = request.config
        self.bridge = config.text("bridge") or "cni0"
        if why := wrong_with_ifname(self.bridge):
            raise config.wrong("bridge", f"{self.bridge!r} cannot name a link: {why}")
        self.default_gateway = config.flag("isDefaultGateway")
        self.gateway = config.flag("isGateway") or self.default_gateway
        self.force_address = config.flag("forceAddress")
        self.mtu = config.number("mtu", high=65535)
        self.hairpin = config.flag("hairpinMode")
        self.promisc = config.flag("promiscMode")
        self.enable_dad = config.flag("enabledad")
        self.isolated = config.flag("portIsolation")
        self.disabled = config.flag("disableContainerInterface")
        self.mac = requested_mac(request)
        if self.hairpin and self.promisc:
            raise config.wrong("hairpinMode", "a bridge in promiscMode cannot have ports in hairpinMode")
        if self.disabled and config.section("ipam").text("type"):
            raise config.wrong("disableContainerInterface", "an interface that stays down cannot have addresses (ipam)")
        _refuse_later_keys(config)


class Bridge(InterfacePlugin["BridgeConfig"]):
    """See README.md for the keys."""

    kind = "veth"

    def parse(self, request: Request) -> BridgeConfig:
        return BridgeConfig(request)

    def prepare(self, request: Request, config: BridgeConfig, host: Namespace, container: Namespace) -> None:
        if why := why_no_bridge(find_link(host, config.bridge), config.bridge):
            raise InvalidNetworkConfig(why)

    def attach(
        self,
        request: Request,
        config: BridgeConfig,
        host: Namespace,
        container: Namespace,
        ipam: Result,
        undo: Undo,
    ) -> Attached:
        from cni_multus.interface import require_ipv6_mtu

        gateways = _plan_gateways(config, ipam) if config.gateway else []
        with turn(host, config.bridge):
            bridge = ensure_bridge(host, config.bridge, mtu=config.mtu, promisc=config.promisc, undo=undo)
            if any(gateway.family == 6 for gateway in gateways):
                require_ipv6_mtu(bridge)
            add_gateways(host, bridge, gateways, force=config.force_address, undo=undo)
            port = add_veth(
                host,
                random_veth_name(),
                master=bridge.index,
                mtu=config.mtu,
                # The highest there is: a bridge whose MAC nobody set takes its lowest port's.
                mac="fe" + random_mac()[2:],
                peer=request.ifname,
                peer_namespace=container,
                peer_mac=config.mac or random_mac(),
                peer_group=group_of(request.sandbox),
            )
            undo.callback(remove_link, host, port.index)
            bridge = _finish_port(request, config, host, bridge, port)
        sysctl.write(host, f"net/ipv6/conf/{port.name}/accept_ra", "0", missing_ok=True)
        peer = link(container, request.ifname)
        shown = [
            Interface(bridge.name, bridge.mac, mtu=bridge.mtu),
            Interface(port.name, port.mac, mtu=port.mtu),
            Interface(peer.name, peer.mac, request.netns, peer.mtu),
        ]
        return Attached(shown, 2, peer, up=not config.disabled, dad=config.enable_dad)

    def settle(
        self, request: Request, config: BridgeConfig, host: Namespace, attached: Attached, ips: list[IpConfig]
    ) -> None:
        await_running(host, attached.interfaces[1].name)
        # Last, since it is the one change that is not taken back.
        for family in _families(config, ips):
            forward(host, family)

    def verify(
        self, request: Request, config: BridgeConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        bridge = find_link(host, config.bridge)
        if bridge is None or bridge.kind != "bridge":
            return [f"there is no bridge {config.bridge} on the node"]
        ips = request.previous.ips if request.previous else []
        wrong = [f"bridge {bridge.name} is down"] if not bridge.up else []
        if config.promisc and not bridge.flags & IFF_PROMISC:
            wrong.append(f"bridge {bridge.name} is not in promiscMode")
        if config.gateway:
            gateways = [ip.gateway for ip in ips if ip.gateway is not None]
            wrong += [f"gateway {ip} is not on {bridge.name}" for ip in missing_gateways(host, bridge, gateways)]
        for family in _families(config, ips):
            if not forwards(host, family):
                wrong.append(f"the node does not forward IPv{family} packets")
        if link.up == config.disabled:
            wrong.append("it is up" if link.up else "it is down")
        return wrong + _port_differences(config, bridge, find_port(host, link))

    def ready(self, request: Request, config: BridgeConfig, host: Namespace) -> None:
        if why := why_no_bridge(find_link(host, config.bridge), config.bridge):
            raise NotAvailable(why)

    def detach(self, container: Namespace, link: Link) -> None:
        with Namespace.host() as host:
            remove_pair(host, container, link)

    def remove_stranded(self, request: Request, host: Namespace) -> None:
        told = request.previous.interfaces if request.previous else []
        ours = {(interface.name, interface.mac) for interface in told if not interface.sandbox and interface.mac}
        mark = label(request.attachment)
        remove_ports(host, lambda port: port.alias == mark or (port.name, port.mac) in ours)

    def collect_garbage(self, request: Request) -> None:
        valid = {label(Attachment(request.name, *attached)) for attached in request.valid_attachments()}
        start = labels_start(request.name)
        with Namespace.host() as host:
            remove_ports(host, lambda port: port.alias.startswith(start) and port.alias not in valid)
        super().collect_garbage(request)


def _refuse_later_keys(config: Section) -> None:
    for key in _LATER:
        if config.value(key) not in (None, False, 0):
            raise UnsupportedField(
                f"{config.where(key)}: this version has no {key} yet; attaching without it would not be safe"
            )


def _plan_gateways(config: BridgeConfig, ipam: Result) -> list[Cidr]:
    """The bridge's addresses; an address without gateway gets its network's first, and defaults are added."""
    gateways: list[Cidr] = []
    for ip in ipam.ips:
        family = ip.address.family
        if ip.gateway is None:
            if ip.address.prefix > BITS[family] - 2:
                raise InvalidNetworkConfig(
                    f"isGateway: {ip.address} leaves no address for the gateway, and IPAM gave none"
                )
            ip.gateway = Ip(family, ip.address.first + 1)
        if ip.gateway == ip.address.ip:
            raise InvalidNetworkConfig(f"isGateway: IPAM gave {ip.address}, which is the gateway's own address")
        cidr = Cidr(ip.gateway, ip.address.prefix)
        if cidr not in gateways:
            gateways.append(cidr)
        has_default = any(route.is_default and route.dst.family == family for route in ipam.routes)
        if config.default_gateway and not has_default:
            ipam.routes.append(Route(Cidr.parse(_EVERYWHERE[family]), ip.gateway))
    return gateways


def _finish_port(request: Request, config: BridgeConfig, host: Namespace, bridge: Link, port: Link) -> Link:
    """Say whose port it is and what it may do; returns the bridge as it is with it, its MAC unchanged."""
    batch = [(change_message(port.index, alias=label(request.attachment)), f"cannot label {port.name}")]
    if config.hairpin or config.isolated:
        settings = port_message(port.index, hairpin=config.hairpin, isolated=config.isolated)
        batch.append((settings, f"cannot change port {port.name}"))
    batch.append((get_message(bridge.name), f"cannot look up link {bridge.name}"))
    answer = host.netlink.batch(batch)[-1]
    now = decode_link(answer) if answer else bridge
    if now.mac != bridge.mac:
        change_link(host, bridge.index, mac=bridge.mac, attempt=f"cannot keep the MAC of {bridge.name}")
        now.mac = bridge.mac
    return now


def _families(config: BridgeConfig, ips: list[IpConfig]) -> set[int]:
    return {ip.gateway.family for ip in ips if ip.gateway is not None} if config.gateway else set()


def _port_differences(config: BridgeConfig, bridge: Link, port: Link | None) -> list[str]:
    if port is None:
        return ["its peer on the node is gone"]
    if port.master != bridge.index:
        return [f"its peer {port.name} is not a port of {bridge.name}"]
    wrong = [] if port.up else [f"port {port.name} is down"]
    shown = port_of(port)
    for key, set_, wanted in (
        ("hairpinMode", shown.hairpin, config.hairpin),
        ("portIsolation", shown.isolated, config.isolated),
    ):
        if set_ != wanted:
            wrong.append(f"port {port.name} has {key} {'on' if set_ else 'off'}")
    return wrong
