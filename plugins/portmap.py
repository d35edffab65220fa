"""portmap: ports of the node that lead to the container, by nftables; it follows what gave the container its addresses.

A DEL knows by the attachment's own chain what it has to take away.
"""

from __future__ import annotations

from cni_multus.cni.errors import CheckFailed, InvalidNetworkConfig, NetlinkFailure, NotAvailable
from cni_multus.linux.netns import Namespace
from cni_multus.plugin.chained import ChainedPlugin
from cni_multus.portmaps.release import collect, release
from cni_multus.undo import Undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Attachment, Request
    from cni_multus.cni.result import Result
    from cni_multus.portmaps.hostport import Hostport
    from cni_multus.portmaps.requested import PortmapConfig


class Portmap(ChainedPlugin):
    """See README.md for the keys."""

    def apply(self, request: Request, previous: Result) -> Result:
        from cni_multus.linux.localnet import route_localnet
        from cni_multus.portmaps.connections import forget_former
        from cni_multus.portmaps.holding import addresses_of, take, why_not
        from cni_multus.portmaps.requested import PortmapConfig, targets
        from cni_multus.portmaps.rules import way_of

        config = PortmapConfig(request)
        leading = targets(previous, request.ifname)
        ports = config.hostports(leading)
        if not ports:
            return previous
        with Namespace.host() as host, Undo() as undo:
            if why := why_not(host):
                raise NetlinkFailure(why)
            local = addresses_of(host, ports)
            ways = {family: way_of(config, target) for family, target in leading.items()}
            undo.callback(_release, host, request.attachment)
            former = take(host, request.attachment, ports, ways, _bit(config), local)
            _forget(host, former)
            forget_former(host, ports, local)
            # Last, since links that several share keep it. The table keeps strangers' packets to 127.0.0.0/8 away.
            if name := _localnet(host, config, ports):
                route_localnet(host, name)
            undo.keep()
        return previous

    def revert(self, request: Request) -> None:
        with Namespace.host() as host:
            if not _release(host, request.attachment):
                from cni_multus.portmaps.foreign import remove

                remove(host, request.attachment)

    def check(self, request: Request) -> None:
        from cni_multus.linux.localnet import routes_localnet
        from cni_multus.portmaps.holding import differences
        from cni_multus.portmaps.requested import PortmapConfig, targets
        from cni_multus.portmaps.rules import way_of

        config = PortmapConfig(request)
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
        leading = targets(request.previous, request.ifname)
        ports = config.hostports(leading)
        if not ports:
            return
        with Namespace.host() as host:
            ways = {family: way_of(config, target) for family, target in leading.items()}
            wrong = differences(host, request.attachment, ports, ways, _bit(config))
            name = _localnet(host, config, ports)
            if name and not routes_localnet(host, name):
                wrong.append(f"route_localnet of {name} is off: 127.0.0.1 does not lead to the container")
        if wrong:
            raise CheckFailed(f"the ports of {request.ifname} are not as they were mapped: {'; '.join(wrong)}")

    def status(self, request: Request) -> None:
        from cni_multus.portmaps.holding import why_not
        from cni_multus.portmaps.requested import PortmapConfig

        PortmapConfig(request)
        with Namespace.host() as host:
            if why := why_not(host):
                raise NotAvailable(why)

    def collect_garbage(self, request: Request) -> None:
        with Namespace.host() as host:
            _forget(host, collect(host, request.name, request.valid_attachments()))


def _release(host: Namespace, attachment: Attachment) -> list[Hostport]:
    ports = release(host, attachment)
    _forget(host, ports)
    return ports


def _forget(host: Namespace, ports: list[Hostport]) -> None:
    if ports:
        from cni_multus.portmaps.connections import forget_led_to

        forget_led_to(host, ports)


def _bit(config: PortmapConfig) -> int | None:
    return config.bit if config.snat else None


def _localnet(host: Namespace, config: PortmapConfig, ports: list[Hostport]) -> str:
    """The link by which packets from 127.0.0.1 go to the container, "" where none do: they must be masqueraded."""
    from cni_multus.linux.localnet import link_towards

    for port in ports if config.snat else ():
        if port.family == 4 and (port.everywhere or port.address.packed[:1] == b"\x7f"):
            return link_towards(host, port.target.packed)
    return ""
