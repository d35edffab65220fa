"""host-local as a plugin: the verbs, each as what happens to the reservations of one network."""

from __future__ import annotations

from cni_multus.cni.errors import CheckFailed, InvalidNetworkConfig
from cni_multus.plugin.ipam import IpamPlugin
from cni_multus.state.datadir import parse_data_dir
from cni_multus.state.owners import Owner
from cni_multus.state.reservations import Reservations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.cni.result import Result


DATA_DIR = "/var/lib/cni/networks"


class HostLocal(IpamPlugin):
    """Gives one address of every range set, round robin; the reservations are files below `dataDir`."""

    def reserve(self, request: Request, ipam: Section) -> Result:
        from ipam.host_local.allocation import allocate  # DEL needs neither ranges nor what reads them

        return allocate(request, ipam, _data_dir(ipam))

    def release(self, request: Request, ipam: Section) -> None:
        data_dir = _data_dir(ipam)
        if not Reservations.exist(data_dir, request.name):
            return
        attempt = f"cannot release the addresses of network {request.name}"
        with Reservations(data_dir, request.name, attempt, giving_back=True) as reservations:
            reservations.release(Owner(request.container_id, request.ifname))

    def verify(self, request: Request, ipam: Section) -> None:
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
        from ipam.host_local.config import parse_sets

        sets = parse_sets(request, ipam)
        owner = Owner(request.container_id, request.ifname)
        ours = [ip.address.ip for ip in request.previous.ips if any(ranges.range_of(ip.address.ip) for ranges in sets)]
        if not ours:
            raise CheckFailed(f"prevResult has no address of network {request.name}: {'; '.join(map(str, sets))}")
        data_dir = _data_dir(ipam)
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

        ipam = request.config.section("ipam")
        require_available(request, ipam, _data_dir(ipam))

    def collect_garbage(self, request: Request) -> None:
        valid = request.valid_attachments()
        containers = {container_id for container_id, _ in valid}
        data_dir = _data_dir(request.config.section("ipam"))
        if not Reservations.exist(data_dir, request.name):
            return

        def is_valid(owner: Owner) -> bool:
            return (owner.container_id, owner.ifname) in valid or (
                not owner.ifname and owner.container_id in containers
            )

        attempt = f"cannot collect the garbage of network {request.name}"
        with Reservations(data_dir, request.name, attempt, giving_back=True) as reservations:
            reservations.collect(is_valid)


def _data_dir(ipam: Section) -> str:
    return parse_data_dir(ipam, DATA_DIR)
