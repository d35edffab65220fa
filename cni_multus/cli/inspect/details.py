"""More of a few namespaces, by pyroute2: what a link has counted, what its kind was made with, and its neighbours.

It decodes every kind of link that there is, at the price of milliseconds for each namespace; `kernel` reads them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cni_multus.cli.inspect.notes import ENTER_NAMESPACES, Note, note
from cni_multus.cni.errors import CniError
from cni_multus.linux.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTED = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped")
_STATES = {0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe", 0x20: "failed"}
_UNASKED = 0x40
"""NUD_NOARP: nobody has to be asked for the address (multicast); others say nothing either (<linux/neighbour.h>)."""


@dataclass(frozen=True, slots=True)
class Details:
    """Of one link; `made` are the settings of its kind, as pyroute2 names them."""

    counters: dict[str, int] = field(default_factory=dict)
    made: dict[str, object] = field(default_factory=dict)
    neighbours: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """All of it, what there is none of left out."""
        document = {"counters": self.counters, "settings": self.made, "neighbours": self.neighbours}
        return {key: value for key, value in document.items() if value}

    @property
    def counted(self) -> str:
        """In one line: errors and drops only where there are any."""
        words = [
            f"{key.replace('_', ' ')} {value}" for key, value in self.counters.items() if value or "packets" in key
        ]
        return ", ".join(words)


def details(path: str, notes: list[Note]) -> dict[str, Details]:
    """Of every link in the namespace at `path`, by its name; a note says why there is nothing."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with Namespace.open(path) as ns:
            with ns.inside():
                route = IPRoute()
            with route:
                neighbours = _neighbours(route)
                return {link.get("ifname"): _details(link, neighbours) for link in route.get_links()}
    except CniError as error:
        notes.append(note(path, error, ENTER_NAMESPACES))
    except (NetlinkError, OSError, ValueError) as error:
        notes.append(Note(path, f"{path}: counters and neighbours: {error}"))
    return {}


def _details(link: Any, neighbours: dict[int, list[str]]) -> Details:
    counted = link.get("stats64") or link.get("stats") or {}
    return Details(
        {key: int(counted[key]) for key in COUNTED if key in counted},
        dict(_made(link)),
        neighbours.get(link["index"], []),
    )


def _made(link: Any) -> Iterator[tuple[str, object]]:
    info = link.get("linkinfo")
    data = info.get("data") if info else None
    for name, value in data["attrs"] if data and "attrs" in data else ():
        if isinstance(value, str | int):
            yield name.lower().removeprefix("ifla_"), value


def _neighbours(route: Any) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for each in route.get_neighbours():
        state = _STATES.get(each["state"], "permanent")
        if each.get("dst") and not each["state"] & _UNASKED and each["state"]:
            told = f"{each.get('dst')} {each.get('lladdr') or '?'} {state}"
            found.setdefault(each["ifindex"], []).append(told)
    return found
