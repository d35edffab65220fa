"""From `ipam`, the flat file and what the runtime asks for to one configuration, checked before anything is touched."""

from __future__ import annotations

from cni_multus.cni.errors import CniError, DecodingFailure, InvalidNetworkConfig
from cni_multus.cni.result import Dns, Route
from cni_multus.cni.versions import at_least
from cni_multus.state.datadir import parse_data_dir
from ipam.whereabouts.config import WhereaboutsConfig
from ipam.whereabouts.datastore import FILE, KUBERNETES, parse_cluster, parse_network_name, require_names
from ipam.whereabouts.engine import DATA_DIR
from ipam.whereabouts.flatfile import CANDIDATES, FlatFile
from ipam.whereabouts.policy import LOWEST, NEXT, POLICIES
from ipam.whereabouts.ranges import parse_ranges, take_out
from ipam.whereabouts.requested import (
    apply_gateways,
    asked_for,
    assign,
    parse_static,
    prefer,
    require_givable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.cni.addressing import Ip
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import IpConfig
    from ipam.whereabouts.pool import Pool

COOL_DOWN = 60.0
"""Seconds, with the policy `next`: longer than neighbours usually remember a MAC."""
LONGEST_COOL_DOWN = 30 * 86400.0


def parse_config(request: Request, ipam: Section, candidates: Sequence[str] = CANDIDATES) -> WhereaboutsConfig:
    """What ADD, CHECK and STATUS work with; `candidates` are the places of the flat file."""
    if not request.config.has("ipam"):
        raise InvalidNetworkConfig("ipam: it is missing")
    found = FlatFile.read(ipam, candidates)
    try:
        config = _parse(request, found)
    except CniError as error:
        found.explain(error)
        raise
    config.datastore_told = ipam.text("datastore") in (FILE, KUBERNETES)
    return config


def _parse(request: Request, found: FlatFile) -> WhereaboutsConfig:
    ipam = found.ipam
    pools = parse_ranges(ipam)
    cluster = parse_cluster(ipam, request.environment, found.directories, pools)
    asked = asked_for(request)
    wanted = assign(asked, pools)
    static = parse_static(ipam)
    routes = [Route.parse(section) for section in ipam.sections("routes")]
    apply_gateways(request, pools, wanted, static)
    take_out(pools, ipam, _others(ipam, static, routes))
    require_givable(asked, pools, wanted)
    _require_addresses(request, ipam, pools, static)
    prefer(request, pools, wanted)
    network_name = parse_network_name(ipam)
    exclusive = ipam.flag("enable_overlapping_ranges", True)
    if cluster is not None:
        require_names(pools, network_name, exclusive=exclusive)
    policy = _policy(ipam)
    return WhereaboutsConfig(
        request.name,
        pools,
        wanted=wanted,
        static=static,
        routes=routes,
        dns=Dns.parse(ipam.section("dns")),
        network_name=network_name,
        exclusive=exclusive,
        policy=policy,
        cool_down=_cool_down(ipam, policy),
        cluster=cluster,
        data_dir=parse_data_dir(ipam, DATA_DIR),
    )


def _others(ipam: Section, static: list[IpConfig], routes: list[Route]) -> list[Ip]:
    """What no pool gives, besides exclusions and the gateways of pools: somebody has it already."""
    taken = [one.address.ip for one in static]
    if not ipam.flag("exclude_gateway", True):
        return taken
    next_hops = [one.gateway for one in static] + [route.gw for route in routes]
    return taken + [ip for ip in next_hops if ip is not None]


def _require_addresses(request: Request, ipam: Section, pools: list[Pool], static: list[IpConfig]) -> None:
    for pool in pools:
        if not pool.spans:
            raise InvalidNetworkConfig(f"{pool.path}: {pool}: nothing is left but gateways and what is excluded")
    if not pools and not static and request.command == "ADD" and not ipam.flag("compat"):
        raise InvalidNetworkConfig("ipam.range: no addresses to give (nor ipam.ipRanges, nor ipam.addresses)")
    if at_least(request.version, "0.3.0"):
        return
    families = [pool.family for pool in pools] + [one.address.family for one in static]
    for family in (4, 6):
        if families.count(family) > 1:
            raise InvalidNetworkConfig(
                f"ipam: cniVersion {request.version} can tell one IPv{family} address, "
                f"and there are {families.count(family)}"
            )


def _policy(ipam: Section) -> str:
    policy = ipam.text("policy", LOWEST)
    if policy not in POLICIES:
        raise ipam.wrong("policy", f"{policy!r} is none of {', '.join(POLICIES)}")
    return policy


def _cool_down(ipam: Section, policy: str) -> float:
    value = ipam.value("cool_down")
    if value is None:
        return COOL_DOWN if policy == NEXT else 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodingFailure(f"{ipam.where('cool_down')} must be a number of seconds")
    if not 0 <= value <= LONGEST_COOL_DOWN:
        raise ipam.wrong("cool_down", f"{value} is not between 0 and {LONGEST_COOL_DOWN:.0f} seconds")
    return float(value)
