"""Networks that 00-multus.conf names instead of spelling out: `clusterNetwork` and `defaultNetworks`."""

from __future__ import annotations

import os
import time

from cni_multus import confdir
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, DecodingFailure, InvalidNetworkConfig
from cni_multus.cni.names import is_name
from cni_multus.multus.settings import blame
from cni_multus.multus.wanted import CLUSTER_NETWORK, Wanted, of_definition, pass_over, system_namespaces
from cni_multus.network import Network
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.multus.kubernetes import Kubernetes
    from cni_multus.multus.settings import Settings

_ENDINGS = (*confdir.LISTS, *confdir.PLUGINS)
_WRITING = 0.5
"""Seconds after which a file that is no JSON is not about to become that."""


def named_networks(settings: Settings, kubernetes: Kubernetes | None) -> tuple[dict[int, Wanted], list[CniError]]:
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
            if kubernetes is not None or "/" in value:
                errors.append(blame(error, where))
    return found, errors


def _find(settings: Settings, kubernetes: Kubernetes | None, value: str, where: str) -> Wanted:
    """With a '/', a file, or a directory whose first configuration counts.

    Any other value is the name of a definition in `multusNamespace`, else of a network in `confDir`.
    """
    version = settings.config.text("cniVersion")
    if "/" not in value:
        if kubernetes and (definition := kubernetes.definitions.find_any(kubernetes.multus_namespace, value)):
            wanted = of_definition(definition, settings, where)
            if where == CLUSTER_NETWORK:
                wanted.network = _with_chain(wanted.network, settings, value)
            return wanted
        network = confdir.find_network(settings.conf_dir, value, pass_over, version=version)
    elif not os.path.isabs(value):
        raise InvalidNetworkConfig(f"{value!r} is neither a network's name nor an absolute path")
    elif os.path.isdir(value):
        network = _first(value, version)
    else:
        network = _whole(value, version)
    if where == CLUSTER_NETWORK:
        network = _with_chain(network, settings, value)
    network.refuse_type("multus", "multus cannot be a delegate of itself")
    return Wanted(network, network.name, where)


def _whole(path: str, version: str) -> Network:
    """The network of a file which its owner may be writing just now, in place."""
    deadline = time.monotonic() + _WRITING
    while True:
        try:
            return confdir.load_file(path, version=version)
        except DecodingFailure:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


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
