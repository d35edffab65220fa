"""bridge: a veth pair between the container and a bridge of the node, which may be the pods' gateway."""

from __future__ import annotations

import time

from cni_multus.cni.addressing import BITS, Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig, NetlinkFailure, NotAvailable, UnsupportedField
from cni_multus.cni.request import wrong_with_ifname
from cni_multus.cni.result import Interface, Result, Route
from cni_multus.interface import group_of
from cni_multus.linux import sysctl
from cni_multus.linux.addresses import add_address_message, list_addresses, remove_address_message
from cni_multus.linux.bridges import change_port, port_of
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.links import (
    add_bridge,
    add_veth,
    change_link,
    find_link,
    find_link_by_index,
    link,
    list_links,
    random_mac,
    random_veth_name,
    remove_link,
)
from cni_multus.plugin import Attached, InterfacePlugin, requested_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.linux.addresses import Address
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

_FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
_PORT_WAIT = 3.0
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
        found = find_link(host, config.bridge)
        if found is not None and found.kind != "bridge":
            raise InvalidNetworkConfig(f"bridge: {config.bridge} is a {found.kind or 'device'}, not a bridge")

    def attach(
        self,
        request: Request,
        config: BridgeConfig,
        host: Namespace,
        container: Namespace,
        ipam: Result,
        undo: Undo,
    ) -> Attached:
        gateways = _plan_gateways(config, ipam) if config.gateway else []
        with Exclusion(host, f"bridge {config.bridge}"):
            bridge = _ensure_bridge(config, host, undo)
            _give_gateways(config, host, bridge, gateways, undo)
            port = add_veth(
                host,
                random_veth_name(),
                master=bridge.index,
                mtu=config.mtu,
                mac=random_mac(),
                peer=request.ifname,
                peer_namespace=container,
                peer_mac=config.mac or random_mac(),
                peer_group=group_of(request.container_id),
            )
            undo.callback(remove_link, host, port.index)
        if config.hairpin or config.isolated:
            change_port(host, port.index, hairpin=config.hairpin, isolated=config.isolated, name=port.name)
        sysctl.write(host, f"net/ipv6/conf/{port.name}/accept_ra", "0", missing_ok=True)
        peer = link(container, request.ifname)
        shown = [
            Interface(bridge.name, bridge.mac, mtu=bridge.mtu),
            Interface(port.name, port.mac, mtu=port.mtu),
            Interface(peer.name, peer.mac, request.netns, peer.mtu),
        ]
        return Attached(shown, 2, peer, up=not config.disabled, dad=config.enable_dad)

    def settle(self, request: Request, config: BridgeConfig, host: Namespace, attached: Attached) -> None:
        name = attached.interfaces[1].name
        deadline = time.monotonic() + _PORT_WAIT
        pause = 0.0002
        while not link(host, name).running:
            if time.monotonic() > deadline:
                raise NetlinkFailure(f"port {name} of {config.bridge} did not come up within {_PORT_WAIT:g} s")
            time.sleep(pause)
            pause = min(pause * 2, 0.05)

    def verify(
        self, request: Request, config: BridgeConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        bridge = find_link(host, config.bridge)
        if bridge is None or bridge.kind != "bridge":
            return [f"there is no bridge {config.bridge} in {host}"]
        port = find_link_by_index(host, link.parent)
        if port is None:
            return ["its peer on the node is gone"]
        wrong = []
        if port.master != bridge.index:
            wrong.append(f"its peer {port.name} is not a port of {bridge.name}")
        elif port_of(port).hairpin != config.hairpin:
            wrong.append(f"port {port.name} has hairpin {'off' if config.hairpin else 'on'}")
        if not link.up and not config.disabled:
            wrong.append("it is down")
        return wrong + _missing_gateways(config, request, host, bridge)

    def ready(self, request: Request, config: BridgeConfig, host: Namespace) -> None:
        found = find_link(host, config.bridge)
        if found is not None and found.kind != "bridge":
            raise NotAvailable(f"bridge: {config.bridge} is a {found.kind or 'device'}, not a bridge")


def _refuse_later_keys(config: Section) -> None:
    for key in _LATER:
        if config.value(key) not in (None, False, 0):
            raise UnsupportedField(f"{config.where(key)}: this version has no {key} yet; attaching without it would not be safe")


def _ensure_bridge(config: BridgeConfig, host: Namespace, undo: Undo) -> Link:
    found = find_link(host, config.bridge)
    if found is None:
        # A MAC given at creation stays; otherwise it would be the lowest of the ports' and change with them.
        bridge = add_bridge(host, config.bridge, mac=random_mac(), mtu=config.mtu, promisc=config.promisc)
        undo.callback(_remove_if_unused, host, bridge)
        sysctl.write(host, f"net/ipv6/conf/{bridge.name}/accept_ra", "0", missing_ok=True)
        return bridge
    if not found.up or (config.promisc and not found.promiscuity):
        change_link(host, found.index, up=True, promisc=config.promisc or None, attempt=f"cannot bring {found.name} up")
    return found


def _plan_gateways(config: BridgeConfig, ipam: Result) -> list[Cidr]:
    """The bridge's addresses; an address without gateway gets its network's first, and defaults are added."""
    gateways: list[Cidr] = []
    for ip in ipam.ips:
        family = ip.address.family
        if ip.gateway is None:
            if ip.address.prefix > BITS[family] - 2:
                raise InvalidNetworkConfig(f"isGateway: {ip.address} leaves no address for the gateway, and IPAM gave none")
            ip.gateway = Ip(family, ip.address.first + 1)
        cidr = Cidr(ip.gateway, ip.address.prefix)
        if cidr not in gateways:
            gateways.append(cidr)
        has_default = any(route.is_default and route.dst.family == family for route in ipam.routes)
        if config.default_gateway and not has_default:
            ipam.routes.append(Route(Cidr.parse(_EVERYWHERE[family]), ip.gateway))
    return gateways


def _give_gateways(config: BridgeConfig, host: Namespace, bridge: Link, gateways: list[Cidr], undo: Undo) -> None:
    if not gateways:
        return
    shown = [_cidr(address) for address in list_addresses(host, bridge.index)]
    for gateway in gateways:
        if gateway not in shown:
            for other in [cidr for cidr in shown if cidr not in gateways and _conflict(cidr, gateway)]:
                if not config.force_address:
                    raise InvalidNetworkConfig(
                        f"forceAddress: {bridge.name} has {other} already, and {gateway} would conflict with it"
                    )
                _remove_address(host, bridge, other)
                undo.callback(_add_address, host, bridge, other)
            _add_address(host, bridge, gateway)
            undo.callback(_withdraw, host, bridge, gateway)
    # Without an address of its own set, a bridge takes its lowest port's MAC: fix what it has now.
    change_link(host, bridge.index, mac=bridge.mac, attempt=f"cannot fix the MAC of {bridge.name}")
    for family in {gateway.family for gateway in gateways}:
        if sysctl.read(host, _FORWARDING[family]) != "1":
            sysctl.write(host, _FORWARDING[family], "1")


def _missing_gateways(config: BridgeConfig, request: Request, host: Namespace, bridge: Link) -> list[str]:
    if not config.gateway or request.previous is None:
        return []
    shown = {_cidr(address).ip for address in list_addresses(host, bridge.index)}
    return [
        f"gateway {ip.gateway} is not on {bridge.name}"
        for ip in request.previous.ips
        if ip.gateway is not None and ip.gateway not in shown
    ]


def _conflict(shown: Cidr, wanted: Cidr) -> bool:
    """Two IPv4 networks on one bridge are a mistake; IPv6 knows several, as long as they do not overlap."""
    if shown.family != wanted.family:
        return False
    if shown.family == 4:
        return True
    return shown.contains(wanted.ip) or wanted.contains(shown.ip)


def _cidr(address: Address) -> Cidr:
    return Cidr(Ip(address.family, int.from_bytes(address.packed, "big")), address.prefix)


def _add_address(host: Namespace, bridge: Link, cidr: Cidr) -> None:
    request = add_address_message(bridge.index, cidr.ip.packed, cidr.prefix, nodad=True)
    host.netlink.request(request, f"cannot add address {cidr} to {bridge.name}")


def _remove_address(host: Namespace, bridge: Link, cidr: Cidr) -> None:
    request = remove_address_message(bridge.index, cidr.ip.packed, cidr.prefix)
    host.netlink.request(request, f"cannot remove address {cidr} from {bridge.name}")


def _withdraw(host: Namespace, bridge: Link, gateway: Cidr) -> None:
    """Take a gateway back unless another attachment has come to rely on it."""
    with Exclusion(host, f"bridge {bridge.name}"):
        if not _has_ports(host, bridge):
            _remove_address(host, bridge, gateway)


def _remove_if_unused(host: Namespace, bridge: Link) -> None:
    with Exclusion(host, f"bridge {bridge.name}"):
        if not _has_ports(host, bridge):
            remove_link(host, bridge.index)


def _has_ports(host: Namespace, bridge: Link) -> bool:
    return any(other.master == bridge.index for other in list_links(host))
