"""host-local as a plugin: the verbs, each as what happens to the reservations of one network."""

from __future__ import annotations

from cni_multus.cni.errors import CheckFailed, InvalidNetworkConfig
from cni_multus.cni.result import Result
from cni_multus.plugin import IpamPlugin
from cni_multus.state.owners import Owner
from cni_multus.state.reservations import Reservations, parse_data_dir
from ipam.host_local.allocation import answer, choose, claim, refuse_second
from ipam.host_local.config import DATA_DIR, HostLocalConfig, parse_sets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request


class HostLocal(IpamPlugin):
    """Gives one address of every range set, round robin; the reservations are files below `dataDir`."""

    def reserve(self, request: Request, ipam: Section) -> Result:
        config = HostLocalConfig.parse(request, ipam)
        owner = Owner(request.container_id, request.ifname)
        data_dir = parse_data_dir(ipam, DATA_DIR)
        with Reservations(
            data_dir, request.name, f"cannot reserve an address in network {request.name}"
        ) as reservations:
            refuse_second(reservations, owner, config.sets)
            chosen = [
                claim(reservations, ranges, wanted) if wanted else choose(reservations, at, ranges)
                for at, (ranges, wanted) in enumerate(zip(config.sets, config.wanted, strict=True))
            ]
            reservations.reserve(owner, chosen, remember=True)
        ips = [answer(ranges, ip) for ranges, ip in zip(config.sets, chosen, strict=True)]
        return Result(ips=ips, routes=config.routes, dns=config.dns)

    def release(self, request: Request, ipam: Section) -> None:
        data_dir = parse_data_dir(ipam, DATA_DIR)
        if not Reservations.exist(data_dir, request.name):
            return
        attempt = f"cannot release the addresses of network {request.name}"
        with Reservations(data_dir, request.name, attempt, giving_back=True) as reservations:
            reservations.release(Owner(request.container_id, request.ifname))

    def verify(self, request: Request, ipam: Section) -> None:
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
        sets = parse_sets(request, ipam)
        owner = Owner(request.container_id, request.ifname)
        ours = [ip.address.ip for ip in request.previous.ips if any(ranges.range_of(ip.address.ip) for ranges in sets)]
        if not ours:
            raise CheckFailed(f"prevResult has no address of network {request.name}: {'; '.join(map(str, sets))}")
        data_dir = parse_data_dir(ipam, DATA_DIR)
        wrong = []
        for ip in ours:
            holder = Reservations.look_up(data_dir, request.name, ip)
            if holder is None:
                wrong.append(f"{ip} is not reserved")
            elif holder.key not in (owner.key, Owner(owner.container_id).key):
                wrong.append(f"{ip} is reserved for {holder}")
        if wrong:
            raise CheckFailed(f"network {request.name}, {owner}: {wrong[0]}", "; ".join(wrong))

    def status(self, request: Request) -> None:
        from ipam.host_local.status import require_available

        require_available(request)

    def collect_garbage(self, request: Request) -> None:
        valid = request.valid_attachments()
        containers = {container_id for container_id, _ in valid}
        data_dir = parse_data_dir(request.config.section("ipam"), DATA_DIR)
        if not Reservations.exist(data_dir, request.name):
            return

        def is_valid(owner: Owner) -> bool:
            return (owner.container_id, owner.ifname) in valid or (
                not owner.ifname and owner.container_id in containers
            )

        attempt = f"cannot collect the garbage of network {request.name}"
        with Reservations(data_dir, request.name, attempt, giving_back=True) as reservations:
            reservations.collect(is_valid)
