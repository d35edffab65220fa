"""Which kinds of links this kernel knows: tried in a namespace that nobody has, and that goes with its thread."""

from __future__ import annotations

import ctypes
import errno
import threading
from typing import TYPE_CHECKING

from cni_multus.cni.errors import CniError
from cni_multus.linux.codec import attribute, u16, u32
from cni_multus.linux.linkinfo import IFLA_VLAN_ID, IFLA_VRF_TABLE
from cni_multus.linux.links import add_bridge, add_child_link, add_veth, find_link
from cni_multus.linux.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable

BRIDGE_VLANS, NFTABLES = "VLAN filtering of bridges", "nftables"

_NEWNET = 0x40000000  # <linux/sched.h>
_PATIENCE = 5.0
_UNKNOWN = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
_ON_OTHERS = ("macvlan", "ipvlan", "vlan")
_DATA = {"vlan": attribute(IFLA_VLAN_ID, u16(7)), "vrf": attribute(IFLA_VRF_TABLE, u32(7))}


def tried(wanted: list[str]) -> dict[str, str]:
    """Those that this kernel does not know, with its words; none where no namespace can be made."""
    refused: dict[str, str] = {}
    thread = threading.Thread(target=_try, args=(wanted, refused), daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return dict(refused)


def _try(wanted: list[str], refused: dict[str, str]) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_NEWNET):
        return
    try:
        with Namespace.host() as inside:
            for feature in wanted:
                try:
                    _SPECIAL[feature](inside) if feature in _SPECIAL else _link(inside, feature)
                except CniError as error:
                    if _number(error) in _UNKNOWN:
                        refused[feature] = f"{error.message} ({error.details})" if error.details else error.message
    except CniError:
        return


def _link(inside: Namespace, kind: str) -> None:
    below = 0
    if kind in _ON_OTHERS:
        parent = find_link(inside, "try-below") or add_veth(inside, "try-below", peer="try-peer", peer_namespace=inside)
        below = parent.index
    add_child_link(inside, kind, _DATA.get(kind, b""), parent=below, name=f"try-{kind[:8]}", namespace=inside)


def _bridge(inside: Namespace) -> None:
    add_bridge(inside, "try-bridge")


def _bridge_vlans(inside: Namespace) -> None:
    add_bridge(inside, "try-vlans", vlan_filtering=True)


def _veth(inside: Namespace) -> None:
    add_veth(inside, "try0", peer="try1", peer_namespace=inside)


def _nftables(inside: Namespace) -> None:
    from cni_multus.masquerade.nftables import TABLE

    TABLE.exists(inside)


def _number(error: BaseException | None) -> int:
    while error is not None:
        if number := getattr(error, "errno", 0):
            return int(number)
        error = error.__cause__
    return 0


_SPECIAL: dict[str, Callable[[Namespace], None]] = {
    "bridge": _bridge,
    "veth": _veth,
    BRIDGE_VLANS: _bridge_vlans,
    NFTABLES: _nftables,
}
