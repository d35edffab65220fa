"""Networks that somebody named, before it is planned who gets them under which name."""

from __future__ import annotations

import os

from cni_multus import confdir
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, InvalidNetworkConfig
from cni_multus.cni.names import is_name
from cni_multus.multus.settings import blame
from cni_multus.network import Network
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.multus.kubernetes import Kubernetes
    from cni_multus.multus.settings import Settings
    from cni_multus.nads.definition import Definition
    from cni_multus.selection.selected import Selection

CLUSTER_NETWORK = "clusterNetwork"
SYSTEM_NAMESPACES = ("kube-system",)
_ENDINGS = (*confdir.LISTS, *confdir.PLUGINS)


class Wanted:
    """A network; `label` is its name in network-status, `where` its place in messages."""

    __slots__ = ("label", "network", "resource", "selection", "where")

    def __init__(self, network: Network, label: str, where: str, resource: str = "") -> None:
        self.network = network
        self.label = label
        self.where = where
        self.resource = resource
        self.selection: Selection | None = None


def of_definition(definition: Definition, settings: Settings, where: str, selection: Selection | None = None) -> Wanted:
    """The network of a definition; raises what is wrong with that."""
    network = definition.network(settings.conf_dir, settings.config.text("cniVersion"), _pass_over)
    wanted = Wanted(network, definition.label, where, definition.resource)
    wanted.selection = selection
    return wanted


def configured(settings: Settings, kubernetes: Kubernetes | None = None) -> tuple[dict[int, Wanted], list[CniError]]:
    """The networks that 00-multus.conf names, by their position, and what is wrong with the others.

    Without `kubernetes` those that only the API server knows are left out, unless it knows all of them.
    """
    try:
        if settings.config.text(CLUSTER_NETWORK):
            return _named(settings, kubernetes)
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


def _delegate(section: Section, settings: Settings, at: int) -> Wanted:
    """One of `delegates`; the first may go without a name, as that of some platforms does: it has the conf's own."""
    label = section.text("name")
    if at == 0 and not label and section.has("plugins") | section.has("type"):
        section = Section({**section.raw, "name": settings.config.text("name")}, section.path)
    network = Network(section, version=settings.config.text("cniVersion"))
    network.refuse_type("multus", "multus cannot be a delegate of itself")
    return Wanted(network, label, section.path)


def _named(settings: Settings, kubernetes: Kubernetes | None) -> tuple[dict[int, Wanted], list[CniError]]:
    """`clusterNetwork` at 0, then `defaultNetworks`, which the pods of system namespaces do without."""
    found: dict[int, Wanted] = {}
    errors: list[CniError] = []
    values = [(CLUSTER_NETWORK, settings.config.text(CLUSTER_NETWORK))]
    try:
        if settings.namespace not in system_namespaces(settings):
            names = settings.config.texts("defaultNetworks")
            values += [(f"defaultNetworks[{at}]", name) for at, name in enumerate(names)]
    except CniError as error:
        errors.append(error)
    for at, (where, value) in enumerate(values):
        try:
            found[at] = _find(settings, kubernetes, value, where)
        except CniError as error:
            if kubernetes is not None or not _is_definition(settings, value):
                errors.append(blame(error, where))
    return found, errors


def system_namespaces(settings: Settings) -> tuple[str, ...]:
    """Whose pods get no `defaultNetworks`, and no network-status unless they ask for a network."""
    return settings.config.texts("systemNamespaces") or SYSTEM_NAMESPACES


def _find(settings: Settings, kubernetes: Kubernetes | None, value: str, where: str) -> Wanted:
    """With a '/', a file, or a directory whose first configuration counts.

    Any other value is the name of a definition in `multusNamespace`, else of a network in `confDir`.
    """
    version = settings.config.text("cniVersion")
    if "/" not in value:
        if kubernetes and (definition := kubernetes.definitions.find_any(kubernetes.multus_namespace, value)):
            return of_definition(definition, settings, where)
        network = confdir.find_network(settings.conf_dir, value, _pass_over, version=version)
    elif not os.path.isabs(value):
        raise InvalidNetworkConfig(f"{value!r} is neither a network's name nor an absolute path")
    elif os.path.isdir(value):
        network = _first(value, version)
    else:
        network = confdir.load_file(value, version=version)
    if where == CLUSTER_NETWORK:
        network = _with_chain(network, settings, value)
    network.refuse_type("multus", "multus cannot be a delegate of itself")
    return Wanted(network, network.name, where)


def _is_definition(settings: Settings, value: str) -> bool:
    """Whether a network that is not on the node may be one that the API server knows."""
    return "/" not in value and bool(settings.config.value("kubeconfig"))


def _with_chain(network: Network, settings: Settings, path: str) -> Network:
    """The network with the plugins of `auxiliaryCNIChainName` behind its own: the files of that directory beside it."""
    chain = settings.config.text("auxiliaryCNIChainName")
    if not chain:
        return network
    if not is_name(chain):
        raise settings.config.wrong("auxiliaryCNIChainName", f"{chain!r} is not a directory's name")
    if "/" not in path:
        raise settings.config.wrong("auxiliaryCNIChainName", f"clusterNetwork must be a path beside which {chain} is")
    beside = path if os.path.isdir(path) else os.path.dirname(path)
    more = confdir.plugins_in(os.path.join(beside, chain))
    if not more:
        return network
    raw = {key: value for key, value in network.raw.items() if key.lower() != "plugins"}
    own = [plugin.raw for plugin in network.plugins]
    if "type" in raw:
        raw = {"name": network.name, "cniVersion": network.version}
    return Network(Section({**raw, "plugins": [*own, *more]}), version=network.version)


def _first(directory: str, version: str) -> Network:
    """The first configuration of a directory that is not our own: 00-multus.conf stands before all others there."""
    for name in sorted(files.names(directory)):
        if name.endswith(_ENDINGS):
            network = confdir.load_file(os.path.join(directory, name), version=version)
            if "multus" not in network.types:
                return network
    raise InvalidNetworkConfig(f"{directory} holds no configuration of another plugin ({', '.join(_ENDINGS)})")


def _pass_over(reason: str) -> None:
    """What is wrong with a file that nobody asked for is for `lint`, not for a pod's start."""
