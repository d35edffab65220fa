"""The meta-plugin's configuration, made from the primary's.

It names the primary's file (`clusterNetwork`) and does not hold a copy of it (`delegates`). The plugin reads that file
for each request: an edit holds at once, whether or not anybody follows it; the plugins in the list's own directory
belong to it; and where the primary is taken away, pods fail with the file's name in place of getting a network that
nobody serves any more. A pod that is running needs neither: DEL works from the journal.

`capabilities` are what the primary is able to, and the pod's annotations, which runtimes that do not know them leave
out. `cniVersion` is the primary's: a newer one is refused by runtimes that the primary was chosen for (containerd up to
1.7 knows no 1.1.0), and an older one would take from the primary what it tells. From 1.0.0 on it is a list: the
specification has no single plugins any more.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_indented
from cni_multus.cni.errors import CniError, InvalidNetworkConfig
from cni_multus.cni.request import Request
from cni_multus.cni.versions import OLDEST, at_least, require_supported
from cni_multus.multus.settings import Settings
from cni_multus.network import Network
from cni_multus.node.marker import stamp
from cni_multus.node.primary import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cni_multus.node.primary import Primary

NAME = "multus-cni-network"
PLUGIN, LIST = "00-multus.conf", "00-multus.conflist"
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
LEVELS = ("debug", "verbose", "info", "error", "panic")
OWN_OPTION = frozenset(("cniVersion", "cniVersions", "name", "type", "clusterNetwork", "delegates", "plugins"))
"""Keys that are decided by other means than being given."""

_FIRST_LISTS = "1.0.0"


@dataclass(frozen=True)
class Options:
    """What the operator decides; the names of keys are Multus's."""

    kubeconfig: str = ""
    namespace_isolation: bool = False
    global_namespaces: str = ""
    log_to_stderr: bool = True
    log_level: str = ""
    log_file: str = ""
    override_name: bool = False
    cni_version: str = ""
    force_version: bool = False
    readiness_file: str = ""
    bin_dir: str = ""
    networks_dir: str = ""
    more: Mapping[str, object] = field(default_factory=dict)
    """Further keys, as they are to stand there."""

    def keys(self) -> dict[str, object]:
        """The plugin's keys that have another value than where they are absent."""
        given: dict[str, object] = {
            "kubeconfig": self.kubeconfig,
            "binDir": self.bin_dir,
            "confDir": self.networks_dir,
            "namespaceIsolation": self.namespace_isolation,
            "globalNamespaces": self.global_namespaces,
            "readinessindicatorfile": self.readiness_file,
            "logLevel": self.log_level,
            "logFile": self.log_file,
        }
        chosen = {key: value for key, value in given.items() if value}
        return {**chosen, **({} if self.log_to_stderr else {"logToStderr": False}), **self.more}


@dataclass(frozen=True)
class Document:
    """A configuration to be published: its file's name, its content, and the node's file that it was made from."""

    name: str
    data: bytes
    source: str


def generate(options: Options, primary: Primary, renamed: str = "") -> Document:
    """The configuration for this primary, which was called `renamed` before; raises InvalidNetworkConfig."""
    head = {**_version(options, primary), "name": primary.name if options.override_name else NAME}
    plugin = {"type": "multus", **options.keys(), "clusterNetwork": primary.path}
    plugin["capabilities"] = {**dict.fromkeys((*primary.capabilities, ANNOTATIONS), True), **_asked(options)}
    if not at_least(str(head["cniVersion"]), _FIRST_LISTS):
        return _document(PLUGIN, {**head, **plugin}, primary.path, renamed)
    if options.override_name:
        # The directory of that name is the primary's: the runtime must not run its plugins once more.
        head["loadOnlyInlinedPlugins"] = True
    return _document(LIST, {**head, "plugins": [plugin]}, primary.path, renamed)


def verbatim(path: str, data: bytes) -> Document:
    """An operator's own configuration of the meta-plugin, from the node's file `path`, with nothing but the marker."""
    name = os.path.basename(path)
    if not name.endswith(ENDINGS) or name.startswith("."):
        raise InvalidNetworkConfig(f"{path}: no runtime reads a file of that name; it must end in {', '.join(ENDINGS)}")
    return _document(name, parse_object(data, path), path)


def verify(document: Mapping[str, object], where: str) -> None:
    """Read it as the plugin will; raises a CniError that names what is wrong."""
    try:
        network = Network(Section(dict(document)))
        require_supported(network.version)
        plugin = next((plugin for plugin in network.plugins if plugin.text("type") == "multus"), None)
        if plugin is None:
            raise InvalidNetworkConfig(f"type: none of {', '.join(network.types)} is multus")
        if not plugin.has("clusterNetwork") and not plugin.items("delegates"):
            raise plugin.wrong("clusterNetwork", "there is neither this nor a delegate")
        Settings(Request("ADD", plugin, {}))
    except CniError as error:
        error.message = f"{where}: {error.message}"
        raise


def _document(name: str, document: dict[str, object], source: str, renamed: str = "") -> Document:
    verify(document, f"the configuration made from {source}")
    return Document(name, print_indented(stamp(document, source, renamed)) + b"\n", source)


def _version(options: Options, primary: Primary) -> dict[str, object]:
    version = primary.version or OLDEST
    asked = options.cni_version
    if asked and asked != version and not options.force_version:
        raise InvalidNetworkConfig(
            f"--cni-version is {asked}, and {primary.path} has {version}: leave it out to take that one, "
            "or add --force-cni-version"
        )
    if asked and options.force_version:
        return {"cniVersion": asked}
    return {"cniVersion": version, **({"cniVersions": list(primary.versions)} if primary.versions else {})}


def _asked(options: Options) -> dict[str, object]:
    more = options.more.get("capabilities")
    return dict(more) if isinstance(more, dict) else {}
