"""Networks that somebody named, before it is planned who gets them under which name."""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, InvalidNetworkConfig
from cni_multus.multus.former import go_multus_attached_here
from cni_multus.multus.settings import PASSING
from cni_multus.network import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.multus.kubernetes import Kubernetes
    from cni_multus.multus.settings import Settings
    from cni_multus.nads.definition import Definition
    from cni_multus.selection.selected import Selection

CLUSTER_NETWORK = "clusterNetwork"
SYSTEM_NAMESPACES = ("kube-system",)


class Wanted:
    """A network; `label` is its name in network-status."""

    __slots__ = ("_where", "label", "network", "resource", "selection")

    def __init__(self, network: Network, label: str, where: str, resource: str = "") -> None:
        self.network = network
        self.label = label
        self.resource = resource
        self.selection: Selection | None = None
        self._where = where

    @property
    def where(self) -> str:
        """Its place in messages; that of an annotation's element is looked for only then."""
        return self.selection.where if self.selection else self._where


def of_definition(definition: Definition, settings: Settings, where: str) -> Wanted:
    """The network of a definition; raises what is wrong with that."""
    version = settings.config.text("cniVersion")
    network = definition.network(
        settings.conf_dir,
        version,
        pass_over,
        settings.nad_paths,
        plain_name=go_multus_attached_here(settings.cni_dir),
    )
    return Wanted(network, definition.label, where, definition.resource)


def configured(settings: Settings, kubernetes: Kubernetes | None = None) -> tuple[dict[int, Wanted], list[CniError]]:
    """The networks that 00-multus.conf names, by their position, and what is wrong with the others.

    Without `kubernetes` what only the API server may know is left out.
    """
    try:
        if settings.config.has(PASSING):
            from cni_multus.multus import direct

            network = direct.primary(settings)
            return {0: Wanted(network, network.name, PASSING)}, []
        if settings.config.text(CLUSTER_NETWORK):
            from cni_multus.multus.named import named_networks

            return named_networks(settings, kubernetes)
        sections = settings.config.sections("delegates")
    except CniError as error:
        return {}, [error]
    if not sections:
        reason = "delegates: at least one delegate/clusterNetwork is needed, and there is none"
        return {}, [InvalidNetworkConfig(reason)]
    found: dict[int, Wanted] = {}
    errors: list[CniError] = []
    for at, section in enumerate(sections):
        try:
            found[at] = _delegate(section, settings, at)
        except CniError as error:
            errors.append(error)
    return found, errors


def configured_here(request: Request, settings: Settings) -> tuple[dict[int, Wanted], list[CniError]]:
    """The same for a request that must not ask the API server: what only that knows is left out."""
    from cni_multus.multus.kubernetes import Kubernetes

    try:
        kubernetes = Kubernetes(request, settings)
    except CniError as error:
        found, errors = configured(settings)
        return found, [error, *errors]
    return configured(settings, None if kubernetes.has_api else kubernetes)


def _delegate(section: Section, settings: Settings, at: int) -> Wanted:
    """One of `delegates`; the first may go without a name, as that of some platforms does: it has the conf's own."""
    label = section.text("name")
    if at == 0 and not label and section.has("plugins") | section.has("type"):
        section = Section({**section.raw, "name": settings.config.text("name")}, section.path)
    network = Network(section, version=settings.config.text("cniVersion"))
    network.refuse_type("multus", "multus cannot be a delegate of itself")
    return Wanted(network, label, section.path)


def system_namespaces(settings: Settings) -> tuple[str, ...]:
    """Whose pods get no `defaultNetworks`, and no network-status unless they ask for a network."""
    return settings.config.texts("systemNamespaces") or SYSTEM_NAMESPACES


def pass_over(reason: str) -> None:
    """What is wrong with a file that nobody asked for is for `lint`, not for a pod's start."""
