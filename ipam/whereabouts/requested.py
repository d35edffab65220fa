"""Addresses that somebody names: in `addresses`, in CNI_ARGS, in `args.cni` or by the capability `ips`."""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import CniError, InvalidEnvironment, InvalidNetworkConfig
from cni_multus.cni.result import IpConfig
from cni_multus.plugin.ipam import listed_argument, parse_argument
from ipam.whereabouts.config import Wanted
from ipam.whereabouts.pool import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request

    T = TypeVar("T")

PREFERRED = ("preferred-ip", "whereabouts.cni.cncf.io/preferred-ip")
"""Keys of `args.cni`; the second one is the annotation that the successors of Whereabouts read from the pod."""


class Asked:
    """An address that must be given, or nothing; `prefix` is None where it came without."""

    __slots__ = ("error", "ip", "prefix", "source")

    def __init__(self, text: str, source: str, error: type[CniError]) -> None:
        try:
            cidr = Cidr.parse(text) if "/" in text else None
            self.ip = cidr.ip if cidr else Ip.parse(text)
        except ValueError as why:
            raise error(f"{source}: {why}") from None
        self.prefix = cidr.prefix if cidr else None
        self.source = source
        self.error = error


def asked_for(request: Request) -> list[Asked]:
    """CNI_ARGS IP (a list with commas), args.cni.ips, runtimeConfig.ips: each address once."""
    found = [Asked(text, "CNI_ARGS: IP", InvalidEnvironment) for text in listed_argument(request, "IP")]
    for section in (_args(request), request.config.section("runtimeConfig")):
        found += [
            Asked(text, f"{section.where('ips')}[{at}]", InvalidNetworkConfig)
            for at, text in enumerate(section.texts("ips"))
        ]
    once: dict[Ip, Asked] = {}
    for one in found:
        once.setdefault(one.ip, one)
    return list(once.values())


def assign(asked: list[Asked], pools: list[Pool]) -> list[Wanted | None]:
    """What is wanted of each pool: an address to the range that gives it, to a new pool where there is none left."""
    wanted: list[Wanted | None] = [None] * len(pools)
    ranges = list(pools)
    for one in asked:
        at = next((at for at, pool in enumerate(ranges) if wanted[at] is None and _is_between(pool, one.ip)), None)
        if at is None:
            at = len(pools)
            pools.append(_pool_for(one, ranges))
            wanted.append(None)
        wanted[at] = Wanted(one.ip, one.source)
    return wanted


def prefer(request: Request, pools: list[Pool], wanted: list[Wanted | None]) -> None:
    """Add to `wanted` what will be given if it happens to be free."""
    args = _args(request)
    for key in PREFERRED:
        value = args.value(key)
        texts = args.texts(key) if isinstance(value, list) else [part.strip() for part in args.text(key).split(",")]
        for text in filter(None, texts):
            ip = Asked(text, args.where(key), InvalidNetworkConfig).ip
            for at, pool in enumerate(pools):
                if wanted[at] is None and pool.may_give(ip):
                    wanted[at] = Wanted(ip, args.where(key), firmly=False)


def require_givable(asked: list[Asked], pools: list[Pool], wanted: list[Wanted | None]) -> None:
    """Raise where somebody asks for what was taken out of its pool."""
    errors = {one.ip: one.error for one in asked}
    for pool, one in zip(pools, wanted, strict=True):
        if one is not None and one.firmly and not pool.may_give(one.ip):
            raise errors[one.ip](
                f"{one.source}: {one.ip} is excluded from {pool.cidr}, or a gateway or static address in it: "
                "it is never given"
            )


def parse_static(ipam: Section) -> list[IpConfig]:
    """`addresses`: every attachment of the network gets them; nobody keeps a record."""
    found: list[IpConfig] = []
    for section in ipam.sections("addresses"):
        one = IpConfig(section.cidr("address"), section.ip("gateway"))
        if one.gateway is not None and one.gateway.family != one.address.family:
            raise section.wrong("gateway", f"{one.gateway} is not of the family of {one.address}")
        if any(one.address.ip == other.address.ip for other in found):
            raise section.wrong("address", f"{one.address.ip} is there twice")
        found.append(one)
    return found


def apply_gateways(request: Request, pools: list[Pool], wanted: list[Wanted | None], static: list[IpConfig]) -> None:
    """CNI_ARGS GATEWAY: each for the addresses beside it that somebody named."""
    for gateway in parse_argument(request, "GATEWAY", Ip.parse):
        for pool, one in zip(pools, wanted, strict=True):
            if one is not None and one.firmly and pool.cidr.contains(gateway):
                pool.gateway = gateway
        for address in static:
            if address.address.contains(gateway):
                address.gateway = gateway


def _is_between(pool: Pool, ip: Ip) -> bool:
    return ip.family == pool.family and pool.first <= ip.number <= pool.last


def _pool_for(one: Asked, ranges: list[Pool]) -> Pool:
    """A pool of just this address, in the network of the range around it, else in its own."""
    around = next((pool for pool in ranges if pool.cidr.contains(one.ip)), None)
    if around is None and one.prefix is None:
        raise one.error(f"{one.source}: {one.ip} is in no range, and so needs a prefix length (as in {one.ip}/24)")
    cidr = around.cidr if around else Cidr(one.ip, one.prefix or 0)
    return Pool(cidr, one.ip.number, one.ip.number, around.gateway if around else None, one.source)


def _args(request: Request) -> Section:
    return request.config.section("args").section("cni")
