"""Which networks a sandbox gets, under which names: decided as a whole before the first attachment."""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, InvalidEnvironment, InvalidNetworkConfig
from cni_multus.delegate import Program, find
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.network import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.multus.settings import Settings
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
    """One network to attach, and the interface it makes."""

    __slots__ = ("capabilities", "ifname", "network")

    def __init__(self, network: Network, ifname: str, capabilities: Section) -> None:
        self.network = network
        self.ifname = ifname
        self.capabilities = capabilities

    @property
    def name(self) -> str:
        """The network's name."""
        return self.network.name

    @staticmethod
    def recorded(attachment: Attachment) -> Planned:
        """What a journal's entry was made from."""
        network = Network(Section(attachment.network), version=attachment.version)
        return Planned(network, attachment.ifname, Section(attachment.capabilities, "runtimeConfig"))

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
        }
        request.path = settings.search_path(base)
        return request


def decide(request: Request, settings: Settings) -> list[Planned]:
    """The networks of the configuration, the primary first; raises for whatever is wrong with any of them."""
    networks, errors = configured(settings)
    if errors:
        raise errors[0]
    planned = _named(request, settings, networks)
    _refuse_duplicates(planned)
    return planned


def guess(request: Request, settings: Settings) -> list[Planned]:
    """What the configuration would attach, as far as it can be read: for a sandbox whose record cannot."""
    return _named(request, settings, configured(settings)[0])


def require_programs(planned: list[Planned], request: Request, settings: Settings) -> None:
    """Raise where a plugin, or the IPAM of one of ours, is neither bundled nor a program in the search path."""
    path = settings.search_path(request)
    for one in planned:
        for plugin in one.network.plugins:
            found = find(plugin.text("type"), path, plugin.where("type"))
            if isinstance(found, Program) or not plugin.has("ipam"):
                continue
            ipam = plugin.section("ipam")
            if kind := ipam.text("type"):
                find(kind, path, ipam.where("type"))


def configured(settings: Settings) -> tuple[dict[int, Network], list[CniError]]:
    """The networks that 00-multus.conf names, by their position, and what is wrong with the others."""
    networks: dict[int, Network] = {}
    errors: list[CniError] = []
    try:
        if settings.config.text("clusterNetwork"):
            from cni_multus.multus.named import named_networks

            return named_networks(settings)
        version = settings.config.text("cniVersion")
        sections = settings.config.sections("delegates")
    except CniError as error:
        return networks, [error]
    if not sections:
        errors.append(
            InvalidNetworkConfig("delegates: at least one delegate/clusterNetwork is needed, and there is none")
        )
    for at, section in enumerate(sections):
        try:
            networks[at] = _network(section, version)
        except CniError as error:
            errors.append(error)
    return networks, errors


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


def _network(section: Section, version: str) -> Network:
    network = Network(section, version=version)
    network.refuse_type("multus", "multus cannot be a delegate of itself")
    return network


def _named(request: Request, settings: Settings, networks: dict[int, Network]) -> list[Planned]:
    runtime = settings.config.section("runtimeConfig")
    shared = {key: value for key, value in runtime.raw.items() if key not in OF_ONE_ATTACHMENT}
    return [
        Planned(network, f"net{at}", Section(shared, runtime.path)) if at else Planned(network, request.ifname, runtime)
        for at, network in networks.items()
    ]


def _refuse_duplicates(planned: list[Planned]) -> None:
    seen: dict[str, str] = {}
    for one in planned:
        if one.ifname in seen:
            raise InvalidEnvironment(
                f"CNI_IFNAME {one.ifname}: networks {seen[one.ifname]} and {one.name} would both make it"
            )
        seen[one.ifname] = one.name
