"""Addresses, routes and times as people write them; the kernel's numbers become words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cni_multus.linux.addresses import written
from cni_multus.linux.routes import RT_TABLE_MAIN

if TYPE_CHECKING:
    from cni_multus.linux.addresses import Address
    from cni_multus.linux.routes import Route

_BY_KERNEL = 2
"""The protocol of routes that come with an address (RTPROT_KERNEL)."""

_KINDS = {6: "blackhole", 7: "unreachable", 8: "prohibit"}
_SCOPES = {253: "link", 254: "host"}


def described_address(address: Address) -> str:
    """10.1.0.2/24, with what is special of it."""
    words = [str(address)]
    if address.dadfailed:
        words.append("duplicate")
    elif address.tentative:
        words.append("tentative")
    if address.scope in _SCOPES:
        words.append(_SCOPES[address.scope])
    return " ".join(words)


def described_route(route: Route) -> str:
    """As `ip route` has it: default via 10.1.0.1 metric 100 table 7."""
    words = [_KINDS[route.type]] if route.type in _KINDS else []
    words.append(f"{written(route.dst)}/{route.prefix}" if route.dst else "default")
    words += [f"via {written(gateway)}" for _, gateway in route.multipath or ((0, route.gateway),) if gateway]
    if route.source:
        words.append(f"src {written(route.source)}")
    for word, value in (("metric", route.priority), ("mtu", route.mtu), ("advmss", route.advmss)):
        if value:
            words.append(f"{word} {value}")
    if route.onlink:
        words.append("onlink")
    if route.table != RT_TABLE_MAIN:
        words.append(f"table {route.table}")
    return " ".join(words)


def is_told(route: Route) -> bool:
    """Whether a route says more than the addresses do."""
    return route.protocol != _BY_KERNEL


def utc(seconds: float) -> str:
    """A time as text, "" for none."""
    if not 0 < seconds < 1 << 37:
        return ""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def span(seconds: float) -> str:
    """How long that is: `4d7h`."""
    left = max(0, int(seconds))
    days, hours, minutes = left // 86400, left // 3600 % 24, left // 60 % 60
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{left % 60}s" if minutes else f"{left}s"
