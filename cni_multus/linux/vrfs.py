"""VRFs: routing tables as links, and what a link must not lose when it becomes a member of one or leaves it.

The kernel takes a link down and up again then: routes are gone, IPv6 addresses may be, and what it makes itself it
makes again in the table that counts now. Numbers are those of the kernel's <linux/rtnetlink.h>.
"""

from __future__ import annotations

import errno
import time

from cni_multus.cni.addressing import Cidr
from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import add_address_message, list_addresses
from cni_multus.linux.codec import attribute, u32
from cni_multus.linux.linkinfo import IFLA_VRF_TABLE
from cni_multus.linux.links import add_child_link, change_link, list_links, remove_link
from cni_multus.linux.routes import RT_TABLE_MAIN, Route, list_routes
from cni_multus.linux.routetables import (
    add_routes,
    in_table,
    missing,
    own_routes,
    route_from_json,
    route_to_json,
    send_each,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace

_LOCAL = 2
_LINK_SCOPE = 253
_PATIENCE = 2.0


class Belongings:
    """The IPv6 addresses of a link, but link-local ones, and its routes, as of the main table."""

    __slots__ = ("addresses", "routes")

    def __init__(self, addresses: list[str] | None = None, routes: list[Route] | None = None) -> None:
        self.addresses = addresses or []
        self.routes = routes or []

    @staticmethod
    def of(container: Namespace, link: Link, table: int = RT_TABLE_MAIN) -> Belongings:
        """What the kernel shows, the routes being in `table`."""
        addresses = [
            str(address)
            for address in list_addresses(container, link.index, 6)
            if address.permanent and address.scope != _LINK_SCOPE
        ]
        routes = own_routes(container, link.index, table)
        return Belongings(addresses, [in_table(route, RT_TABLE_MAIN) for route in routes])

    @staticmethod
    def parse(section: Section) -> Belongings:
        """The way back from `to_json`; raises CniError where it is none."""
        routes = [route_from_json(route) for route in section.sections("routes")]
        addresses = section.texts("addresses")
        for at, address in enumerate(addresses):
            try:
                Cidr.parse(address)
            except ValueError as error:
                raise section.wrong(f"addresses[{at}]", str(error)) from None
        return Belongings(list(addresses), routes)

    def to_json(self) -> dict[str, object]:
        """As it is written down."""
        return {"addresses": self.addresses, "routes": [route_to_json(route) for route in self.routes]}

    def including(self, other: Belongings) -> Belongings:
        """Both, each once."""
        addresses = [address for address in other.addresses if address not in self.addresses]
        return Belongings(self.addresses + addresses, self.routes + missing(other.routes, self.routes))

    def differences(self, container: Namespace, link: Link, table: int) -> list[str]:
        """What of it the link does not have, the routes being in `table`."""
        shown = Belongings.of(container, link, table)
        wrong = [f"address {address} is missing" for address in self.addresses if address not in shown.addresses]
        return wrong + [f"route {route} is missing in table {table}" for route in missing(self.routes, shown.routes)]


def add_vrf(container: Namespace, name: str, table: int, group: int) -> Link:
    """Make a VRF, up; it has the group of the links of a pod, and goes with them."""
    try:
        made = add_child_link(
            container,
            "vrf",
            attribute(IFLA_VRF_TABLE, u32(table)),
            parent=0,
            name=name,
            namespace=container,
            group=group,
        )
    except NetlinkFailure as failure:
        if failure.errno == errno.EOPNOTSUPP:
            failure.message += "; the kernel has no VRFs (module vrf)"
        raise
    try:
        change_link(container, made.index, up=True, attempt=f"cannot bring vrf {name} up")
    except NetlinkFailure:
        remove_link(container, made.index)
        raise
    return made


def members(container: Namespace, vrf: Link) -> list[Link]:
    """The links whose master a VRF is."""
    return [link for link in list_links(container) if link.master == vrf.index]


def remaster(
    container: Namespace,
    link: Link,
    master: int,
    table: int,
    what: Belongings,
    attempt: str,
    harmless: tuple[int, ...] = (),
) -> None:
    """Give a link another master, 0 for none, and its belongings again, the routes in `table`.

    What the kernel makes again by itself it may do meanwhile: what is there already is as good.
    """
    harmless = (*harmless, errno.EEXIST)
    if link.master != master:
        change_link(container, link.index, master=master, attempt=attempt)
    addresses = {str(address) for address in list_addresses(container, link.index, 6)}
    lost = [Cidr.parse(address) for address in what.addresses if address not in addresses]
    messages = [
        (
            add_address_message(link.index, address.ip.packed, address.prefix, nodad=True),
            f"cannot add address {address} to {link.name} again",
        )
        for address in lost
    ]
    send_each(container, messages, harmless)
    if not link.up:
        return  # a link that is down has no routes
    _await_local_routes(container, table, what.addresses)
    routes = [in_table(route, table) for route in what.routes]
    shown = own_routes(container, link.index, table)
    send_each(container, add_routes(missing(routes, shown), link.index, link.name), harmless)


def _await_local_routes(container: Namespace, table: int, addresses: list[str]) -> None:
    """Wait until the kernel, in its own time, has made the routes to IPv6 addresses: others may depend on them."""
    wanted = {Cidr.parse(address).ip.packed for address in addresses}
    local = 255 if table == RT_TABLE_MAIN else table
    deadline = time.monotonic() + _PATIENCE
    while wanted and time.monotonic() < deadline:
        shown = list_routes(container, family=6, table=local)
        if wanted <= {route.dst for route in shown if route.type == _LOCAL}:
            return
        time.sleep(0.005)
