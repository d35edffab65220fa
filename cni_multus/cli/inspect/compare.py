"""The record held against the kernel: for every attachment at once, in the words of CHECK, and without its look-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.inspect.attachment import plugins_of
from cni_multus.differences import link_differences, told_apart

if TYPE_CHECKING:
    from cni_multus.cli.inspect.attachment import Observed
    from cni_multus.cli.inspect.kernel import Space
    from cni_multus.cni.result import IpConfig
    from cni_multus.linux.addresses import Address
    from cni_multus.state.journal import Attachment

KINDS = {
    "bridge": "veth",
    "ptp": "veth",
    "macvlan": "macvlan",
    "ipvlan": "ipvlan",
    "vlan": "vlan",
    "dummy": "dummy",
    "tap": "tun",
}
"""The kind of link that a bundled plugin makes."""

_GLOBAL = 0
"""The scope of addresses that others can reach."""


def compare(one: Observed, space: Space, host: Space) -> list[str]:
    """What the kernel shows otherwise than the record, and what keeps the interface from working."""
    if one.link is None:
        return [f"{one.ifname} is gone from {space.path}"]
    wrong = [] if one.link.up or _stays_down(one.attachment) else ["it is down"]
    if one.recorded is not None:
        wrong += link_differences(one.link, one.recorded, KINDS.get(one.types[0], "") if one.types else "")
    wrong += _below(one, space, host)
    if one.result is None:
        return wrong
    ways = [link.index for name in one.names if (link := space.named(name)) is not None]
    wrong += told_apart(one.link, one.addresses, space.table, _own_ips(one), one.result.routes, ways)
    return wrong + [f"address {address} is on {one.ifname}, and no record has it" for address in _unexplained(one)]


def _below(one: Observed, space: Space, host: Space) -> list[str]:
    """What is wrong with what the interface stands on, or leads to."""
    link = one.link
    if link is None or host.trouble is not None:
        return []
    if link.kind == "veth":
        if one.port is None:
            return (
                [] if link.parent_nsid is None and link.parent in space.links else ["its other end is not on the node"]
            )
        if not one.port.up:
            return [f"its other end {one.port.name} is down"]
        bridge = host.links.get(one.port.master)
        return [f"its bridge {bridge.name} is down"] if bridge and not bridge.up else []
    if not link.parent:
        return []
    home = host if link.parent_nsid is not None else space
    below = home.links.get(link.parent)
    return [f"its master {below.name} is down"] if below and not below.up else []


def _own_ips(one: Observed) -> list[IpConfig]:
    """The addresses that the result gives to this interface, and not to another one that the network made."""
    if one.result is None:
        return []
    interfaces = one.result.interfaces
    return [ip for ip in one.result.ips if ip.interface is None or interfaces[ip.interface] is one.recorded]


def _unexplained(one: Observed) -> list[Address]:
    """Addresses that somebody has put there; what autoconfiguration makes does not stay for ever."""
    told = {(ip.address.ip.packed, ip.address.prefix) for ip in one.result.ips} if one.result else set()
    return [
        address
        for address in one.addresses
        if address.scope == _GLOBAL and address.permanent and (address.packed, address.prefix) not in told
    ]


def _stays_down(attachment: Attachment) -> bool:
    return any(plugin.raw.get("disableContainerInterface") is True for plugin in plugins_of(attachment))
