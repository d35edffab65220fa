"""vrf: makes an interface of the pod a member of a VRF, a routing table that only its members use."""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CheckFailed, CniError, InvalidEnvironment, InvalidNetworkConfig, NotAvailable
from cni_multus.cni.names import wrong_with_ifname
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.linux.routes import RT_TABLE_MAIN
from cni_multus.linux.routetables import OF_THE_KERNEL, next_free, tables_in_use, tables_turn
from cni_multus.linux.vrfs import Belongings
from cni_multus.marks import group_of
from cni_multus.plugin.chained import ChainedPlugin
from cni_multus.routing.vrfmembership import Membership, take_out
from cni_multus.state.backups import Backups
from cni_multus.state.datadir import data_dir_if_any, parse_data_dir
from cni_multus.undo import Undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Attachment, Request
    from cni_multus.cni.result import Result
    from cni_multus.linux.links import Link

DATA_DIR = "/run/multus/vrf"


class VrfConfig:
    """The keys of a vrf configuration; `table` 0 means the one that the VRF has, else the next that nobody uses."""

    __slots__ = ("data_dir", "name", "table")

    def __init__(self, request: Request) -> None:
        config = request.config
        self.name = config.text("vrfname")
        if why := wrong_with_ifname(self.name):
            raise config.wrong("vrfname", f"{self.name!r} cannot name a VRF: {why}")
        if self.name == request.ifname:
            raise config.wrong("vrfname", f"{self.name} is the interface itself")
        self.table = config.number("table")
        if self.table in OF_THE_KERNEL:
            raise config.wrong("table", f"{self.table} is one of the kernel's own tables")
        self.data_dir = parse_data_dir(config, DATA_DIR)


class Vrf(ChainedPlugin):
    """See README.md for the keys."""

    def apply(self, request: Request, previous: Result) -> Result:
        from cni_multus.routing.vrfmembership import join

        config = VrfConfig(request)
        backups = Backups(config.data_dir)
        with Namespace.open(request.netns) as container, tables_turn(container), Undo() as undo:
            link = find_link(container, request.ifname)
            if link is None:
                raise InvalidEnvironment(f"CNI_IFNAME: {request.netns} has no {request.ifname}")
            vrf = _find_vrf(container, config)
            before = backups.read(request.attachment)
            wanted = _plan(container, config, link, vrf, Membership.parse(before, request.name, container))
            if before is None:
                undo.callback(backups.remove, request.attachment)
            else:
                undo.callback(backups.write, request.attachment, before)
            backups.write(request.attachment, wanted.to_json(container))
            join(container, link, wanted, vrf, group_of(request.sandbox), undo)
            undo.keep()
        return previous

    def revert(self, request: Request) -> None:
        backups = Backups(data_dir_if_any(request.config, DATA_DIR))
        document = backups.read(request.attachment)
        container = Namespace.find(request.netns)
        if container is not None:
            with container, tables_turn(container):
                known = Membership.parse(document, request.name, container)
                take_out(container, request.ifname, known.vrf if known else _text(request.config, "vrfname"), known)
        backups.forget(request.attachment)

    def check(self, request: Request) -> None:
        from cni_multus.routing.vrfmembership import membership_differences

        config = VrfConfig(request)
        if request.previous is None:
            raise InvalidNetworkConfig("prevResult: CHECK needs what ADD returned")
        with Namespace.open(request.netns) as container:
            link, vrf = find_link(container, request.ifname), find_link(container, config.name)
            if link is None:
                raise CheckFailed(f"{request.ifname} is gone from {request.netns}")
            if vrf is None or vrf.kind != "vrf":
                raise CheckFailed(f"there is no vrf {config.name} in {request.netns}")
            document = Backups(config.data_dir).read(request.attachment)
            known = Membership.parse(document, request.name, container)
            wrong = membership_differences(container, link, vrf, config.table, known)
        if wrong:
            raise CheckFailed(f"{request.ifname} is not as it was attached: {'; '.join(wrong)}")

    def status(self, request: Request) -> None:
        from cni_multus.state.readiness import why_not_writable

        if why := why_not_writable(VrfConfig(request).data_dir):
            raise NotAvailable(f"dataDir: {why}")

    def collect_garbage(self, request: Request) -> None:
        backups = Backups(data_dir_if_any(request.config, DATA_DIR))
        backups.collect(request.name, request.valid_attachments(), _take_out_at)


def _find_vrf(container: Namespace, config: VrfConfig) -> Link | None:
    """The VRF, if there is one; it must be one, and have the configured table."""
    vrf = find_link(container, config.name)
    if vrf is None:
        return None
    if vrf.kind != "vrf":
        raise InvalidNetworkConfig(f"vrfname: {config.name} is a {vrf.kind or 'device'} of the pod, not a VRF")
    if config.table and vrf.data["table"] != config.table:
        raise InvalidNetworkConfig(f"table: VRF {vrf.name} has table {vrf.data['table']} already, not {config.table}")
    return vrf


def _plan(
    container: Namespace, config: VrfConfig, link: Link, vrf: Link | None, known: Membership | None
) -> Membership:
    """The membership that the link shall have; one that an earlier ADD began is the same."""
    if known is not None and (known.index, known.vrf) != (link.index, config.name):
        known = None
    joined = vrf is not None and link.master == vrf.index
    if link.master and not (joined and known):
        raise InvalidNetworkConfig(f"vrfname: {link.name} has another master already, link {link.master}")
    table = vrf.data["table"] if vrf else config.table or next_free(tables_in_use(container), 1)
    had = Belongings.of(container, link, table if joined else RT_TABLE_MAIN)
    if known is not None:
        had = had.including(known.had)
    return Membership(config.name, table, link.index, had)


def _take_out_at(attachment: Attachment, document: dict[str, object]) -> None:
    """Take back what a record lists, if its namespace still is where it was."""
    container = Namespace.find(_text(Section(document), "path"))
    if container is None:
        return
    with container, tables_turn(container):
        known = Membership.parse(document, attachment.network, container)
        if known is not None:
            take_out(container, attachment.ifname, known.vrf, known)


def _text(config: Section, key: str) -> str:
    """For verbs that must work whatever the configuration has become."""
    try:
        return config.text(key)
    except CniError:
        return ""
