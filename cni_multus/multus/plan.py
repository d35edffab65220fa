"""Which networks a sandbox gets, under which names: decided as a whole before the first attachment."""

from __future__ import annotations

from cni_multus import spent
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, InvalidEnvironment, InvalidNetworkConfig
from cni_multus.delegate import Program, find
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.network import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Ip
    from cni_multus.cni.request import Request
    from cni_multus.cni.verbs import Plugin
    from cni_multus.multus.settings import Settings
    from cni_multus.multus.wanted import Wanted
    from cni_multus.state.journal import Attachment, Record

OF_ONE_ATTACHMENT = (
    "portMappings",
    "bandwidth",
    "ips",
    "ipRanges",
    "mac",
    "infinibandGUID",
    "deviceID",
    "CNIDeviceInfoFile",
)
"""Capabilities that the runtime means for the pod's own interface: a secondary network never gets them."""

ARGUMENTS_OF_ONE = ("IP", "GATEWAY", "MAC")
"""The same of CNI_ARGS."""


class Planned:
    """One network to attach, and the interface it makes; `label` is what it is called to the pod's owner."""

    __slots__ = ("arguments", "capabilities", "default_route", "ifname", "label", "network", "resource")

    def __init__(self, network: Network, ifname: str, capabilities: Section, label: str = "") -> None:
        self.network = network
        self.ifname = ifname
        self.capabilities = capabilities
        self.label = label
        self.arguments: dict[str, str] = {}
        """Of CNI_ARGS, what holds for this network alone."""
        self.default_route: tuple[Ip, ...] = ()
        self.resource = ""
        """The kubelet's name for what the device of `capabilities` is."""

    @property
    def name(self) -> str:
        """The network's name."""
        return self.network.name

    @staticmethod
    def recorded(attachment: Attachment) -> Planned:
        """What a journal's entry was made from."""
        network = Network(Section(attachment.network), version=attachment.version)
        capabilities = Section(attachment.capabilities, "runtimeConfig")
        planned = Planned(network, attachment.ifname, capabilities, attachment.label)
        planned.arguments = attachment.arguments
        return planned

    def request(self, base: Request, settings: Settings, netns: str) -> Request:
        """The request that its plugins get; `base` is the runtime's, about the primary."""
        request = base.with_config(Section(self.network.raw), None)
        request.ifname = self.ifname
        request.netns = netns
        request.timeout = settings.delegate_timeout
        secondary = self.ifname != base.ifname
        request.arguments = {
            "IgnoreUnknown": "1",
            **{key: value for key, value in base.arguments.items() if not (secondary and key in ARGUMENTS_OF_ONE)},
            **self.arguments,
        }
        request.path = settings.search_path(base)
        request.measure = spent.in_ipam
        return request


def guess(request: Request, settings: Settings) -> list[Planned]:
    """What the configuration would attach, as far as it can be read: for a sandbox whose record cannot."""
    from cni_multus.multus.wanted import configured_here  # hardly ever

    return named(request, settings, configured_here(request, settings)[0])


def require_programs(planned: list[Planned], request: Request, settings: Settings) -> None:
    """Raise where a plugin, or the IPAM of one of ours, is neither bundled nor a program in the search path."""
    path = settings.search_path(request)
    for one in planned:
        try:
            _require_programs(one.network, path)
        except CniError as error:
            if one.label not in ("", one.name):  # a definition: the JSON path alone does not say of which
                error.message = f"network {one.label}: {error.message}"
            raise


def _require_programs(network: Network, path: tuple[str, ...]) -> None:
    for plugin in network.plugins:
        found: list[Plugin] = [find(plugin.text("type"), path, plugin.where("type"))]
        if not isinstance(found[0], Program) and plugin.has("ipam"):
            ipam = plugin.section("ipam")
            if kind := ipam.text("type"):
                found.append(find(kind, path, ipam.where("type")))
        for program in found:
            if isinstance(program, Program):
                program.refuse_unguarded()


def refuse_taken_names(planned: list[Planned], netns: str) -> None:
    """Raise where the sandbox has an interface of a planned name already."""
    with Namespace.open(netns) as container:
        for one in planned:
            if find_link(container, one.ifname) is not None:
                raise InvalidEnvironment(
                    f"{netns} has an interface {one.ifname} already, which network {one.name} would make"
                )


def recorded(record: Record) -> tuple[list[tuple[Planned, Attachment]], list[CniError]]:
    """What a record lists, and the errors of entries that cannot be read any more."""
    found, errors = [], []
    for attachment in record.attachments:
        try:
            found.append((Planned.recorded(attachment), attachment))
        except CniError as error:
            errors.append(error)
    return found, errors


def named(request: Request, settings: Settings, wanted: dict[int, Wanted]) -> list[Planned]:
    """Networks with their interfaces: the runtime's for the first, the one that was asked for, or `net<position>`."""
    runtime = settings.config.section("runtimeConfig")
    shared = {key: value for key, value in runtime.raw.items() if key not in OF_ONE_ATTACHMENT}
    planned = []
    for at, one in wanted.items():
        ifname = one.selection.ifname if one.selection and one.selection.ifname else ""
        capabilities = Section(shared, runtime.path) if at else runtime
        planned.append(Planned(one.network, ifname or (f"net{at}" if at else request.ifname), capabilities, one.label))
    return planned


def refuse_duplicates(planned: list[Planned]) -> None:
    """Raise where two networks would make interfaces of one name."""
    seen: dict[str, Planned] = {}
    for one in planned:
        if one.ifname in seen:
            raise InvalidNetworkConfig(
                f"interface {one.ifname}: networks {_called(seen[one.ifname])} and {_called(one)} would both make it"
            )
        seen[one.ifname] = one


def _called(planned: Planned) -> str:
    return planned.label or planned.name
