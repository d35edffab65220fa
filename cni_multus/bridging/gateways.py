"""The gateways that a bridge, or the gateway of one of its VLANs, is to its pods: which, and whether they are there."""

from __future__ import annotations

from cni_multus.cni.addressing import BITS, Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.cni.result import Route
from cni_multus.linux.forwarding import forwards
from cni_multus.linux.links import find_link
from cni_multus.linux.sharedbridge import missing_gateways

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.result import IpConfig, Result
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


def plan_gateways(ipam: Result, *, default: bool) -> list[Cidr]:
    """The gateways' addresses; an address without gateway gets its network's first, and with `default` its route."""
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
        if default and not has_default:
            ipam.routes.append(Route(Cidr.parse(_EVERYWHERE[family]), ip.gateway))
    return gateways


def place_gateways(
    host: Namespace, bridge: Link, gateways: list[Cidr], *, vlan: int, mtu: int, force: bool, undo: Undo
) -> Link:
    """Give the addresses to the bridge, or to the gateway of a VLAN, made if it is missing; returns who has them."""
    from cni_multus.interface import require_ipv6_mtu
    from cni_multus.linux.sharedbridge import add_gateways

    holder = bridge
    if vlan:
        from cni_multus.linux.vlangateways import ensure_gateway

        holder = ensure_gateway(host, bridge, vlan, mtu=mtu or bridge.mtu, undo=undo)
    if any(gateway.family == 6 for gateway in gateways):
        require_ipv6_mtu(holder)
    add_gateways(host, bridge, gateways, holder=holder, force=force, undo=undo)
    return holder


def families(ips: list[IpConfig]) -> set[int]:
    """The families, 4 and 6, that have a gateway."""
    return {ip.gateway.family for ip in ips if ip.gateway is not None}


def gateway_differences(host: Namespace, bridge: Link, vlan: int, ips: list[IpConfig]) -> list[str]:
    """What of the gateways of `ips` is not there; those of a `vlan` stand on a link of their own."""
    wrong = [f"the node does not forward IPv{family} packets" for family in families(ips) if not forwards(host, family)]
    gateways = [ip.gateway for ip in ips if ip.gateway is not None]
    holder = bridge
    if vlan and gateways:
        from cni_multus.linux.vlangateways import gateway_name, why_no_gateway

        found = find_link(host, gateway_name(bridge.name, vlan))
        if found is None:
            return [*wrong, f"there is no gateway {gateway_name(bridge.name, vlan)} of VLAN {vlan}"]
        if why := why_no_gateway(host, bridge, vlan, found):
            return [*wrong, why]
        if not found.up:
            wrong.append(f"gateway {found.name} is down")
        holder = found
    return wrong + [f"gateway {ip} is not on {holder.name}" for ip in missing_gateways(host, holder, gateways)]
