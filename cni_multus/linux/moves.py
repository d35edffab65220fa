"""A link that is lent to another namespace: moved there, and back to what it was at home.

A move closes the link, and the kernel drops its addresses and routes. Numbers are those of <linux/if_link.h>.
"""

from __future__ import annotations

import errno

from cni_multus.cni.addressing import Cidr
from cni_multus.cni.config import Section
from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.addresses import add_address_message, list_addresses
from cni_multus.linux.codec import attribute, message, string, u32
from cni_multus.linux.linkinfo import (
    IFF_ALLMULTI,
    IFF_PROMISC,
    IFF_UP,
    IFINFOMSG,
    IFLA_IFALIAS,
    IFLA_IFNAME,
    IFLA_NET_NS_FD,
    Link,
)
from cni_multus.linux.linktable import RTM_NEWLINK, change_message, find_link, find_link_by_index, link, list_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

_RETURNING = "multus-returning"  # the alias of a link that is home, and not yet what it was
_LINK_LOCAL_SCOPE = 253
_NUMBERS = ("index", "flags", "group", "mtu")
_TEXTS = ("alias", "kind", "mac", "master", "name", "parent_device", "permanent_mac")


class Home:
    """What a link was in its own namespace; `index` is its index where it is now, `master` a name or ""."""

    __slots__ = (*_NUMBERS, *_TEXTS, "addresses", "routes")

    index: int
    flags: int
    group: int
    mtu: int
    alias: str
    kind: str
    mac: str
    master: str
    name: str
    parent_device: str
    permanent_mac: str
    addresses: tuple[str, ...]
    routes: tuple[dict[str, object], ...]

    @staticmethod
    def of(host: Namespace, link: Link) -> Home:
        """What `link` is now."""
        home = Home()
        for key in (*_NUMBERS, *_TEXTS):
            if key != "master":
                setattr(home, key, getattr(link, key))
        master = find_link_by_index(host, link.master)
        home.master = master.name if master else ""
        home.addresses, home.routes = _layer_3(host, link)
        return home

    @staticmethod
    def parse(section: Section) -> Home:
        """Read what `to_json` made."""
        home = Home()
        for key in _NUMBERS:
            setattr(home, key, section.number(key))
        for key in _TEXTS:
            setattr(home, key, section.text(key))
        home.addresses = section.texts("addresses")
        home.routes = tuple(route.raw for route in section.sections("routes"))
        return home

    def to_json(self) -> dict[str, object]:
        """Everything, for a file."""
        known: dict[str, object] = {key: getattr(self, key) for key in (*_NUMBERS, *_TEXTS)}
        return {**known, "addresses": list(self.addresses), "routes": list(self.routes)}

    @property
    def is_physical(self) -> bool:
        """Whether the kernel sends it home when the namespace that it is in dies, and it can be told from others."""
        return not self.kind and bool(self.parent_device or self.permanent_mac)

    def is_of(self, link: Link) -> bool:
        """Whether `link` is the one, whatever its name, and its MAC, are now."""
        if link.kind != self.kind:
            return False
        if self.parent_device:
            # Two ports may be one device; an administrator may give a VF another permanent MAC.
            same = link.permanent_mac == self.permanent_mac or link.index == self.index
            return link.parent_device == self.parent_device and same
        if self.permanent_mac:
            return link.permanent_mac == self.permanent_mac
        return link.index == self.index


def find_moved(ns: Namespace, home: Home) -> Link | None:
    """The link that left `home`, if it is in `ns`; by its index, else by what else is its own."""
    found = find_link_by_index(ns, home.index)
    if found is not None and home.is_of(found):
        return found
    return next((each for each in list_links(ns) if _was_moved(home, each)), None)


def _was_moved(home: Home, link: Link) -> bool:
    """Whether a link with another index is the one; what `move` made of it tells a virtual one."""
    if home.parent_device or home.permanent_mac:
        return home.is_of(link)
    return (link.kind, link.alias, link.mac) == (home.kind, home.name, home.mac)


def find_returning(host: Namespace, home: Home) -> Link | None:
    """The link that somebody brought home who was killed before he could make it what it was."""
    found = find_link(host, home.name)
    return found if found is not None and (found.alias, found.kind) == (_RETURNING, home.kind) else None


def move(ns: Namespace, index: int, target: Namespace, *, name: str, alias: str, attempt: str) -> None:
    """Move a link under its new name, with one message; it arrives down.

    The kernel renames it after the move: the caller sees to it that the name is free.
    """
    body = IFINFOMSG.pack(0, 0, index, 0, 0) + attribute(IFLA_NET_NS_FD, u32(target.fd))
    body += attribute(IFLA_IFNAME, string(name)) + attribute(IFLA_IFALIAS, string(alias))
    ns.netlink.request(message(RTM_NEWLINK, 0, body), attempt)


def take_back(host: Namespace, container: Namespace, home: Home) -> None:
    """Undo a move, wherever it came to an end; raises where the device is not what it was."""
    there = find_moved(container, home)
    failure = give_back(container, there, host, home) if there is not None else None
    if failure is not None:
        raise failure


def give_back(container: Namespace, link_there: Link, host: Namespace, home: Home) -> NetlinkFailure | None:
    """Move a link home; raises where it stays, returns what could not be restored where it came."""
    attempt = f"cannot give {link_there.name} of {container} back to the node as {home.name}"
    require_free(host, home.name, attempt)
    move(container, link_there.index, host, name=home.name, alias=_RETURNING, attempt=attempt)
    return mend(host, link(host, home.name), home)


def mend(host: Namespace, link: Link, home: Home) -> NetlinkFailure | None:
    """Make a link that is home what it was; raises where its name is taken, returns what else was refused."""
    attempt = f"cannot make {link.name} {home.name} again"
    if link.name != home.name:
        require_free(host, home.name, attempt, but=link.index)
        if link.up:  # kernels before 6.3 rename no link that is up
            host.netlink.request(change_message(link.index, up=False), attempt)
        host.netlink.request(change_message(link.index, name=home.name), attempt)
    try:
        host.netlink.batch(_settings(host, link, home))
    except NetlinkFailure as failure:
        return failure
    return None


def require_free(ns: Namespace, name: str, attempt: str, but: int = 0) -> None:
    """Raise where a link of `ns`, other than the one with the index `but`, has that name."""
    other = find_link(ns, name)
    if other is not None and other.index != but:
        raise NetlinkFailure(
            f"{attempt}: {ns} has another link {name} ({other.kind or 'physical'}, {other.mac})",
            "it stays as it is; rename or remove that link, and try again",
            errno.EEXIST,
        )


def _settings(host: Namespace, link: Link, home: Home) -> list[tuple[bytes, str]]:
    """The messages that restore everything but the name, in an order in which the kernel takes them."""
    what = f"of {home.name} on the node"
    index = link.index
    batch = []
    if link.mac != home.mac:
        batch.append((change_message(index, mac=home.mac), f"cannot restore the MAC {home.mac} {what}"))
    if link.mtu != home.mtu:
        batch.append((change_message(index, mtu=home.mtu), f"cannot restore the MTU {home.mtu} {what}"))
    master = find_link(host, home.master) if home.master else None
    if master is not None:
        batch.append((change_message(index, master=master.index), f"cannot restore the master {master.name} {what}"))
    flags = change_message(
        index,
        alias=home.alias,
        group=home.group,
        up=bool(home.flags & IFF_UP),
        promisc=bool(home.flags & IFF_PROMISC),
        allmulti=bool(home.flags & IFF_ALLMULTI),
    )
    batch.append((flags, f"cannot restore the flags {what}"))
    addresses, routes = _layer_3(host, link)
    for text in home.addresses:
        if text in addresses:
            continue
        cidr = Cidr.parse(text)
        address = add_address_message(index, cidr.ip.packed, cidr.prefix, nodad=True)
        batch.append((address, f"cannot restore the address {text} {what}"))
    missing = [raw for raw in home.routes if raw not in routes]
    if missing:
        from cni_multus.linux.routerecords import from_json
        from cni_multus.linux.routes import route_message

        routes_back = [from_json(raw) for raw in missing]
        batch += [(route_message(route, index), f"cannot restore the route {route} {what}") for route in routes_back]
    return batch


def _layer_3(host: Namespace, link: Link) -> tuple[tuple[str, ...], tuple[dict[str, object], ...]]:
    """The addresses and routes of a link that somebody gave it, not the kernel by itself."""
    addresses = [
        str(address)
        for address in list_addresses(host, link.index)
        if address.permanent and not (address.family == 6 and address.scope == _LINK_LOCAL_SCOPE)
    ]
    if not link.up:
        return tuple(addresses), ()  # the kernel keeps no routes on a link that is down
    from cni_multus.linux.routerecords import recorded

    return tuple(addresses), recorded(host, link.index)
