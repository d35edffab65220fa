"""Routes of a link as a record keeps them, so that they can be made again; it knows nothing of who keeps it."""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.linux.routes import Route, list_routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

_UNICAST = 1
_OF_THE_KERNEL = (1, 2, 9)  # <linux/rtnetlink.h>: redirect, kernel, router advertisement
_NUMBERS = ("family", "prefix", "table", "priority", "protocol", "mtu", "advmss")
_BYTES = ("dst", "gateway", "source")


def recorded(host: Namespace, index: int) -> tuple[dict[str, object], ...]:
    """The routes by a link that somebody made, not the kernel by itself."""
    return tuple(
        to_json(route)
        for route in list_routes(host, index=index)
        if route.type == _UNICAST and route.protocol not in _OF_THE_KERNEL and not route.multipath
    )


def to_json(route: Route) -> dict[str, object]:
    """For a file."""
    shown: dict[str, object] = {key: getattr(route, key) for key in _NUMBERS}
    packed = {key: getattr(route, key).hex() for key in _BYTES}
    return {**shown, **packed, "scope": route.scope or 0, "onlink": route.onlink}


def from_json(raw: dict[str, object]) -> Route:
    """The inverse of `to_json`."""
    section = Section(raw, "routes")
    dst, gateway, source = (bytes.fromhex(section.text(key)) for key in _BYTES)
    return Route(
        section.number("family"),
        dst,
        section.number("prefix"),
        gateway,
        source=source,
        table=section.number("table"),
        priority=section.number("priority"),
        scope=section.number("scope"),
        protocol=section.number("protocol"),
        mtu=section.number("mtu"),
        advmss=section.number("advmss"),
        onlink=section.flag("onlink"),
    )
