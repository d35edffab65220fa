"""sbr: what comes from an address of the interface leaves by the interface, through a routing table of its own."""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CheckFailed, CniError, InvalidEnvironment, InvalidNetworkConfig, NotAvailable
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.linux.routetables import tables_turn
from cni_multus.plugin.chained import ChainedPlugin
from cni_multus.routing.sourcerouting import Routing, take_back, take_back_unrecorded
from cni_multus.state.backups import Backups
from cni_multus.state.datadir import data_dir_if_any, parse_data_dir
from cni_multus.undo import Undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Attachment, Request
    from cni_multus.cni.result import IpConfig, Result
    from cni_multus.linux.links import Link

DATA_DIR = "/run/multus/sbr"


class SbrConfig:
    """The keys of an sbr configuration; `table` 0 means one of its own for each address."""

    __slots__ = ("data_dir", "gateway", "table")

    def __init__(self, config: Section) -> None:
        self.table = config.number("table", low=1) if config.has("table") else 0
        self.gateway = config.ip("gateway")
        self.data_dir = parse_data_dir(config, DATA_DIR)


class Sbr(ChainedPlugin):
    """See README.md for the keys."""

    def apply(self, request: Request, previous: Result) -> Result:
        from cni_multus.routing.sourceplan import carry_out, plan_rules, plan_tables

        config = SbrConfig(request.config)
        ips = _addresses(request, previous)
        if not ips:
            raise InvalidNetworkConfig(f"prevResult: {request.ifname} has no address that could be routed by")
        backups = Backups(config.data_dir)
        with Namespace.open(request.netns) as container, tables_turn(container), Undo() as undo:
            link = _link(request, container)
            had = _recorded(backups, request, container) or Routing(link.index)
            if had.index != link.index:  # its routes went with the link that they were of
                had = Routing(link.index, had.rules)
            if config.table:
                planned = plan_rules(ips, config.table, link.index)
            else:
                planned = plan_tables(container, link, ips, previous, had, config.gateway)
            _remember(backups, request, container, planned, had, undo)
            carry_out(container, link, planned, had, undo)
            if had.rules:
                backups.write(request.attachment, planned.to_json(container))
            undo.keep()
        return previous

    def revert(self, request: Request) -> None:
        backups = Backups(data_dir_if_any(request.config, DATA_DIR))
        container = Namespace.find(request.netns)
        if container is not None:
            with container:
                had = _recorded(backups, request, container)
                if had is not None:
                    take_back(container, request.ifname, had)
                else:
                    told = _addresses(request, request.previous) if request.previous else []
                    addresses = [ip.address.ip for ip in told]
                    take_back_unrecorded(container, request.ifname, addresses, _table(request.config))
        backups.forget(request.attachment)

    def check(self, request: Request) -> None:
        from cni_multus.routing.sourcerouting import routing_differences, unrecorded_differences

        config = SbrConfig(request.config)
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
        addresses = [ip.address.ip for ip in _addresses(request, request.previous)]
        with Namespace.open(request.netns) as container:
            if find_link(container, request.ifname) is None:
                raise CheckFailed(f"{request.ifname} is gone from {request.netns}")
            had = _recorded(Backups(config.data_dir), request, container)
            if had is None:
                wrong = unrecorded_differences(container, addresses, config.table)
            else:
                wrong = routing_differences(container, had, addresses)
        if wrong:
            raise CheckFailed(f"{request.ifname} is not routed as it was: {'; '.join(wrong)}")

    def status(self, request: Request) -> None:
        from cni_multus.state.readiness import why_not_writable

        config = SbrConfig(request.config)
        if why := why_not_writable(config.data_dir):
            raise NotAvailable(f"dataDir: {why}")

    def collect_garbage(self, request: Request) -> None:
        backups = Backups(data_dir_if_any(request.config, DATA_DIR))
        backups.collect(request.name, request.valid_attachments(), _take_back_at)


def _addresses(request: Request, result: Result) -> list[IpConfig]:
    """The addresses of the interface, and those that are of none, each once."""
    found = result.of_interface(request.ifname, request.netns)
    indexes = (
        [found[0]]
        if found
        else [
            at
            for at, interface in enumerate(result.interfaces)
            if interface.name == request.ifname and interface.sandbox
        ]
    )
    ips: dict[object, IpConfig] = {}
    for ip in result.ips:
        if ip.interface is None or ip.interface in indexes or ip.interface >= len(result.interfaces):
            ips.setdefault(ip.address.ip, ip)
    return list(ips.values())


def _link(request: Request, container: Namespace) -> Link:
    link = find_link(container, request.ifname)
    if link is None or not link.up:
        why = "is down" if link else "is not there"
        raise InvalidEnvironment(f"CNI_IFNAME: {request.ifname} in {request.netns} {why}, and can have no routes")
    return link


def _recorded(backups: Backups, request: Request, container: Namespace) -> Routing | None:
    """What is on record of the attachment, None where nothing is, or nothing of this namespace."""
    document = backups.read(request.attachment)
    if document is None or document.get("network") != request.name:
        return None
    return Routing.parse(document, container)


def _remember(
    backups: Backups, request: Request, container: Namespace, planned: Routing, had: Routing, undo: Undo
) -> None:
    """Write down all that the change touches before it begins: who is killed in it leaves it to DEL."""
    key = request.attachment
    before = backups.read(key)
    if before is None:
        undo.callback(backups.remove, key)
    else:
        undo.callback(backups.write, key, before)
    rules = {rule.key: rule for rule in (*planned.rules, *had.rules)}
    either = Routing(planned.index, list(rules.values()), [*planned.routes, *had.routes], planned.moved or had.moved)
    backups.write(key, either.to_json(container))


def _take_back_at(attachment: Attachment, document: dict[str, object]) -> None:
    """Take back what a record lists, if its namespace still is where it was."""
    path = document.get("path")
    container = Namespace.find(path) if isinstance(path, str) else None
    if container is None:
        return
    with container:
        had = Routing.parse(document, container)
        if had is not None:
            take_back(container, attachment.ifname, had)


def _table(config: Section) -> int:
    try:
        return config.number("table")
    except CniError:
        return 0
