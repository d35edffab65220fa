"""static: the addresses that the configuration names, each to one attachment of a network at a time."""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import (
    CheckFailed,
    InvalidNetworkConfig,
    NotAvailable,
    TryAgainLater,
)
from cni_multus.cni.result import Dns, IpConfig, Result, Route
from cni_multus.cni.versions import at_least
from cni_multus.plugin.ipam import IpamPlugin, parse_argument
from cni_multus.state import files
from cni_multus.state.datadir import data_dir_if_any, parse_data_dir
from cni_multus.state.owners import Owner
from cni_multus.state.reservations import Reservations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request

    T = TypeVar("T")

DATA_DIR = "/run/multus/static"


class Address:
    """An address to give, its gateway if it has one, and `source`, where it stands."""

    __slots__ = ("cidr", "gateway", "source")

    def __init__(self, cidr: Cidr, source: str, gateway: Ip | None = None) -> None:
        self.cidr = cidr
        self.source = source
        self.gateway = gateway


class Static(IpamPlugin):
    """Gives what is configured; who has which address on this node is kept below `dataDir`, unless `allowConflicts`."""

    def reserve(self, request: Request, ipam: Section) -> Result:
        addresses = parse_addresses(request, ipam)
        routes = [Route.parse(section) for section in ipam.sections("routes")]
        dns = Dns.parse(ipam.section("dns"))
        if not ipam.flag("allowConflicts"):
            _reserve(request, parse_data_dir(ipam, DATA_DIR), addresses)
        return Result(ips=[IpConfig(one.cidr, one.gateway) for one in addresses], routes=routes, dns=dns)

    def release(self, request: Request, ipam: Section) -> None:
        data_dir = data_dir_if_any(ipam, DATA_DIR)
        if Reservations.exist(data_dir, request.name):
            attempt = f"cannot release the addresses of network {request.name}"
            with Reservations(data_dir, request.name, attempt, giving_back=True) as reservations:
                reservations.release(Owner(request.container_id, request.ifname))

    def verify(self, request: Request, ipam: Section) -> None:
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
        shown = {ip.address: ip.gateway for ip in request.previous.ips}
        wrong = []
        for one in parse_addresses(request, ipam):
            if one.cidr not in shown:
                wrong.append(f"{one.cidr} ({one.source}) is not in prevResult")
            elif one.gateway is not None and shown[one.cidr] != one.gateway:
                wrong.append(f"the gateway of {one.cidr} is {shown[one.cidr]} in prevResult, not {one.gateway}")
        if wrong:
            raise CheckFailed(wrong[0], "; ".join(wrong))

    def status(self, request: Request) -> None:
        from cni_multus.state.readiness import why_not_writable

        ipam = request.config.section("ipam")
        directory = f"{parse_data_dir(ipam, DATA_DIR)}/{request.name}"
        if not ipam.flag("allowConflicts") and (why := why_not_writable(directory)):
            raise NotAvailable(f"network {request.name}: no address can be reserved: {why}")

    def collect_garbage(self, request: Request) -> None:
        valid = request.valid_attachments()
        data_dir = data_dir_if_any(request.config.section("ipam"), DATA_DIR)
        if Reservations.exist(data_dir, request.name):
            attempt = f"cannot collect the garbage of network {request.name}"
            with Reservations(data_dir, request.name, attempt, giving_back=True) as reservations:
                reservations.collect(lambda owner: (owner.container_id, owner.ifname) in valid)


def _reserve(request: Request, data_dir: str, addresses: list[Address]) -> None:
    owner = Owner(request.container_id, request.ifname, request.netns)
    with Reservations(data_dir, request.name, f"cannot reserve addresses of network {request.name}") as reservations:
        missing = []
        for one in addresses:
            ip = one.cidr.ip
            holder = reservations.holder(ip)
            if holder is not None and holder.content == owner.content:
                continue  # the same request again: it has what it asks for
            if holder is not None:
                if holder.key != owner.key and not _is_gone(reservations, holder, ip):
                    raise TryAgainLater(f"{one.source}: {ip} is in use on network {request.name} by {holder}")
                reservations.give_back(holder, [ip])
            missing.append(ip)
        if missing:
            reservations.reserve(owner, missing)


def _is_gone(reservations: Reservations, holder: Owner, ip: Ip) -> bool:
    return bool(holder.netns and not files.exists(holder.netns, follow=True)) or reservations.is_dead(holder, ip)


def parse_addresses(request: Request, ipam: Section) -> list[Address]:
    """The addresses in force: runtimeConfig.ips, else args.cni.ips, else those of `ipam` and CNI_ARGS together.

    An address that brings no gateway takes CNI_ARGS GATEWAY, else that of the configured address it is beside.
    """
    if not request.config.has("ipam"):
        raise InvalidNetworkConfig("ipam: it is missing")
    configured = [_configured(section) for section in ipam.sections("addresses")]
    argued = [Address(cidr, "CNI_ARGS: IP") for cidr in parse_argument(request, "IP", Cidr.parse)]
    gateways = parse_argument(request, "GATEWAY", Ip.parse)
    of_args = _listed(request.config.section("args").section("cni"))
    of_runtime = _listed(request.config.section("runtimeConfig"))
    in_force = of_runtime or of_args or configured + argued
    for one in in_force:
        one.gateway = next((gateway for gateway in reversed(gateways) if one.cidr.contains(gateway)), one.gateway)
        if one.gateway is None:
            beside = (other.gateway for other in configured if other.gateway and other.cidr.contains(one.cidr.ip))
            one.gateway = next(beside, None)
    _require_sound(in_force, request.version)
    return in_force


def _configured(section: Section) -> Address:
    address = Address(section.cidr("address"), section.where("address"), section.ip("gateway"))
    if address.gateway is not None and address.gateway.family != address.cidr.family:
        raise section.wrong("gateway", f"{address.gateway} is not of the family of {address.cidr}")
    return address


def _listed(section: Section) -> list[Address]:
    found = []
    for at, text in enumerate(section.texts("ips")):
        source = f"{section.where('ips')}[{at}]"
        try:
            found.append(Address(Cidr.parse(text), source))
        except ValueError as error:
            raise InvalidNetworkConfig(f"{source}: {error}") from None
    return found


def _require_sound(addresses: list[Address], version: str) -> None:
    if not addresses:
        raise InvalidNetworkConfig("ipam.addresses: no address (nor in CNI_ARGS, args.cni.ips or runtimeConfig.ips)")
    for at, one in enumerate(addresses):
        for other in addresses[:at]:
            if one.cidr.ip == other.cidr.ip:
                raise InvalidNetworkConfig(f"{one.source}: {one.cidr.ip} is there twice, in {other.source} too")
            if one.cidr.family == other.cidr.family and not at_least(version, "0.3.0"):
                raise InvalidNetworkConfig(
                    f"{one.source}: cniVersion {version} can tell one IPv{one.cidr.family} address, this is the second"
                )
