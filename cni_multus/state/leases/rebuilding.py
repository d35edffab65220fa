"""The bitmap of a domain made again from its addresses, where a search found none free."""

from __future__ import annotations

from cni_multus.state import files
from cni_multus.state.leases.layout import parse_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cni.addressing import Ip
    from cni_multus.state.leases.change import Change

PAUSE = 30.0
"""Seconds: a pool that is full is asked again and again, and has to be listed each time."""


def rebuild(change: Change, domain: str) -> bool:
    """Make the bits of a domain again; False where that has just been done."""
    path = change.layout.last(domain, "rebuilt")
    boot, _, uptime = (files.read(path) or b"").decode("ascii", "replace").partition(" ")
    now = change.now
    if boot == now.boot and uptime.isdecimal() and now.uptime - int(uptime) < PAUSE:
        return False
    change.hints(domain).rebuild(taken(change, domain))
    change.remember(path, b"%s %d" % (now.boot.encode(), int(now.uptime)))
    return True


def taken(change: Change, domain: str) -> Iterator[Ip]:
    """Every address of a domain that is taken."""
    directory = f"{change.layout.root}/address/{domain}"
    for shard in files.names(directory):
        for name in files.names(f"{directory}/{shard}"):
            ip = parse_address(name)
            if ip is not None:
                yield ip
