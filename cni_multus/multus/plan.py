"""Which networks a sandbox gets, under which names: decided as a whole before the first attachment."""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, InvalidEnvironment, InvalidNetworkConfig
from cni_multus.delegate import find
from cni_multus.linux.links import find_link
from cni_multus.linux.netns import Namespace
from cni_multus.network import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.multus.settings import Settings
    from cni_multus.state.journal import Attachment, Record

OF_ONE_ATTACHMENT = ("portMappings", "bandwidth", "ips", "ipRanges", "mac", "infinibandGUID", "deviceID", "CNIDeviceInfoFile")
"""Capabilities that the runtime means for the pod's own interface: a secondary network never gets them."""


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
    def recorded(attachment: Attachment, settings: Settings) -> Planned:
        """What a journal's entry was made from."""
        network = Network(Section(attachment.network), version=attachment.version)
        network.timeout = settings.delegate_timeout
        return Planned(network, attachment.ifname, Section(attachment.capabilities, "runtimeConfig"))

    def request(self, base: Request, settings: Settings, netns: str) -> Request:
        """The request that its plugins get."""
        request = base.with_config(Section(self.network.raw), None)
        request.ifname = self.ifname
        request.netns = netns
        request.arguments = {"IgnoreUnknown": "1", **base.arguments}
        request.path = settings.search_path(base)
        return request


def decide(request: Request, settings: Settings) -> list[Planned]:
    """The networks of the configuration, the primary first; raises for whatever is wrong with any of them."""
    networks = configured(settings)
    runtime = request.config.section("runtimeConfig")
    shared = Section({key: value for key, value in runtime.raw.items() if key not in OF_ONE_ATTACHMENT}, runtime.path)
    planned = []
    for at, network in enumerate(networks):
        ifname = f"net{at}" if at else request.ifname
        planned.append(Planned(network, ifname, shared if at else runtime))
    _refuse_duplicates(planned)
    path = settings.search_path(request)
    for one in planned:
        for plugin in one.network.plugins:
            find(plugin.text("type"), path, plugin.where("type"))
    return planned


def configured(settings: Settings) -> list[Network]:
    """The networks that 00-multus.conf names."""
    delegates = settings.config.sections("delegates")
    if not delegates:
        raise InvalidNetworkConfig("delegates: at least one delegate/clusterNetwork is needed, and there is none")
    version = settings.config.text("cniVersion")
    networks = []
    for section in delegates:
        network = Network(section, version=version)
        network.timeout = settings.delegate_timeout
        networks.append(network)
    return networks


def refuse_taken_names(planned: list[Planned], netns: str) -> None:
    """Raise where the sandbox has an interface of a planned name already."""
    with Namespace.open(netns) as container:
        for one in planned:
            if find_link(container, one.ifname) is not None:
                raise InvalidEnvironment(f"{netns} has an interface {one.ifname} already, which network {one.name} would make")


def recorded(record: Record, settings: Settings) -> tuple[list[tuple[Planned, Attachment]], list[CniError]]:
    """What a record lists, and the errors of entries that cannot be read any more."""
    found, errors = [], []
    for attachment in record.attachments:
        try:
            found.append((Planned.recorded(attachment, settings), attachment))
        except CniError as error:
            errors.append(error)
    return found, errors


def _refuse_duplicates(planned: list[Planned]) -> None:
    seen: dict[str, str] = {}
    for one in planned:
        if one.ifname in seen:
            raise InvalidEnvironment(f"CNI_IFNAME {one.ifname}: networks {seen[one.ifname]} and {one.name} would both make it")
        seen[one.ifname] = one.name
