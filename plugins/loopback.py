"""loopback: brings `lo` up in the container; CNI_IFNAME means nothing to it."""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import CheckFailed, InvalidNetns
from cni_multus.cni.result import Interface, IpConfig, Result
from cni_multus.cni.verbs import Plugin
from cni_multus.linux.addresses import list_addresses
from cni_multus.linux.links import change_link, link
from cni_multus.linux.netns import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request

_LOOPBACK = (Cidr.parse("127.0.0.0/8"), Cidr.parse("::1/128"))


class Loopback(Plugin):
    """The node's runtime calls it before every other network."""

    def add(self, request: Request) -> Result:
        with Namespace.open(request.netns) as container:
            lo = link(container, "lo")
            strange = [ip for ip in _addresses(container, lo.index) if not _is_loopback(ip)]
            if strange:
                raise InvalidNetns(
                    f"lo in {request.netns} has an address that is no loopback address: {strange[0].address}"
                )
            change_link(container, lo.index, up=True, attempt="cannot bring lo up")
            ips = _addresses(container, lo.index)
        if request.previous is not None:
            return request.previous
        one_each = [next((ip for ip in ips if ip.address.family == family), None) for family in (4, 6)]
        interface = Interface("lo", "00:00:00:00:00:00", request.netns, lo.mtu)
        return Result([interface], [ip for ip in one_each if ip is not None])

    def delete(self, request: Request) -> None:
        container = Namespace.find(request.netns)
        if container is None:
            return
        with container:
            change_link(container, link(container, "lo").index, up=False, attempt="cannot bring lo down")

    def check(self, request: Request) -> None:
        with Namespace.open(request.netns) as container:
            if not link(container, "lo").up:
                raise CheckFailed(f"lo in {request.netns} is down")


def _is_loopback(ip: IpConfig) -> bool:
    return any(known.contains(ip.address.ip) for known in _LOOPBACK)


def _addresses(container: Namespace, index: int) -> list[IpConfig]:
    return [
        IpConfig(Cidr(Ip(shown.family, int.from_bytes(shown.packed, "big")), shown.prefix), interface=0)
        for shown in list_addresses(container, index)
    ]
