"""What the kernel tells of the node's links, addresses and routes: its multicast groups, decoded by pyroute2."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

from cni_multus.cli.inspect.notes import LIST_NFTABLES, Note, note
from cni_multus.cli.trace.event import KERNEL, Event
from cni_multus.cni.errors import CniError
from cni_multus.linux.links import list_links
from cni_multus.linux.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""RTMGRP_LINK, and those of addresses and routes of IPv4 and IPv6 (<linux/rtnetlink.h>)."""
_BUFFER = 8 << 20
_SO_RCVBUFFORCE = 33
_UP, _LOWER_UP = 0x1, 0x10000
_LOCAL_TABLE = 255
_ALIAS = "multus:"


class Kernel:
    """Events of the namespace that it was made in."""

    def __init__(self) -> None:
        """Raises OSError where the kernel gives no such socket."""
        from pyroute2.netlink.rtnl.marshal import MarshalRtnl

        self.notes: list[Note] = []
        self._marshal: Any = MarshalRtnl()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self._grow()
        self._socket.bind((0, _GROUPS))
        self._links: dict[int, dict[str, object]] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._remember()

    @property
    def fd(self) -> int:
        """What to poll for."""
        return self._socket.fileno()

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    def events(self, pods: dict[str, tuple[str, str]]) -> Iterator[Event]:
        """What has happened since the last time; `pods` names those of containers."""
        while True:
            try:
                data = self._socket.recv(1 << 17)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                yield Event(
                    KERNEL, "the kernel had more to tell than was read in time: some of it is missing", good=False
                )
                continue
            for message in self._marshal.parse(data):
                yield from self._event(message, pods)

    def _grow(self) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except OSError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)

    def _remember(self) -> None:
        """The links that are there: nothing is told of them."""
        try:
            with Namespace.host() as host:
                for link in list_links(host):
                    self._names[link.index] = link.name, link.alias
        except CniError as error:
            self.notes.append(note("the node's links", error, LIST_NFTABLES))

    def _event(self, message: Any, pods: dict[str, tuple[str, str]]) -> Iterator[Event]:
        event = message["event"]
        if event in ("RTM_NEWLINK", "RTM_DELLINK"):
            # With a family of its own a bridge says the same once more.
            what, index = ("", 0) if message["family"] else (self._link(message, event), message["index"])
        elif event in ("RTM_NEWADDR", "RTM_DELADDR"):
            verb = "has" if event == "RTM_NEWADDR" else "has no more"
            what, index = f"{verb} {message.get('address')}/{message['prefixlen']}", message["index"]
        elif event in ("RTM_NEWROUTE", "RTM_DELROUTE"):
            what, index = _route(message, event), message.get("oif") or 0
        else:
            return
        if not what:
            return
        name, alias = self._names.get(index, ("", ""))
        if event == "RTM_DELLINK":
            self._names.pop(index, None)
            self._links.pop(index, None)
        yield _named(name, alias, what, pods)

    def _link(self, message: Any, event: str) -> str:
        """What has changed of a link; "" for nothing that matters."""
        index, name = message["index"], str(message.get("ifname") or "")
        kind = (message.get("linkinfo") or {}).get("kind") or ""
        if event == "RTM_DELLINK":
            return f"{kind or 'link'} is gone"
        is_new = index not in self._names
        former, _ = self._names.get(index, ("", ""))
        self._names[index] = name, str(message.get("ifalias") or "")
        master = message.get("master") or 0
        now: dict[str, object] = {
            "flags": message["flags"] & (_UP | _LOWER_UP),
            "master": master,
            "mtu": message.get("mtu"),
        }
        before, self._links[index] = self._links.get(index), now
        if is_new:
            return f"new {kind or 'link'}, {_state(message['flags'])}"
        told = [f"was {former}"] if former not in ("", name) else []
        if before is None or before == now:
            return ", ".join(told)
        if before["flags"] != now["flags"]:
            told.append(_state(message["flags"]))
        if before["master"] != master:
            told.append(f"in {self._names.get(master, (master, ''))[0]}" if master else "in no bridge any more")
        if before["mtu"] != now["mtu"]:
            told.append(f"MTU {now['mtu']}")
        return ", ".join(told)


def _state(flags: int) -> str:
    if not flags & _UP:
        return "down"
    return "up" if flags & _LOWER_UP else "up without carrier"


def _route(message: Any, event: str) -> str:
    table = message.get("table") or 0
    destination = f"{message.get('dst')}/{message['dst_len']}" if message.get("dst") else "default"
    if table == _LOCAL_TABLE or destination.startswith(("fe80::", "ff00::")):
        return ""
    gateway = f" via {message.get('gateway')}" if message.get("gateway") else ""
    where = f" in table {table}" if table != 254 else ""
    return f"{'route to' if event == 'RTM_NEWROUTE' else 'no more route to'} {destination}{gateway}{where}"


def _named(name: str, alias: str, what: str, pods: dict[str, tuple[str, str]]) -> Event:
    """The pod's interface is that which its link on the node is labelled with."""
    event = Event(KERNEL, f"{name}: {what}" if name else what, more={"link": name} if name else {})
    if alias.startswith(_ALIAS) and alias.count(":") >= 3:
        _, event.container, event.interface = alias.rsplit(":", 2)
        event.pod, uid = pods.get(event.container, ("", ""))
        event.names = (uid,) if uid else ()
    return event
