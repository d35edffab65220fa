"""Addresses of links: list them, and the messages that add and remove them.

Numbers are those of the kernel's <linux/if_addr.h> and <linux/rtnetlink.h>.
"""

from __future__ import annotations

import _socket
import errno
import struct

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    attribute,
    dump_request,
    message,
    number,
    parse_attributes,
    u32,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

AF_INET = 2
AF_INET6 = 10

RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22

IFA_F_NODAD = 0x02
IFA_F_DADFAILED = 0x08
IFA_F_TENTATIVE = 0x40
IFA_F_PERMANENT = 0x80
IFA_F_NOPREFIXROUTE = 0x200

_IFADDRMSG = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index of the link
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_BROADCAST = 4
_IFA_FLAGS = 8


def family_of(packed: bytes) -> int:
    """4 or 6, by the length of a packed address."""
    return 4 if len(packed) == 4 else 6


def kernel_family(family: int) -> int:
    """AF_INET or AF_INET6 for 4 or 6; 0, both, for 0."""
    return {4: AF_INET, 6: AF_INET6}.get(family, 0)


def written(packed: bytes) -> str:
    """A packed address as text."""
    return _socket.inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


class Address:
    """One address of a link; `family` is 4 or 6, `packed` 4 or 16 bytes."""

    __slots__ = ("family", "flags", "index", "packed", "prefix", "scope")

    def __init__(self, packed: bytes, prefix: int, index: int, scope: int = 0, flags: int = 0) -> None:
        self.family = family_of(packed)
        self.packed = packed
        self.prefix = prefix
        self.index = index
        self.scope = scope
        self.flags = flags

    @property
    def tentative(self) -> bool:
        """Whether duplicate detection has not finished."""
        return bool(self.flags & IFA_F_TENTATIVE)

    @property
    def dadfailed(self) -> bool:
        """Whether somebody else on the link has it."""
        return bool(self.flags & IFA_F_DADFAILED)

    @property
    def permanent(self) -> bool:
        """Whether it stays until it is removed, as what autoconfiguration makes does not."""
        return bool(self.flags & IFA_F_PERMANENT)

    def __str__(self) -> str:
        return f"{written(self.packed)}/{self.prefix}"

    def __repr__(self) -> str:
        return f"Address({self} on link {self.index})"


def decode_address(body: bytes) -> Address:
    """The address in the body of an RTM_NEWADDR; ValueError when it is not one."""
    if len(body) < _IFADDRMSG.size:
        raise ValueError(f"address message of {len(body)} bytes")
    _, prefix, flags, scope, index = _IFADDRMSG.unpack_from(body)
    found = parse_attributes(body[_IFADDRMSG.size :])
    # On a point-to-point link IFA_ADDRESS is the other end's.
    packed = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS, b"")
    if len(packed) not in (4, 16):
        raise ValueError(f"address of {len(packed)} bytes")
    return Address(packed, prefix, index, scope, number(found[_IFA_FLAGS]) if _IFA_FLAGS in found else flags)


def list_addresses(ns: Namespace, index: int = 0, family: int = 0) -> list[Address]:
    """Addresses of one link, or of all; of family 4, 6, or both; none when there is no such link."""
    request = dump_request(RTM_GETADDR, _IFADDRMSG.pack(kernel_family(family), 0, 0, 0, index))
    try:
        listed = ns.netlink.dump(request, f"cannot list addresses of {ns}")
    except NetlinkFailure as failure:
        if failure.errno == errno.ENODEV:
            return []
        raise
    found = [
        decode_address(body)
        for kind, body in listed
        # Decnet and others answer a dump of all families too.
        if kind == RTM_NEWADDR and body[:1] in (b"\x02", b"\x0a")
    ]
    # Kernels before 4.20 ignore the filter.
    return [each for each in found if index in (0, each.index) and family in (0, each.family)]


def add_address_message(
    index: int, packed: bytes, prefix: int, *, nodad: bool = False, scope: int = 0, routed: bool = True
) -> bytes:
    """The message that adds an address; `nodad` spares an IPv6 one the second of duplicate detection.

    With `routed` the kernel adds the route to its network as well.
    """
    body = _identity(index, packed, prefix, scope)
    if len(packed) == 4 and prefix < 31:
        rest = (1 << (32 - prefix)) - 1
        body += attribute(_IFA_BROADCAST, (int.from_bytes(packed, "big") | rest).to_bytes(4, "big"))
    flags = (IFA_F_NODAD if nodad and len(packed) == 16 else 0) | (0 if routed else IFA_F_NOPREFIXROUTE)
    if flags:
        body += attribute(_IFA_FLAGS, u32(flags))
    return message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body)


def remove_address_message(index: int, packed: bytes, prefix: int) -> bytes:
    """The message that removes an address."""
    return message(RTM_DELADDR, 0, _identity(index, packed, prefix, 0))


def _identity(index: int, packed: bytes, prefix: int, scope: int) -> bytes:
    header = _IFADDRMSG.pack(kernel_family(family_of(packed)), prefix, 0, scope, index)
    return header + attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
