"""Ranges as Whereabouts spells them, made into pools: pure arithmetic and the messages about it."""

from __future__ import annotations

from cni_multus.cni.addressing import BITS, Cidr, Ip
from cni_multus.cni.errors import InvalidNetworkConfig
from ipam.whereabouts.pool import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section


def parse_ip(text: str) -> Ip:
    """An address; octets of IPv4 may have leading zeros, and are decimal all the same (`010.000.000.007`)."""
    return Ip.parse(_plain(text))


def parse_cidr(text: str) -> Cidr:
    """An address with a prefix length, the address as `parse_ip` reads it."""
    address, slash, length = text.partition("/")
    return Cidr.parse(f"{_plain(address)}{slash}{length}")


def _plain(text: str) -> str:
    if ":" in text:
        return text
    return ".".join(octet.lstrip("0") or octet[:1] for octet in text.split("."))


def parse_ranges(ipam: Section) -> list[Pool]:
    """The pools of `range` and then of `ipRanges`, with gateways, but nothing taken out of them yet."""
    compat = ipam.flag("compat")
    everywhere = ipam.flag("enable_l3")
    pools = [_parse_range(ipam, everywhere, compat, inner=False)] if ipam.text("range") else []
    for section in ipam.sections("ipRanges"):
        if not section.text("range"):
            raise section.wrong("range", "it is missing")
        pool = _parse_range(section, section.flag("enable_l3", everywhere), compat, inner=True)
        pool.gateway = _own_gateway(section, pool)
        pools.append(pool)
    if not compat:
        _refuse_stray_bounds(ipam)
        _refuse_overlaps(pools)
    _share_gateway(ipam, pools, compat)
    return pools


def take_out(pools: list[Pool], ipam: Section, others: list[Ip]) -> None:
    """Take out of `pools` what is never given: what `exclude` names, gateways and `others`."""
    everywhere = _excluded(ipam)
    inner = {section.where("range"): _excluded(section) for section in ipam.sections("ipRanges")}
    gateways = (
        [pool.gateway for pool in pools if pool.gateway is not None] if ipam.flag("exclude_gateway", True) else []
    )
    for pool in pools:
        for cidr in everywhere + inner.get(pool.path, []):
            if cidr.family == pool.family:
                pool.take_out(cidr.first, cidr.last)
        for ip in gateways + others:
            if ip.family == pool.family:
                pool.take_out(ip.number, ip.number)


def _parse_range(section: Section, enable_l3: bool, compat: bool, *, inner: bool) -> Pool:
    """A range between its bounds; the network's own first and last address mean the first and last one to give."""
    cidr, low, high = _spelled(section)
    edge = 0 if enable_l3 or BITS[cidr.family] - cidr.prefix <= 1 else 1
    lowest, highest = cidr.first + edge, cidr.last - edge
    start = _bound(section, "range_start", low, compat and not inner)
    end = _bound(section, "range_end", high, compat and not inner)
    if compat:
        usable = [ip if ip and cidr.contains(ip) and lowest <= ip.number <= highest else None for ip in (start, end)]
        start, end = usable
        end = None if start and end and end.number < start.number else end
    _require_inside(section, cidr, start, end)
    first = lowest if start is None else max(lowest, start.number)
    last = highest if end is None else min(highest, end.number)
    if first > last:
        key = next((key for key in ("range_end", "range_start") if section.text(key)), "range")
        told = f"{Ip(cidr.family, last)}, the last address, comes before {Ip(cidr.family, first)}, the first"
        raise section.wrong(key, told)
    return Pool(cidr, first, last, path=section.where("range"))


def _spelled(section: Section) -> tuple[Cidr, Ip | None, Ip | None]:
    """What `range` says: a CIDR, or `first-last/length`, of which the first must lie in the network of the last."""
    first, dash, rest = section.text("range").partition("-")
    try:
        if not dash:
            return parse_cidr(first), None, None
        cidr, low = parse_cidr(rest), parse_ip(first)
    except ValueError as error:
        raise section.wrong("range", str(error)) from None
    if not cidr.contains(low):
        raise section.wrong("range", f"{low} is not in {cidr.network}")
    return cidr, low, cidr.ip


def _bound(section: Section, key: str, spelled: Ip | None, tolerant: bool) -> Ip | None:
    """What `range` says, else what the key says, which must not contradict it."""
    try:
        ip = parse_ip(section.text(key)) if section.text(key) else None
    except ValueError as error:
        if not tolerant:
            raise section.wrong(key, str(error)) from None
        ip = None
    if spelled is not None and ip not in (None, spelled) and not tolerant:
        raise section.wrong(key, f"{ip} contradicts {section.where('range')}, which says {spelled}")
    return spelled or ip


def _require_inside(section: Section, cidr: Cidr, start: Ip | None, end: Ip | None) -> None:
    for key, ip in (("range_start", start), ("range_end", end)):
        if ip is not None and not cidr.contains(ip):
            raise section.wrong(key if section.text(key) else "range", f"{ip} is not in {cidr.network}")


def _refuse_stray_bounds(ipam: Section) -> None:
    for key in ("range_start", "range_end"):
        if ipam.text(key) and not ipam.text("range"):
            raise ipam.wrong(key, f"there is no {ipam.where('range')}; those of ipRanges have bounds of their own")


def _refuse_overlaps(pools: list[Pool]) -> None:
    for at, later in enumerate(pools):
        for earlier in pools[:at]:
            if later.family == earlier.family and later.first <= earlier.last and earlier.first <= later.last:
                raise InvalidNetworkConfig(
                    f"{later.path}: {later} overlaps {earlier.path}, {earlier}: "
                    "an interface gets one address of each range"
                )


def _own_gateway(section: Section, pool: Pool) -> Ip | None:
    gateway = _gateway(section)
    if gateway is not None and gateway.family != pool.family:
        raise section.wrong("gateway", f"{gateway} is not of the family of {pool.cidr}")
    return gateway


def _share_gateway(ipam: Section, pools: list[Pool], compat: bool) -> None:
    """Give `ipam.gateway` to the ranges that it lies in; where it lies in none, to all of its family."""
    gateway = _gateway(ipam)
    if gateway is None or not pools:
        return
    of_family = [pool for pool in pools if pool.family == gateway.family]
    if not of_family and not compat:
        raise ipam.wrong("gateway", f"{gateway} is IPv{gateway.family}, and no range is")
    around = [pool for pool in of_family if pool.cidr.contains(gateway)] or of_family
    for pool in around:
        pool.gateway = pool.gateway or gateway


def _gateway(section: Section) -> Ip | None:
    text = section.text("gateway")
    try:
        return parse_ip(text) if text else None
    except ValueError as error:
        raise section.wrong("gateway", str(error)) from None


def _excluded(section: Section) -> list[Cidr]:
    found = []
    for at, text in enumerate(section.texts("exclude")):
        try:
            found.append(parse_cidr(text) if "/" in text else _alone(parse_ip(text)))
        except ValueError as error:
            raise InvalidNetworkConfig(f"{section.where('exclude')}[{at}]: {error}") from None
    return found


def _alone(ip: Ip) -> Cidr:
    return Cidr(ip, BITS[ip.family])
