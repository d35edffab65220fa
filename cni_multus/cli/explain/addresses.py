"""Which addresses the IPAM of a network would give: the plugins' own choice, of records that are only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.explain.leases import Leases
from cni_multus.cli.explain.peek import Peek
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, PoolExhausted, TryAgainLater
from cni_multus.cni.result import Result
from cni_multus.state import files
from cni_multus.state.datadir import parse_data_dir
from cni_multus.state.owners import NOT_A_RESERVATION, Owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.request import Request

HOST_LOCAL, STATIC, WHEREABOUTS = "host-local", "static", "whereabouts"
MOST_NAMED = 5


class Addresses:
    """What one ADD would get, network after network; `pod_of` tells the pod of a container."""

    def __init__(self, pod_of: Callable[[str], str]) -> None:
        self._pod_of = pod_of
        self._peeks: dict[tuple[str, str], Peek] = {}
        self._leases = Leases()
        self.pools: list[str] = []
        """The ranges of the last network that was asked about."""
        self.sure = True
        """Whether its addresses are foreseen, or only the ranges."""

    def foresee(self, kind: str, request: Request) -> Result | None:
        """What the bundled IPAM plugin `kind` would give; None where that cannot be foreseen. Raises what it would."""
        self.pools, self.sure = [], True
        ipam = request.config.section("ipam")
        if kind == HOST_LOCAL:
            return self._of_host_local(request, ipam)
        if kind == STATIC:
            return self._of_static(request, ipam)
        if kind == WHEREABOUTS:
            found = self._leases.foresee(request, ipam)
            self.pools, self.sure = self._leases.pools, self._leases.sure
            return found
        self.sure = False
        return None

    def _peek(self, data_dir: str, network: str) -> Peek:
        return self._peeks.setdefault((data_dir, network), Peek(data_dir, network))

    def _of_host_local(self, request: Request, ipam: Section) -> Result:
        from ipam.host_local.allocation import take
        from ipam.host_local.config import HostLocalConfig
        from ipam.host_local.plugin import DATA_DIR

        config = HostLocalConfig.parse(request, ipam)
        self.pools = [str(each) for each in config.sets]
        peek = self._peek(parse_data_dir(ipam, DATA_DIR), request.name)
        try:
            return take(peek, config, Owner(request.container_id, request.ifname))
        except PoolExhausted as error:
            error.details = f"held by {self._holders(peek)}; `multus ipam leaks` tells what nobody can be using"
            raise
        except TryAgainLater as error:
            holder = next((one for _, one in peek.holders() if str(one) in error.message), None)
            if holder is not None:
                error.details = f"held by {self._who(holder)}"
            raise

    def _of_static(self, request: Request, ipam: Section) -> Result:
        from ipam.static import DATA_DIR, Static

        unguarded = Section({**ipam.raw, "allowConflicts": True}, ipam.path)
        result = Static().reserve(request, unguarded)
        data_dir = parse_data_dir(ipam, DATA_DIR)
        if ipam.flag("allowConflicts"):
            return result
        peek = self._peek(data_dir, request.name)
        owner = Owner(request.container_id, request.ifname, request.netns)
        for ip in (each.address.ip for each in result.ips):
            holder = peek.holder(ip)
            gone = holder is not None and (
                (holder.netns and not files.exists(holder.netns, follow=True)) or peek.is_dead(holder, ip)
            )
            if holder is not None and not gone:
                raise TryAgainLater(
                    f"ipam: {ip} is in use on network {request.name} by {holder}", f"held by {self._who(holder)}"
                )
        peek.reserve(owner, [each.address.ip for each in result.ips])
        return result

    def _holders(self, peek: Peek) -> str:
        """Who has most of a network's addresses."""
        counts: dict[str, list[str]] = {}
        for ip, owner in peek.holders():
            counts.setdefault(self._who(owner), []).append(str(ip))
        most = sorted(counts.items(), key=lambda item: -len(item[1]))
        told = [f"{who} ({held[0] if len(held) == 1 else f'{len(held)} addresses'})" for who, held in most[:MOST_NAMED]]
        more = len(most) - len(told)
        return ", ".join(told) + (f" and {more} more" if more > 0 else "") if told else "nobody"

    def _who(self, owner: Owner) -> str:
        if owner is NOT_A_RESERVATION:
            return "something that is no reservation"
        try:
            pod = self._pod_of(owner.container_id)
        except CniError:
            pod = ""
        return f"pod {pod}" if pod else f"container {owner.container_id[:13]}, of which multus has no record"
