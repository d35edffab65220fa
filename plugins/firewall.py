"""firewall: lets a container's packets through the node's filters, and keeps bridges apart where a policy says so."""

from __future__ import annotations

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import CheckFailed, CniError, InvalidNetworkConfig, NotAvailable
from cni_multus.firewall import rules
from cni_multus.firewall.backends import BACKENDS, Backend, choose
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.plugin.chained import ChainedPlugin
from cni_multus.state.backups import Backups
from cni_multus.state.datadir import data_dir_if_any, parse_data_dir
from cni_multus.undo import Undo, do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.request import Attachment, Request
    from cni_multus.cni.result import Result

DATA_DIR = "/run/multus/firewall"
POLICIES = ("same-bridge", "isolated")


class FirewallConfig:
    """The keys of a firewall configuration; `backend` and `policy` are "" where none is asked for."""

    __slots__ = ("admin_chain", "backend", "data_dir", "policy", "zone")

    def __init__(self, request: Request) -> None:
        config = request.config
        self.backend = config.text("backend")
        if self.backend and self.backend not in BACKENDS:
            raise config.wrong("backend", f"{self.backend!r} is not one of {', '.join(BACKENDS)}")
        self.zone = config.text("firewalldZone") or "trusted"
        self.admin_chain = config.text("iptablesAdminChainName") or "CNI-ADMIN"
        if len(self.admin_chain) > 28 or not all(each.isalnum() or each in "_-." for each in self.admin_chain):
            raise config.wrong(
                "iptablesAdminChainName",
                f"{self.admin_chain!r} is no name of a chain: 28 letters, digits, '-', '_', '.'",
            )
        self.policy = config.text("ingressPolicy")
        if self.policy == "open":
            self.policy = ""
        if self.policy and self.policy not in POLICIES:
            raise config.wrong("ingressPolicy", f"{self.policy!r} is not one of open, {', '.join(POLICIES)}")
        self.data_dir = parse_data_dir(config, DATA_DIR)


class Record:
    """What an attachment has: the backend that was told, its addresses, and the bridge and port of its policy."""

    __slots__ = ("bridge", "ips", "policy", "port", "told")

    def __init__(self, told: dict[str, str], ips: list[Ip], policy: str = "", bridge: str = "", port: str = "") -> None:
        self.told = told
        self.ips = ips
        self.policy = policy
        self.bridge = bridge
        self.port = port

    @staticmethod
    def parse(document: dict[str, object]) -> Record:
        """What `to_json` told; what cannot be read is left out."""
        told, ips = document.get("told"), document.get("ips")
        strings = {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}
        return Record(
            strings,
            _addresses(ips if isinstance(ips, list) else []),
            *[str(document.get(key, "")) for key in ("policy", "bridge", "port")],
        )

    def to_json(self) -> dict[str, object]:
        """For the file."""
        return {
            "told": self.told,
            "ips": [str(ip) for ip in self.ips],
            "policy": self.policy,
            "bridge": self.bridge,
            "port": self.port,
        }


class Firewall(ChainedPlugin):
    """See README.md for the keys."""

    def apply(self, request: Request, previous: Result) -> Result:
        config = FirewallConfig(request)
        backups = Backups(config.data_dir)
        attachment = request.attachment
        with Namespace.host() as host, _turn(host), Undo() as undo:
            backend = choose(host, config.backend, request, zone=config.zone, admin_chain=config.admin_chain)
            bridge, port = _bridge_and_port(host, config, previous)
            ips = [ip.address.ip for ip in previous.ips]
            if (before := backups.read(attachment)) is not None:
                # A killed ADD's, or the same request once more.
                had = Record.parse(before)
                undo.callback(_give, host, request, attachment, had, backups)
                _take_back(host, request, attachment, had, backups)
            record = Record(backend.told, ips, config.policy, bridge, port)
            undo.callback(_take_back, host, request, attachment, record, backups)
            _give(host, request, attachment, record, backups)
            undo.keep()
        return previous

    def revert(self, request: Request) -> None:
        backups = Backups(data_dir_if_any(request.config, DATA_DIR))
        with Namespace.host() as host, _turn(host):
            document = backups.read(request.attachment) or {}
            if document.get("network", request.name) != request.name:
                return  # another network made an interface of this name since
            record = Record.parse(document)
            if record.told:
                _take_back(host, request, request.attachment, record, backups)
            else:
                _take_back_unrecorded(host, request, backups)

    def check(self, request: Request) -> None:
        config = FirewallConfig(request)
        backups = Backups(config.data_dir)
        document = backups.read(request.attachment)
        if document is None:
            raise CheckFailed(
                f"the firewall knows nothing of {request.ifname}: there is no record in {config.data_dir}"
            )
        record = Record.parse(document)
        with Namespace.host() as host:
            backend = Backend.of(record.told, request)
            wrong = backend.differences(host, request.attachment, record.ips)
            if record.bridge:
                wrong += rules.not_guarded(host, record.bridge, _policies(backups, record.bridge))
            if record.policy == "isolated":
                wrong += rules.not_isolated(host, record.port)
        told = [ip.address.ip for ip in request.previous.ips] if request.previous else record.ips
        wrong += [f"{ip} is not let through" for ip in told if ip not in record.ips]
        if wrong:
            raise CheckFailed(f"{request.ifname} is not let through as it was: {'; '.join(dict.fromkeys(wrong))}")

    def status(self, request: Request) -> None:
        config = FirewallConfig(request)
        with Namespace.host() as host:
            try:
                backend = choose(host, config.backend, request, zone=config.zone, admin_chain=config.admin_chain)
                backend.probe(host)
            except CniError as error:
                raise NotAvailable(error.message, error.details) from error

    def collect_garbage(self, request: Request) -> None:
        from cni_multus.firewall.unrecorded import collect

        backups = Backups(data_dir_if_any(request.config, DATA_DIR))
        valid = request.valid_attachments()
        with Namespace.host() as host, _turn(host):

            def take_back(attachment: Attachment, document: dict[str, object]) -> None:
                _take_back(host, request, attachment, Record.parse(document), backups)

            steps: tuple[Callable[[], None], ...] = (
                lambda: backups.collect(request.name, valid, take_back),
                lambda: collect(host, request.name, valid),
                lambda: _guard_again(host, backups),
            )
            do_all(lambda step: step(), steps)


def _give(host: Namespace, request: Request, attachment: Attachment, record: Record, backups: Backups) -> None:
    """Put on record what an attachment is to have, and do it."""
    backups.write(attachment, record.to_json())
    Backend.of(record.told, request).allow(host, attachment, record.ips)
    if record.bridge:
        rules.guard(host, record.bridge, _policies(backups, record.bridge))
    if record.policy == "isolated":
        rules.isolate(host, attachment, record.port)


def _take_back(host: Namespace, request: Request, attachment: Attachment, record: Record, backups: Backups) -> None:
    """Undo what the record tells; the record goes last, so that whoever is killed here can be repeated."""
    Backend.of(record.told, request).revoke(host, attachment, record.ips)
    if record.policy == "isolated":
        rules.join(host, record.port)
    if record.bridge:
        others = _policies(backups, record.bridge, but=attachment)
        rules.guard(host, record.bridge, others)
    backups.remove(attachment)


def _take_back_unrecorded(host: Namespace, request: Request, backups: Backups) -> None:
    from cni_multus.firewall.unrecorded import forget

    told = request.previous.ips if request.previous else []
    forget(host, request.attachment, [ip.address.ip for ip in told])
    backups.remove(request.attachment)
    _guard_again(host, backups)


def _guard_again(host: Namespace, backups: Backups) -> None:
    """Let the records alone say which bridges are guarded."""
    for bridge in rules.guarded_bridges(host):
        rules.guard(host, bridge, _policies(backups, bridge))


def _policies(backups: Backups, bridge: str, but: Attachment | None = None) -> set[str]:
    """What all attachments together ask for a bridge."""
    found = set()
    for attachment, document in backups.every():
        record = Record.parse(document)
        is_left_out = but is not None and (attachment.container_id, attachment.ifname) == (but.container_id, but.ifname)
        if record.bridge == bridge and not is_left_out:
            found.add(record.policy)
    return found


def _bridge_and_port(host: Namespace, config: FirewallConfig, previous: Result) -> tuple[str, str]:
    """The node's bridge that the policy is for, and the container's port of it, as the chain has made them."""
    if not config.policy:
        return "", ""
    told = [find_link(host, interface.name) for interface in previous.interfaces if not interface.sandbox]
    links = [link for link in told if link is not None]
    for bridge in links:
        port = next((link for link in links if link.master == bridge.index), None)
        if bridge.kind == "bridge" and port is not None:
            return bridge.name, port.name
    raise InvalidNetworkConfig(
        f"ingressPolicy: {config.policy} is about a bridge, and prevResult has none with a port; "
        "the plugin must follow the bridge plugin"
    )


def _addresses(texts: list[object]) -> list[Ip]:
    found = []
    for text in texts:
        try:
            found.append(Ip.parse(str(text)))
        except ValueError:
            continue
    return found


def _turn(host: Namespace) -> Exclusion:
    return Exclusion(host, "firewall")
