"""whereabouts as a plugin: the verbs, each as what is asked of an engine."""

from __future__ import annotations

from cni_multus.cni.errors import CheckFailed, CniError, InvalidNetworkConfig, NotAvailable
from cni_multus.plugin.ipam import IpamPlugin
from cni_multus.state.datadir import data_dir_if_any
from ipam.whereabouts.engine import DATA_DIR
from ipam.whereabouts.engines import cluster_engine_if_used, engine_for, refuse_silent_switch, release
from ipam.whereabouts.onnode import NodeEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Attachment, Request
    from cni_multus.cni.result import Result
    from ipam.whereabouts.config import WhereaboutsConfig


class Whereabouts(IpamPlugin):
    """Gives one address of every range, the same ones again to the same holder, on the node or over the cluster."""

    def reserve(self, request: Request, ipam: Section) -> Result:
        from cni_multus.cni.result import IpConfig, Result
        from ipam.whereabouts.holder import parse_holder

        config = _parse(request, ipam)
        holder = parse_holder(request, config)
        refuse_silent_switch(config)
        given = engine_for(config, request.environment).acquire(config, holder) if config.pools else []
        ips = [IpConfig(address, pool.gateway) for pool, address in zip(config.pools, given, strict=True)]
        return Result(ips=ips + config.static, routes=config.routes, dns=config.dns)

    def release(self, request: Request, ipam: Section) -> None:
        data_dir = data_dir_if_any(ipam, DATA_DIR)
        release(request.attachment, data_dir, request.environment, lambda: _parse(request, ipam))

    def verify(self, request: Request, ipam: Section) -> None:
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
        from ipam.whereabouts.holder import parse_holder

        config = _parse(request, ipam)
        shown = [ip.address for ip in request.previous.ips]
        wrong = [f"{one.address} is not in prevResult" for one in config.static if one.address not in shown]
        for pool in config.pools:
            if not any(pool.cidr.contains(address.ip) for address in shown):
                wrong.append(f"prevResult has no address of {pool}")
        static = [one.address for one in config.static]
        ours = [
            address
            for address in shown
            if address not in static and any(pool.cidr.contains(address.ip) for pool in config.pools)
        ]
        if config.pools:
            holder = parse_holder(request, config)
            wrong += engine_for(config, request.environment).verify(config, holder, ours)
        if wrong:
            raise CheckFailed(f"network {request.name}: {wrong[0]}", "; ".join(wrong))

    def status(self, request: Request) -> None:
        config = _parse(request, request.config.section("ipam"))
        try:
            refuse_silent_switch(config)
            why = engine_for(config, request.environment).why_not_available(config) if config.pools else ""
        except CniError as error:
            raise NotAvailable(f"network {request.name}: {error.message}", error.details) from error
        if why:
            raise NotAvailable(f"network {request.name}: {why}")

    def collect_garbage(self, request: Request) -> None:
        valid = request.valid_attachments()
        data_dir = data_dir_if_any(request.config.section("ipam"), DATA_DIR)

        def is_valid(attachment: Attachment) -> bool:
            return (attachment.container_id, attachment.ifname) in valid

        failures = []
        for engine in (NodeEngine(data_dir), cluster_engine_if_used(data_dir, request.environment)):
            try:
                if engine is not None:
                    engine.collect(request.name, is_valid)
            except CniError as error:
                failures.append(error)
        if failures:
            raise failures[0]


def _parse(request: Request, ipam: Section) -> WhereaboutsConfig:
    from ipam.whereabouts.parsing import parse_config

    return parse_config(request, ipam)
