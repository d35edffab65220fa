"""A NetworkAttachmentDefinition (k8s.cni.cncf.io/v1): what it says, and the network that follows from it.

NPWG de-facto standard 1.3, section 3: `spec.config` is a CNI configuration as text; without one, the network is the one
of the definition's name in the node's `confDir`.
"""

from __future__ import annotations

from cni_multus import confdir
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError, InvalidNetworkConfig
from cni_multus.cni.names import LONGEST_NAME
from cni_multus.hashes import digest
from cni_multus.nads.bounded import refuse_excess
from cni_multus.nads.confined import refuse_foreign_paths
from cni_multus.network import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

RESOURCE = "k8s.v1.cni.cncf.io/resourceName"
"""The annotation that says which of the pod's devices the network is for."""


class Definition:
    """One definition."""

    __slots__ = ("config", "name", "namespace", "of_api", "resource")

    def __init__(self, namespace: str, name: str, config: str, resource: str = "", *, of_api: bool = False) -> None:
        self.namespace = namespace
        self.name = name
        self.config = config
        self.resource = resource
        self.of_api = of_api
        """Whoever wrote it has rights in the cluster, and none on the node."""

    @staticmethod
    def parse(document: dict[str, object], namespace: str, name: str, *, of_api: bool = False) -> Definition:
        """Read the API's object; raises InvalidNetworkConfig for one that is none."""
        try:
            section = Section(document)
            annotations = section.section("metadata").section("annotations")
            config = section.section("spec").text("config")
            return Definition(namespace, name, config, annotations.text(RESOURCE), of_api=of_api)
        except CniError as error:
            raise InvalidNetworkConfig(f"{_where(namespace, name)}: {error.message}") from error

    @property
    def where(self) -> str:
        """How a message names it."""
        return _where(self.namespace, self.name)

    @property
    def label(self) -> str:
        """How network-status and Events name it."""
        return f"{self.namespace}/{self.name}"

    def network(
        self,
        conf_dir: str,
        version: str,
        warn: Callable[[str], object],
        allowed: tuple[str, ...] = (),
        *,
        plain_name: bool = False,
    ) -> Network:
        """The network; raises InvalidNetworkConfig, which names the definition and what is wrong in it.

        `allowed` are places of the node that a definition from the API may name besides the plugins' own;
        `plain_name`: where the configuration has no name, it is the definition's, as with the Go Multus.
        """
        try:
            if self.config.strip():
                network = self._inline(version, self.name if plain_name else self.own_name, allowed)
            else:
                network = self._on_node(conf_dir, version, warn)
            network.refuse_type("multus", "multus cannot be a delegate of itself")
        except CniError as error:
            message = error.message if self.config.strip() else f"spec.config is empty, and {error.message}"
            raise InvalidNetworkConfig(f"{self.where}: {message}", error.details) from error
        return network

    def _inline(self, version: str, own_name: str, allowed: tuple[str, ...]) -> Network:
        config = Section(parse_object(self.config.encode("utf-8", "surrogateescape"), "spec.config"), "spec.config")
        refuse_excess(config)
        if self.of_api:
            refuse_foreign_paths(config.raw, allowed)
        name = config.text("name")
        if not name:
            config = Section({**config.raw, "name": own_name}, config.path)
        return Network(config, version=version)

    def _on_node(self, conf_dir: str, version: str, warn: Callable[[str], object]) -> Network:
        return confdir.find_network(conf_dir, self.name, warn, version=version)

    @property
    def own_name(self) -> str:
        """What the network is called whose configuration has no name.

        With the namespace in front, which has no '_': two teams' networks of one name share no addresses.
        """
        name = f"{self.namespace}_{self.name}"
        return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 17]}-{digest(name, 16)}"


def _where(namespace: str, name: str) -> str:
    return f"NetworkAttachmentDefinition {namespace}/{name}"
