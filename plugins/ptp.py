"""ptp: a veth pair between the container and the node, which is its gateway; no neighbours, everything is routed."""

from __future__ import annotations

from cni_multus.cni.addressing import BITS, Cidr, Ip
from cni_multus.cni.errors import CniError, InvalidNetworkConfig, NotAvailable
from cni_multus.cni.result import Interface, IpConfig, Result
from cni_multus.linux.hostports import find_port
from cni_multus.linux.links import remove_link
from cni_multus.linux.netns import Namespace
from cni_multus.masquerade import backends as masquerade
from cni_multus.nodeports import collect_ports, remove_stranded_ports
from cni_multus.plugin.interface import Attached, InterfacePlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.linux.links import Link
    from cni_multus.linux.routes import Route
    from cni_multus.undo import Undo

LEAST_MTU = 68
IPV6_MTU = 1280


class PtpConfig:
    """The keys of a ptp configuration; `mtu` 0 means the kernel's own, `masquerade` "" none."""

    __slots__ = ("masquerade", "mtu")

    def __init__(self, request: Request) -> None:
        config = request.config
        if not config.section("ipam").text("type"):
            raise config.wrong("ipam.type", "a ptp has addresses, or it would carry nothing; name an IPAM plugin")
        self.mtu = config.number("mtu", high=65535)
        if 0 < self.mtu < LEAST_MTU:
            raise config.wrong("mtu", f"{self.mtu} is less than the {LEAST_MTU} that a link must have")
        self.masquerade = masquerade.parse(config)


class Ptp(InterfacePlugin["PtpConfig"]):
    """See README.md for the keys."""

    kind = "veth"

    def parse(self, request: Request) -> PtpConfig:
        return PtpConfig(request)

    def prepare(self, request: Request, config: PtpConfig, host: Namespace, container: Namespace) -> None:
        if config.masquerade:
            masquerade.require(host, config.masquerade)

    def attach(
        self, request: Request, config: PtpConfig, host: Namespace, container: Namespace, ipam: Result, undo: Undo
    ) -> Attached:
        from cni_multus.linux.links import add_veth, link, random_mac, random_veth_name
        from cni_multus.marks import group_of

        _refuse(config, ipam.ips)
        port = add_veth(
            host,
            random_veth_name(),
            mtu=config.mtu,
            mac=random_mac(),
            up=False,
            peer=request.ifname,
            peer_namespace=container,
            peer_mac=random_mac(),
            peer_group=group_of(request.sandbox),
        )
        undo.callback(remove_link, host, port.index)
        if config.masquerade:
            masquerade.add(host, request.attachment, [ip.address for ip in ipam.ips], config.masquerade, undo)
        _finish_port(request, host, port, ipam.ips, undo)
        peer = link(container, request.ifname)
        shown = [
            Interface(port.name, port.mac, mtu=port.mtu),
            Interface(peer.name, peer.mac, request.netns, peer.mtu),
        ]
        return Attached(shown, 1, peer, routes=_inner_routes(ipam.ips))

    def settle(
        self, request: Request, config: PtpConfig, host: Namespace, attached: Attached, ips: list[IpConfig]
    ) -> None:
        from cni_multus.linux.forwarding import forward
        from cni_multus.linux.hostports import await_running

        await_running(host, attached.interfaces[0].name)
        # Last, since it is the one change that is not taken back.
        for family in sorted({ip.address.family for ip in ips}):
            forward(host, family)

    def verify(
        self, request: Request, config: PtpConfig, host: Namespace, container: Namespace, link: Link
    ) -> list[str]:
        from cni_multus.linux.forwarding import forwards
        from cni_multus.linux.routes import list_routes

        ips = _own_ips(request)
        wrong = [] if link.up else ["it is down"]
        wrong += [f"route {each} is missing" for each in _missing(_inner_routes(ips), list_routes(container))]
        wrong += _port_differences(host, find_port(host, link), ips)
        for family in sorted({ip.address.family for ip in ips}):
            if not forwards(host, family):
                wrong.append(f"the node does not forward IPv{family} packets")
        if config.masquerade:
            wrong += masquerade.differences(host, request.attachment, [ip.address for ip in ips], config.masquerade)
        return wrong

    def ready(self, request: Request, config: PtpConfig, host: Namespace) -> None:
        if config.masquerade:
            try:
                masquerade.require(host, config.masquerade)
            except CniError as error:
                raise NotAvailable(error.message) from error

    def remove_stranded(self, request: Request, host: Namespace) -> None:
        remove_stranded_ports(request, host)

    def clear(self, request: Request) -> None:
        # Whatever the value is, in a DEL: who asked for it in the ADD must not depend on it now.
        if request.config.value("ipMasq"):
            with Namespace.host() as host:
                masquerade.remove(host, request.attachment)

    def collect_garbage(self, request: Request) -> None:
        collect_ports(request)
        with Namespace.host() as host:
            masquerade.collect(host, request.name, request.valid_attachments())
        super().collect_garbage(request)


def _refuse(config: PtpConfig, ips: list[IpConfig]) -> None:
    for ip in ips:
        if ip.gateway is None:
            raise InvalidNetworkConfig(f"ipam: it gave {ip.address} without the gateway that the node is to be")
        if ip.gateway == ip.address.ip:
            raise InvalidNetworkConfig(f"ipam: it gave {ip.address}, which is the gateway's own address")
        if ip.address.family == 6 and 0 < config.mtu < IPV6_MTU:
            raise InvalidNetworkConfig(f"mtu: {config.mtu} is less than the {IPV6_MTU} that IPv6 needs")


def _inner_routes(ips: list[IpConfig]) -> list[Route]:
    """The container's ways to the node, and by it to the rest of its networks."""
    from cni_multus.linux.routes import Route

    near: dict[bytes, Route] = {}
    far: dict[Cidr, Route] = {}
    for ip in ips:
        if ip.gateway is None:
            continue
        family, source, gateway = ip.address.family, ip.address.ip.packed, ip.gateway.packed
        near.setdefault(gateway, Route(family, gateway, BITS[family], source=source))
        network = ip.address.network
        if network.prefix < BITS[family]:
            far.setdefault(network, Route(family, network.ip.packed, network.prefix, gateway, source=source))
    return [*near.values(), *far.values()]


def _finish_port(request: Request, host: Namespace, port: Link, ips: list[IpConfig], undo: Undo) -> None:
    """Say whose port it is, give it the gateways' addresses, bring it up, and lead to the container by it."""
    from cni_multus.linux import sysctl
    from cni_multus.linux.hostroutes import lead_to
    from cni_multus.linux.interfaces import bring_up
    from cni_multus.linux.linktable import change_message
    from cni_multus.marks import label

    host.netlink.request(change_message(port.index, alias=label(request.attachment)), f"cannot label {port.name}")
    v6 = f"net/ipv6/conf/{port.name}"
    # While its own address is tentative, for up to two seconds, the node does not ask where the container is.
    settings = [(f"{v6}/accept_ra", "0", True), (f"{v6}/accept_dad", "0", True)]
    if any(ip.address.family == 6 for ip in ips):
        settings.append((f"{v6}/disable_ipv6", "0", False))
    sysctl.write_many(host, settings)
    bring_up(host, port.index, [(each.packed, BITS[each.family]) for each in _gateways(ips)], [], name=port.name)
    for ip in ips:
        lead_to(host, port, ip.address.ip.packed, undo)


def _own_ips(request: Request) -> list[IpConfig]:
    """The addresses of the interface; later plugins of a list may have added others'."""
    previous = request.previous
    found = previous.of_interface(request.ifname, request.netns) if previous else None
    return [ip for ip in previous.ips if ip.interface in (None, found[0])] if previous and found else []


def _gateways(ips: list[IpConfig]) -> list[Ip]:
    return list(dict.fromkeys([ip.gateway for ip in ips if ip.gateway is not None]))


def _port_differences(host: Namespace, port: Link | None, ips: list[IpConfig]) -> list[str]:
    from cni_multus.linux.addresses import list_addresses
    from cni_multus.linux.hostroutes import route_to
    from cni_multus.linux.routes import list_routes

    if port is None:
        return ["its peer on the node is gone"]
    wrong = [] if port.up else [f"its peer {port.name} is down"]
    shown = {address.packed for address in list_addresses(host, port.index)}
    wrong += [f"gateway {ip} is not on {port.name}" for ip in _gateways(ips) if ip.packed not in shown]
    routes = list_routes(host, index=port.index)
    wanted = [route_to(ip.address.ip.packed) for ip in ips]
    return wrong + [f"route {each} by {port.name} is missing on the node" for each in _missing(wanted, routes)]


def _missing(wanted: list[Route], shown: list[Route]) -> list[Route]:
    """Those of which there is none to the same place by the same gateway, in any table."""
    known = {(route.family, route.dst, route.prefix, route.gateway) for route in shown}
    return [each for each in wanted if (each.family, each.dst, each.prefix, each.gateway) not in known]
