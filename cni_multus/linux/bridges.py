"""Ports of bridges: their settings, and the messages that change them.

Numbers are those of the kernel's <linux/if_link.h> and <linux/if_bridge.h>.
"""

from __future__ import annotations

import errno

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.codec import attribute, message, nested, number, u8
from cni_multus.linux.linkinfo import IFINFOMSG
from cni_multus.linux.linktable import find_link_by_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.linkinfo import Link
    from cni_multus.linux.netns import Namespace

BR_STATE_FORWARDING = 3

_AF_BRIDGE = 7
_RTM_SETLINK = 19
_IFLA_PROTINFO = 12
_IFLA_BRPORT_STATE = 1
_IFLA_BRPORT_MODE = 4
_IFLA_BRPORT_LEARNING = 8
_IFLA_BRPORT_UNICAST_FLOOD = 9
_IFLA_BRPORT_ISOLATED = 33


class Port:
    """The settings of one port of a bridge; `state` is a BR_STATE_ number."""

    __slots__ = ("hairpin", "isolated", "learning", "state", "unicast_flood")

    def __init__(self, settings: dict[int, bytes]) -> None:
        self.hairpin = bool(number(settings.get(_IFLA_BRPORT_MODE, b"")))
        self.isolated = bool(number(settings.get(_IFLA_BRPORT_ISOLATED, b"")))
        self.learning = bool(number(settings.get(_IFLA_BRPORT_LEARNING, b"")))
        self.unicast_flood = bool(number(settings.get(_IFLA_BRPORT_UNICAST_FLOOD, b"")))
        self.state = number(settings.get(_IFLA_BRPORT_STATE, b""))


def port_of(link: Link) -> Port:
    """The port settings that came with a link; all off when it is no port."""
    return Port(link.port)


def read_port(host: Namespace, index: int) -> Port:
    """The settings of a port; NetlinkFailure (ENODEV) when there is no such link, (EINVAL) when it is no port."""
    link = find_link_by_index(host, index)
    if link is None:
        raise NetlinkFailure(f"no link {index} in {host}", errno=errno.ENODEV)
    if not link.port:
        raise NetlinkFailure(f"link {link.name} in {host} is not a port of a bridge", errno=errno.EINVAL)
    return port_of(link)


def port_message(
    index: int,
    *,
    hairpin: bool | None = None,
    isolated: bool | None = None,
    learning: bool | None = None,
    unicast_flood: bool | None = None,
) -> bytes:
    """The message that changes what is given of a port."""
    wanted = (
        (_IFLA_BRPORT_MODE, hairpin),
        (_IFLA_BRPORT_ISOLATED, isolated),
        (_IFLA_BRPORT_LEARNING, learning),
        (_IFLA_BRPORT_UNICAST_FLOOD, unicast_flood),
    )
    settings = [attribute(kind, u8(value)) for kind, value in wanted if value is not None]
    body = IFINFOMSG.pack(_AF_BRIDGE, 0, index, 0, 0) + nested(_IFLA_PROTINFO, *settings)
    return message(_RTM_SETLINK, 0, body)


def change_port(
    host: Namespace,
    index: int,
    *,
    hairpin: bool | None = None,
    isolated: bool | None = None,
    learning: bool | None = None,
    unicast_flood: bool | None = None,
    name: str = "",
) -> None:
    """Change what is given of a port."""
    request = port_message(index, hairpin=hairpin, isolated=isolated, learning=learning, unicast_flood=unicast_flood)
    host.netlink.request(request, f"cannot change port {name or index}")
