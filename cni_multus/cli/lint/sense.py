"""What no schema says and no plugin refuses of one network: gateways, routes, exclusions, VLANs and sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cni.addressing import BITS, Cidr, Ip
from cni_multus.cni.config import Section, objects
from cni_multus.cni.errors import CniError
from cni_multus.cni.names import wrong_with_ifname

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.lint.findings import Report
    from cni_multus.cli.lint.network import Seen
    from cni_multus.cli.lint.tree import Steps, Tree

_READ = {
    "bandwidth": {"bandwidth"},
    "bridge": {"mac"},
    "host-device": {"deviceID"},
    "host-local": {"ips", "ipRanges"},
    "ipvlan": {"mac"},
    "macvlan": {"mac"},
    "portmap": {"portMappings"},
    "static": {"ips"},
    "tap": {"mac"},
    "tuning": {"mac"},
    "whereabouts": {"ips"},
}
_FOR_EVERYBODY = {"CNIDeviceInfoFile", "deviceID", "io.kubernetes.cri.pod-annotations"}
"""What multus itself reads, or a device's network is told by."""
_STANDING_ON = ("macvlan", "ipvlan", "vlan")


@dataclass(frozen=True)
class Span:
    """Addresses that a network gives; `store` tells those apart that know of each other."""

    family: int
    first: int
    last: int
    store: tuple[str, ...]
    told: str
    tree: Tree


def capabilities_read(kind: str, ipam: str) -> set[str]:
    """Those that the plugin, or its IPAM, looks at."""
    return _READ.get(kind, set()) | _READ.get(ipam, set()) | _FOR_EVERYBODY


def look(report: Report, tree: Tree, section: Section, seen: Seen) -> None:
    """Look at one plugin; what others are held against is added to `seen`."""
    try:
        _links(report, tree, section, seen)
    except (CniError, ValueError):
        pass  # the plugin refuses it, which is told already
    try:
        ipam = section.section("ipam")
        inner = tree.at(tree.find("ipam"))
        if section.flag("isDefaultGateway"):
            seen.families |= {4, 6}
        kind = ipam.text("type")
        if kind in ("host-local", "static", "whereabouts"):
            subnets = _ADDRESSES[kind](report, inner, ipam, seen)
            _routes(report, inner, ipam, subnets, seen)
    except (CniError, ValueError):
        return


def _links(report: Report, tree: Tree, section: Section, seen: Seen) -> None:
    kind, mtu = section.text("type"), section.number("mtu")
    for key in ("master", "device", "bridge"):
        name = section.text(key)
        may_be_long = key == "device" and len(name) > 15  # as alternative names are
        if name and kind != "bridge" and not may_be_long and (why := wrong_with_ifname(name)):
            report.add("interface-name", tree, (tree.find(key),), f"{key}: {name!r} cannot name a link: {why}")
    if kind in _STANDING_ON and section.text("master") and not section.flag("linkInContainer"):
        master = section.text("master")
        seen.stands_on.append((master, mtu, tree))
        if kind == "vlan":
            seen.vlans.append((master, section.number("vlanId"), tree))
    if kind == "vlan" and not section.number("vlanId"):
        report.add(
            "vlan-zero", tree, (tree.find("vlanId"),), "vlanId is 0, which is no VLAN: frames with a tag for none"
        )
    if kind == "bridge":
        seen.makes.append((section.text("bridge") or "cni0", mtu))
    if kind == "tuning" and mtu and any(0 < above < mtu for _, above in seen.makes):
        report.add("mtu-over-master", tree, (tree.find("mtu"),), f"mtu {mtu} is more than that of the bridge before it")


def _host_local(report: Report, tree: Tree, ipam: Section, seen: Seen) -> list[Cidr]:
    from ipam.host_local.ranges import Range

    found: list[tuple[Range, Tree]] = []
    if ipam.text("subnet"):
        found.append((Range.parse(ipam), tree))
    where = tree.find("ranges")
    for at, listed in enumerate(ipam.items("ranges")):
        for number, one in enumerate(objects(listed if isinstance(listed, list) else [], "")):
            found.append((Range.parse(one), tree.at(where, at, number)))
    store = ("host-local", ipam.text("dataDir"), seen.name)
    for made, inner in found:
        gateway = Section(inner.value if isinstance(inner.value, dict) else {}).ip("gateway")
        _gateway(report, inner, gateway, [made.subnet])
        told = f"{Ip(made.subnet.family, made.first)}-{Ip(made.subnet.family, made.last)}"
        seen.spans.append(Span(made.subnet.family, made.first, made.last, store, told, inner))
    _exclusions(report, tree, ipam, [(made.subnet.family, made.first, made.last) for made, _ in found])
    return [made.subnet for made, _ in found]


def _static(report: Report, tree: Tree, ipam: Section, seen: Seen) -> list[Cidr]:
    where = tree.find("addresses")
    subnets = []
    store = ("static", ipam.text("dataDir"), seen.name)
    for at, section in enumerate(ipam.sections("addresses")):
        cidr, inner = section.cidr("address"), tree.at(where, at)
        subnets.append(cidr)
        _gateway(report, inner, section.ip("gateway"), [cidr])
        seen.spans.append(Span(cidr.family, cidr.ip.number, cidr.ip.number, store, str(cidr.ip), inner))
    return subnets


def _whereabouts(report: Report, tree: Tree, ipam: Section, seen: Seen) -> list[Cidr]:
    from ipam.whereabouts.ranges import parse_ranges

    pools = parse_ranges(ipam)
    network_name = ipam.text("network_name")
    exclusive = ipam.flag("enable_overlapping_ranges", True)
    subnets = [pool.cidr for pool in pools]
    _gateway(report, tree, ipam.ip("gateway"), subnets)
    for pool in pools:
        inner = tree.at(*(tree.resolve(pool.path) or ())) if pool.path else tree
        store = ("whereabouts", network_name, "" if exclusive else str(pool.cidr.network))
        told = f"{Ip(pool.family, pool.first)}-{Ip(pool.family, pool.last)}"
        seen.spans.append(Span(pool.family, pool.first, pool.last, store, told, inner))
    where = tree.find("ipRanges")
    for at, section in enumerate(ipam.sections("ipRanges")):
        own = [pool.cidr for pool in pools if pool.path == section.where("range")]
        _gateway(report, tree.at(where, at), section.ip("gateway"), own)
    _exclusions(report, tree, ipam, [(one.family, one.cidr.first, one.cidr.last) for one in pools])
    return subnets + [section.cidr("address") for section in ipam.sections("addresses")]


_ADDRESSES = {"host-local": _host_local, "static": _static, "whereabouts": _whereabouts}


def _gateway(report: Report, tree: Tree, gateway: Ip | None, subnets: list[Cidr]) -> None:
    own = [subnet for subnet in subnets if gateway is not None and subnet.family == gateway.family]
    if any(subnet.prefix == BITS[subnet.family] for subnet in own):
        return  # of a single address every gateway is reached on-link
    if gateway is not None and own and not any(subnet.contains(gateway) for subnet in own):
        told = ", ".join(str(subnet.network) for subnet in own)
        report.add("gateway-outside", tree, (tree.find("gateway"),), f"the gateway {gateway} is not in {told}")


def _exclusions(report: Report, tree: Tree, ipam: Section, ranges: list[tuple[int, int, int]]) -> None:
    where = tree.find("exclude")
    for at, text in enumerate(ipam.texts("exclude")):
        cidr = Cidr.parse(text) if "/" in text else Cidr(Ip.parse(text), 32 if ":" not in text else 128)
        if ranges and not any(
            family == cidr.family and first <= cidr.last and cidr.first <= last for family, first, last in ranges
        ):
            report.add("exclude-outside", tree, (where, at), f"{text} is in no range, and excludes nothing")


def _routes(report: Report, tree: Tree, ipam: Section, subnets: list[Cidr], seen: Seen) -> None:
    for steps, dst, gw in _listed(tree, ipam):
        if dst.prefix == 0:
            seen.families.add(dst.family)
        own = [subnet for subnet in subnets if gw is not None and subnet.family == gw.family]
        if gw is not None and own and not any(subnet.contains(gw) for subnet in own):
            told = ", ".join(str(subnet.network) for subnet in own)
            report.add("route-outside", tree, (*steps, "gw"), f"the gateway {gw} of {dst} is not in {told}")


def _listed(tree: Tree, ipam: Section) -> Iterator[tuple[Steps, Cidr, Ip | None]]:
    where = tree.find("routes")
    for at, section in enumerate(ipam.sections("routes")):
        yield (where, at), section.cidr("dst"), section.ip("gw")
