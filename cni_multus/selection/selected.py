"""One network that a pod asks for, and what it asks of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.addressing import Ip


class Selection:
    """One element of an annotation, validated; what was not asked for is empty."""

    __slots__ = (
        "_place",
        "bandwidth",
        "cni_args",
        "default_route",
        "device_id",
        "ifname",
        "infiniband_guid",
        "ipam_claim",
        "ips",
        "mac",
        "name",
        "namespace",
        "port_mappings",
        "said_namespace",
    )

    def __init__(
        self, name: str, namespace: str, place: Callable[[], str], *, said_namespace: bool = False, ifname: str = ""
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.said_namespace = said_namespace
        """Whether the annotation says the namespace, or it is the one that counts where nothing is said."""
        self.ifname = ifname
        self.ips: tuple[str, ...] = ()
        """As the capability has them: addresses, with a prefix length where one was given."""
        self.mac = ""
        self.infiniband_guid = ""
        self.port_mappings: list[dict[str, object]] = []
        """As the capability has them; those without a port of the node lead nowhere, and are left out."""
        self.bandwidth: dict[str, int] = {}
        """As the capability has it; what is 0 is left out."""
        self.cni_args: dict[str, object] = {}
        self.device_id = ""
        self.ipam_claim = ""
        self.default_route: tuple[Ip, ...] = ()
        """The gateways, one of a family at most."""
        self._place = place

    @property
    def where(self) -> str:
        """How a message names the element: the annotation, its number, line and column."""
        return self._place()
