"""Which address an attachment gets from a set: the one that was asked for, or the next free one, round robin."""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr
from cni_multus.cni.errors import InvalidEnvironment, PoolExhausted, TryAgainLater
from cni_multus.cni.result import IpConfig, Result
from cni_multus.state.owners import Owner
from cni_multus.state.reservations import Reservations
from ipam.host_local.config import HostLocalConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Ip
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from ipam.host_local.config import Requested
    from ipam.host_local.ranges import RangeSet


def allocate(request: Request, ipam: Section, data_dir: str) -> Result:
    """One address of every set for the request's attachment, all of them or none."""
    config = HostLocalConfig.parse(request, ipam)
    attempt = f"cannot reserve an address in network {request.name}"
    with Reservations(data_dir, request.name, attempt) as reservations:
        return take(reservations, config, Owner(request.container_id, request.ifname))


def take(reservations: Reservations, config: HostLocalConfig, owner: Owner) -> Result:
    """The same of reservations that are open; `multus explain` brings some that keep nothing."""
    refuse_second(reservations, owner, config.sets)
    chosen = [
        claim(reservations, ranges, wanted) if wanted else choose(reservations, at, ranges)
        for at, (ranges, wanted) in enumerate(zip(config.sets, config.wanted, strict=True))
    ]
    reservations.reserve(owner, chosen, remember=True)
    ips = [answer(ranges, ip) for ranges, ip in zip(config.sets, chosen, strict=True)]
    return Result(ips=ips, routes=config.routes, dns=config.dns)


def find_free(reservations: Reservations, at: int, ranges: RangeSet) -> Ip | None:
    """The next address of set number `at`; what earlier boots left is reclaimed before there is none."""
    ip = _search(reservations, at, ranges)
    return _search(reservations, at, ranges) if ip is None and reservations.reclaim_dead() else ip


def refuse_second(reservations: Reservations, owner: Owner, sets: list[RangeSet]) -> None:
    """Raise where the attachment has an address of these sets already, in this boot."""
    held = reservations.held_by(owner) + reservations.held_by(Owner(owner.container_id))
    dead = [ip for ip in held if reservations.is_dead(owner, ip)]
    if dead:  # the same container again after a reboot, without the DEL that it never got
        reservations.give_back(owner, dead)
    for ip in held:
        if ip not in dead and any(ranges.range_of(ip) for ranges in sets):
            raise InvalidEnvironment(
                f"CNI_CONTAINERID {owner.container_id}, CNI_IFNAME {owner.ifname} has the address {ip} already",
                "an attachment gets its addresses once; DEL it first",
            )


def choose(reservations: Reservations, at: int, ranges: RangeSet) -> Ip:
    """The next free address of set number `at`; raises PoolExhausted where there is none."""
    ip = find_free(reservations, at, ranges)
    if ip is None:
        raise PoolExhausted(exhausted(at, ranges))
    return ip


def exhausted(at: int, ranges: RangeSet) -> str:
    """What is told of a set without a free address."""
    return f"no IP addresses available in range set {at} ({ranges}): all {ranges.size} are reserved"


def claim(reservations: Reservations, ranges: RangeSet, wanted: Requested) -> Ip:
    """The address that was asked for; raises TryAgainLater where somebody has it."""
    holder = reservations.holder(wanted.ip)
    if holder is not None and reservations.is_dead(holder, wanted.ip):
        reservations.give_back(holder, [wanted.ip])
    elif holder is not None:
        raise TryAgainLater(f"{wanted.source}: {wanted.ip} of {ranges} is taken by {holder}")
    return wanted.ip


def answer(ranges: RangeSet, ip: Ip) -> IpConfig:
    """The address as the result tells it, with its range's prefix length and gateway."""
    found = next(one for one in ranges.ranges if one.contains(ip))
    return IpConfig(Cidr(ip, found.subnet.prefix), found.gateway)


def _search(reservations: Reservations, at: int, ranges: RangeSet) -> Ip | None:
    for first, last in ranges.spans_after(reservations.last_reserved(at)):
        ip = reservations.find_free(ranges.family, first, last)
        if ip is not None:
            return ip
    return None
