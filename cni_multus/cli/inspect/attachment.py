"""One attachment: what its record says, what the kernel shows, and in what they differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.described import described_address, described_route
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Attachment as Key

if TYPE_CHECKING:
    from cni_multus.cli.inspect.details import Details
    from cni_multus.cli.inspect.nft import NftObject
    from cni_multus.cli.inspect.owners import Owned
    from cni_multus.cli.inspect.policy import Policy
    from cni_multus.cli.inspect.queueing import Queueing
    from cni_multus.cli.inspect.records import Known
    from cni_multus.cni.result import Interface, Result
    from cni_multus.linux.addresses import Address
    from cni_multus.linux.links import Link
    from cni_multus.linux.routes import Route
    from cni_multus.state.journal import Attachment


@dataclass(frozen=True, slots=True)
class Set:
    """A kernel setting that the network's tuning set; `value` is None where the kernel does not show it."""

    key: str
    """As the configuration has it."""
    name: str
    wanted: str
    value: str | None
    wrong: bool = False

    @property
    def difference(self) -> str:
        """The same in the words of CHECK."""
        return f"{self.key} is gone" if self.value is None else f"{self.key} is {self.value!r}, not {self.wanted!r}"

    def __str__(self) -> str:
        now = "gone" if self.value is None else self.value
        return f"{self.name}={self.wanted}" + (f" (now {now})" if self.wrong else "")

    def to_json(self) -> dict[str, object]:
        """All of it."""
        return {"name": self.name, "set": self.wanted, "now": self.value, "differs": self.wrong}


@dataclass(slots=True)
class Observed:
    """An interface that a record has; what the kernel shows is empty where nothing could be seen."""

    known: Known
    attachment: Attachment
    network: str
    types: list[str]
    primary: bool
    link: Link | None = None
    port: Link | None = None
    """The node's end of a veth pair."""
    master: str = ""
    """What it stands on: a bridge, or a link of the node; in brackets what is not on the node."""
    vlans: str = ""
    addresses: list[Address] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    queueing: list[tuple[str, Queueing]] = field(default_factory=list)
    """Each behind the name of its link, as `node:vethX` for one of the node."""
    settings: list[Set] = field(default_factory=list)
    filters: list[NftObject] = field(default_factory=list)
    owned: list[Owned] = field(default_factory=list)
    details: Details | None = None
    """Only where few are looked at."""
    wrong: list[str] = field(default_factory=list)

    @property
    def ifname(self) -> str:
        """Its name in the pod."""
        return self.attachment.ifname

    @property
    def key(self) -> Key:
        """What everything on the node that belongs to it is marked with."""
        return Key(network_name(self.attachment), self.known.container_id, self.ifname)

    @property
    def result(self) -> Result | None:
        """What the ADD returned."""
        return self.attachment.result

    @property
    def recorded(self) -> Interface | None:
        """The interface as the ADD returned it."""
        if self.result is None:
            return None
        named = [one for one in self.result.interfaces if one.sandbox and one.name == self.ifname]
        return named[0] if named else None

    @property
    def names(self) -> list[str]:
        """Every link that it explains in the namespace."""
        return names_of(self.attachment)

    @property
    def mac(self) -> str:
        """As the kernel shows it, else as it is recorded."""
        return self.link.mac if self.link else self.recorded.mac if self.recorded else ""

    @property
    def told_addresses(self) -> list[str]:
        """Those that the record has, as text."""
        return [str(ip.address) for ip in self.result.ips] if self.result else []

    def to_json(self) -> dict[str, object]:
        """Everything, what there is none of left out."""
        document: dict[str, object] = {
            "interface": self.ifname,
            "network": self.network,
            "networkName": self.key.network,
            "types": self.types,
            "primary": self.primary,
            "kernel": self._shown(),
            "recorded": self._told(),
            "master": self.master,
            "nodeInterface": self.port.name if self.port else "",
            "vlans": self.vlans,
            "rules": [str(policy) for policy in self.policies],
            "settings": [one.to_json() for one in self.settings],
            "nftables": [one.to_json() for one in self.filters],
            "queueing": [{"interface": name, "qdisc": str(each)} for name, each in self.queueing],
            "ipam": [one.to_json() for one in self.owned],
            "details": self.details.to_json() if self.details else {},
            "differences": self.wrong,
        }
        return {key: value for key, value in document.items() if value or key in ("differences", "primary", "kernel")}

    def _shown(self) -> dict[str, object] | None:
        if self.link is None:
            return None
        return {
            "index": self.link.index,
            "kind": self.link.kind,
            "mac": self.link.mac,
            "mtu": self.link.mtu,
            "up": self.link.up,
            "addresses": [described_address(address) for address in self.addresses],
            "routes": [described_route(route) for route in self.routes],
        }

    def _told(self) -> dict[str, object] | None:
        if self.result is None:
            return None
        document: dict[str, object] = {"addresses": self.told_addresses}
        if self.recorded is not None:
            document |= {"mac": self.recorded.mac, "mtu": self.recorded.mtu}
        return {**document, "routes": [route.to_json("1.1.0") for route in self.result.routes]}


def network_name(attachment: Attachment) -> str:
    """The name of an attachment's network."""
    name = attachment.network.get("name")
    return name if isinstance(name, str) else ""


def plugins_of(attachment: Attachment) -> list[Section]:
    """The sections of its plugins, as far as they are objects."""
    raw = attachment.network.get("plugins")
    members = raw if isinstance(raw, list) else [attachment.network]
    return [Section(member) for member in members if isinstance(member, dict)]


def names_of(attachment: Attachment) -> list[str]:
    """The links in the pod that it explains; a VRF is its network's, though no result tells it."""
    told = [one.name for one in attachment.result.interfaces if one.sandbox] if attachment.result else []
    vrfs = [_text(plugin, "vrfname") for plugin in plugins_of(attachment)]
    return [name for name in (attachment.ifname, *told, *vrfs) if name]


def ipam_of(attachment: Attachment) -> Section:
    """The section of the plugin that gave the addresses; an empty one where there is none."""
    for plugin in plugins_of(attachment):
        ipam = plugin.raw.get("ipam")
        if isinstance(ipam, dict) and ipam.get("type"):
            return Section(ipam)
    return Section({})


def _text(section: Section, key: str) -> str:
    try:
        return section.text(key)
    except CniError:
        return ""
