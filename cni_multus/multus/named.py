"""Networks that 00-multus.conf names instead of spelling out: `clusterNetwork` and `defaultNetworks`.

A value with a '/' is a file, or a directory whose first configuration counts; any other is the name of a network in
`confDir`. (Multus asks the API server for a NetworkAttachmentDefinition of that name first; this version does not.)
"""

from __future__ import annotations

import os

from cni_multus import confdir
from cni_multus.cni.errors import CniError, InvalidNetworkConfig
from cni_multus.multus.settings import blame
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.multus.settings import Settings
    from cni_multus.network import Network

SYSTEM_NAMESPACES = ("kube-system",)
_ENDINGS = (*confdir.LISTS, *confdir.PLUGINS)


def named_networks(settings: Settings) -> tuple[dict[int, Network], list[CniError]]:
    """The networks by position, the cluster's own at 0, and what is wrong with the others."""
    networks: dict[int, Network] = {}
    errors: list[CniError] = []
    values = [("clusterNetwork", settings.config.text("clusterNetwork"))]
    system = settings.config.texts("systemNamespaces") or SYSTEM_NAMESPACES
    if settings.namespace not in system:
        names = settings.config.texts("defaultNetworks")
        values += [(f"defaultNetworks[{at}]", name) for at, name in enumerate(names)]
    for at, (where, value) in enumerate(values):
        try:
            networks[at] = _find(settings, value)
        except CniError as error:
            errors.append(blame(error, where))
    return networks, errors


def _find(settings: Settings, value: str) -> Network:
    version = settings.config.text("cniVersion")
    if "/" not in value:
        network = confdir.find_network(settings.conf_dir, value, _pass_over, version=version)
    elif not os.path.isabs(value):
        raise InvalidNetworkConfig(f"{value!r} is neither a network's name nor an absolute path")
    elif os.path.isdir(value):
        network = _first(value, version)
    else:
        network = confdir.load_file(value, version=version)
    network.refuse_type("multus", "multus cannot be a delegate of itself")
    return network


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
