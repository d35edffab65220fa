"""The configuration of host-local and the addresses that somebody asked for, read and checked before the first file."""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import CniError, InvalidEnvironment, InvalidNetworkConfig
from cni_multus.cni.result import Dns, Route
from cni_multus.cni.versions import at_least
from ipam.host_local.ranges import Range, RangeSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request


class Requested:
    """An address that somebody asked for, and `source`, where."""

    __slots__ = ("ip", "source")

    def __init__(self, ip: Ip, source: str) -> None:
        self.ip = ip
        self.source = source


class HostLocalConfig:
    """What an ADD, CHECK or STATUS works with; `wanted` has, for each set, what was asked for from it."""

    __slots__ = ("dns", "routes", "sets", "wanted")

    def __init__(self, sets: list[RangeSet], wanted: list[Requested | None], routes: list[Route], dns: Dns) -> None:
        self.sets = sets
        self.wanted = wanted
        self.routes = routes
        self.dns = dns

    @staticmethod
    def parse(request: Request, ipam: Section) -> HostLocalConfig:
        """Read it, the runtime's ranges and addresses included."""
        sets = parse_sets(request, ipam)
        wanted = _distribute(_requested(request), sets)
        routes = [Route.parse(section) for section in ipam.sections("routes")]
        return HostLocalConfig(sets, wanted, routes, _parse_dns(ipam))


def parse_sets(request: Request, ipam: Section) -> list[RangeSet]:
    """The sets of ranges: the runtime's, the one in `ipam` itself, then those of `ipam.ranges`."""
    runtime = request.config.section("runtimeConfig")
    sets = _listed(runtime, "ipRanges")
    if ipam.text("subnet"):
        sets.append(RangeSet([Range.parse(ipam)], ipam.path))
    sets += _listed(ipam, "ranges")
    if not sets:
        raise InvalidNetworkConfig("ipam.ranges: no addresses to give (nor ipam.subnet, nor runtimeConfig.ipRanges)")
    _refuse_overlaps(sets)
    _refuse_many(sets, request.version)
    _take_out(sets, [ipam.where(f"exclude[{at}]") for at in range(len(ipam.items("exclude")))], ipam.texts("exclude"))
    return sets


def _listed(section: Section, key: str) -> list[RangeSet]:
    return [RangeSet.parse(value, f"{section.where(key)}[{at}]") for at, value in enumerate(section.items(key))]


def _refuse_overlaps(sets: list[RangeSet]) -> None:
    for at, later in enumerate(sets):
        for before, earlier in enumerate(sets[:at]):
            for one in later.ranges:
                for other in earlier.ranges:
                    if one.overlaps(other):
                        raise InvalidNetworkConfig(
                            f"{one.path}: {one} overlaps {other.path}, {other} (sets {before} and {at})"
                        )


def _refuse_many(sets: list[RangeSet], version: str) -> None:
    if at_least(version, "0.3.0"):
        return
    for at, later in enumerate(sets):
        if any(later.family == earlier.family for earlier in sets[:at]):
            raise InvalidNetworkConfig(
                f"{later.path}: cniVersion {version} can tell one IPv{later.family} address, and this set is the second"
            )


def _take_out(sets: list[RangeSet], paths: list[str], excluded: tuple[str, ...]) -> None:
    exclusions = []
    for path, text in zip(paths, excluded, strict=True):
        try:
            exclusions.append(Cidr.parse(text))
        except ValueError as error:
            raise InvalidNetworkConfig(f"{path}: {error}") from None
    ranges = [one for ranges in sets for one in ranges.ranges]
    gateways = {one.gateway for one in ranges if one.gateway is not None}
    for one in ranges:
        for gateway in gateways:
            one.take_out(gateway.family, gateway.number, gateway.number)
        for exclusion in exclusions:
            one.take_out(exclusion.family, exclusion.first, exclusion.last)
    for ranges_of_set in sets:
        if ranges_of_set.size == 0:
            raise InvalidNetworkConfig(f"{ranges_of_set.path}: {ranges_of_set}: no address but gateways and exclusions")


def _requested(request: Request) -> list[Requested]:
    """CNI_ARGS IP (a list with commas), args.cni.ips, runtimeConfig.ips: each address once, prefixes ignored."""
    found: dict[Ip, Requested] = {}

    def take(text: str, source: str, error: type[CniError]) -> None:
        try:
            ip = Cidr.parse(text).ip if "/" in text else Ip.parse(text)
        except ValueError as why:
            raise error(f"{source}: {why}") from None
        found.setdefault(ip, Requested(ip, source))

    for text in request.arguments.get("IP", "").split(","):
        if text.strip():
            take(text.strip(), "CNI_ARGS: IP", InvalidEnvironment)
    for section in (request.config.section("args").section("cni"), request.config.section("runtimeConfig")):
        for at, text in enumerate(section.texts("ips")):
            take(text, f"{section.where('ips')}[{at}]", InvalidNetworkConfig)
    return list(found.values())


def _distribute(requested: list[Requested], sets: list[RangeSet]) -> list[Requested | None]:
    """Each to the first set that contains it; a set takes one."""
    left = list(requested)
    wanted = []
    for ranges in sets:
        chosen = next((one for one in left if ranges.range_of(one.ip)), None)
        wanted.append(chosen)
        if chosen is None:
            continue
        left.remove(chosen)
        if not ranges.may_give(chosen.ip):
            why = "a gateway" if any(one.gateway == chosen.ip for other in sets for one in other.ranges) else "excluded"
            raise InvalidNetworkConfig(f"{chosen.source}: {chosen.ip} is {why} in {ranges.path}, and never given out")
    if left:
        listed = ", ".join(f"{one.ip} ({one.source})" for one in left)
        raise InvalidNetworkConfig(
            f"failed to allocate all requested IPs: {listed}: in no range, or another of the same set was asked for",
            f"sets: {'; '.join(map(str, sets))}",
        )
    return wanted


def _parse_dns(ipam: Section) -> Dns:
    path = ipam.text("resolvConf")
    if not path:
        return Dns()
    from ipam.host_local.resolvconf import read_dns

    return read_dns(path)
