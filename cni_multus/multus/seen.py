"""What the kernel shows of the interfaces in a pod, read once when all of them are attached; it knows no results."""

from __future__ import annotations

import os

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.linux.addresses import list_addresses, written
from cni_multus.linux.defaultroutes import default_routes
from cni_multus.linux.links import list_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.addresses import Address
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace

_GLOBAL_SCOPE = 0
_LINK_LOCAL = Cidr.parse("169.254.0.0/16")


class SeenInterface:
    """One of them: its `ips` in the kernel's order, those of them that others can reach, and its default gateways."""

    __slots__ = ("gateways", "ips", "mac", "mtu", "reachable")

    def __init__(self, link: Link) -> None:
        self.mac = link.mac
        self.mtu = link.mtu
        self.ips: list[Ip] = []
        self.reachable: list[Ip] = []
        self.gateways: list[str] = []

    def take(self, address: Address) -> None:
        """Add an address that it has; one that another host has too is of no use."""
        if address.dadfailed:
            return
        ip = Ip(address.family, int.from_bytes(address.packed, "big"))
        self.ips.append(ip)
        if address.scope == _GLOBAL_SCOPE and not _LINK_LOCAL.contains(ip):
            self.reachable.append(ip)


class Seen:
    """The interfaces of one namespace."""

    __slots__ = ("_identity", "_interfaces", "_path")

    def __init__(self, path: str, identity: tuple[int, int], interfaces: dict[str, SeenInterface]) -> None:
        self._path = path
        self._identity = identity
        self._interfaces = interfaces

    @staticmethod
    def look(container: Namespace) -> Seen:
        """Read the links, the addresses and the default routes of the main table."""
        links = list_links(container)
        by_index = {link.index: SeenInterface(link) for link in links}
        for address in list_addresses(container):
            if address.index in by_index:
                by_index[address.index].take(address)
        for route in default_routes(container):
            for index, gateway in route.hops if route.leads else ():
                if gateway and index in by_index:
                    by_index[index].gateways.append(written(gateway))
        interfaces = {link.name: by_index[link.index] for link in links}
        return Seen(container.path, container.identity, interfaces)

    def find(self, name: str, sandbox: str = "") -> SeenInterface | None:
        """The interface of that name; None where there is none, or where `sandbox` is another namespace."""
        return self._interfaces.get(name) if not sandbox or self._is_at(sandbox) else None

    def _is_at(self, sandbox: str) -> bool:
        if sandbox == self._path:
            return True
        try:
            status = os.stat(sandbox)
        except (OSError, ValueError):
            return True  # a name that only its plugin knows
        return (status.st_dev, status.st_ino) == self._identity
