"""An interface's whole configuration in one conversation with the kernel: addresses, up, routes."""

from __future__ import annotations

from cni_multus.linux.addresses import add_address_message, written
from cni_multus.linux.linktable import change_message
from cni_multus.linux.routes import route_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.routes import Route


def bring_up(
    ns: Namespace,
    index: int,
    addresses: Iterable[tuple[bytes, int]],
    routes: Iterable[Route],
    *,
    nodad: bool = True,
    routed: bool = True,
    name: str = "",
    extra: Iterable[tuple[bytes, str]] = (),
) -> None:
    """Give a link its addresses (packed, prefix), bring it up, add its routes, then send `extra` (message, attempt).

    With `routed` the kernel adds routes to the addresses' networks.

    The kernel is asked for everything even when it refuses something; who made the link takes it away again then.
    """
    name = name or f"link {index}"
    batch = [
        (
            add_address_message(index, packed, prefix, nodad=nodad, routed=routed),
            f"cannot add address {written(packed)}/{prefix} to {name}",
        )
        for packed, prefix in addresses
    ]
    batch.append((change_message(index, up=True), f"cannot bring {name} up"))
    batch += [(route_message(route, index), f"cannot add route {route} on {name}") for route in routes]
    ns.netlink.batch([*batch, *extra])
