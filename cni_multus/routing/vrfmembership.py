"""A link's membership in a VRF of its pod: what is on record of it, joining, leaving; a VRF goes with its last one."""

from __future__ import annotations

import errno

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.linux.links import change_link, find_link, remove_link
from cni_multus.linux.routes import RT_TABLE_MAIN
from cni_multus.linux.routetables import IMPOSSIBLE, namespace_mark
from cni_multus.linux.vrfs import Belongings, add_vrf, members, remaster

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.links import Link
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo


class Membership:
    """Which VRF the link `index` is a member of, and what that link had before."""

    __slots__ = ("had", "index", "table", "vrf")

    def __init__(self, vrf: str, table: int, index: int, had: Belongings) -> None:
        self.vrf = vrf
        self.table = table
        self.index = index
        self.had = had

    @staticmethod
    def parse(document: dict[str, object] | None, network: str, container: Namespace) -> Membership | None:
        """The way back from `to_json`; None where it is about another network or namespace."""
        section = Section(document or {})
        try:
            if section.text("network") != network or section.text("netns") != namespace_mark(container):
                return None
            had = Belongings.parse(section)
            return Membership(section.text("vrf"), section.number("table"), section.number("index"), had)
        except CniError:
            return None

    def to_json(self, container: Namespace) -> dict[str, object]:
        """As it is written down: of this namespace, and no other that may be at its path later."""
        return {
            "netns": namespace_mark(container),
            "path": container.path,
            "vrf": self.vrf,
            "table": self.table,
            "index": self.index,
            **self.had.to_json(),
        }


def join(container: Namespace, link: Link, wanted: Membership, vrf: Link | None, group: int, undo: Undo) -> None:
    """Make `link` a member, with all that it had; the VRF, up, is made for `group` where it is missing."""
    if vrf is None:
        vrf = add_vrf(container, wanted.vrf, wanted.table, group)
        undo.callback(remove_link, container, vrf.index)
    elif not vrf.up or vrf.group not in (0, group):
        # Several sandboxes share it now: it must not go with the links of one.
        undo.callback(_as_it_was, container, vrf)
        shared = vrf.group if vrf.group == group else 0
        change_link(container, vrf.index, up=True, group=shared, attempt=f"cannot bring vrf {vrf.name} up")
    if link.master != vrf.index:
        undo.callback(_leave, container, link.name, wanted.had)
    attempt = f"cannot make {link.name} a member of vrf {vrf.name}"
    remaster(container, link, vrf.index, wanted.table, wanted.had, attempt)


def take_out(container: Namespace, ifname: str, name: str, known: Membership | None) -> None:
    """Take an interface out of a VRF, its routes to the main table, and remove a VRF without members."""
    vrf = find_link(container, name) if name else None
    if vrf is None or vrf.kind != "vrf":
        return
    link = find_link(container, ifname)
    if link is not None and link.master == vrf.index:
        had = Belongings.of(container, link, vrf.data["table"])
        _leave(container, ifname, had.including(known.had) if known and known.index == link.index else had)
    if not members(container, vrf):
        remove_link(container, vrf.index)


def membership_differences(
    container: Namespace, link: Link, vrf: Link, table: int, known: Membership | None
) -> list[str]:
    """What of a membership the kernel does not show; `table` is the configured one, or 0."""
    wrong = [] if link.master == vrf.index else [f"it is no member of vrf {vrf.name}"]
    if not vrf.up:
        wrong.append(f"vrf {vrf.name} is down")
    shown = vrf.data["table"]
    wanted = table or (known.table if known else shown)
    if shown != wanted:
        wrong.append(f"vrf {vrf.name} has table {shown}, not {wanted}")
    return wrong or (known.had.differences(container, link, shown) if known else [])


def _leave(container: Namespace, ifname: str, had: Belongings) -> None:
    """Without a master the link has its addresses still, and its routes again, but those that it cannot have."""
    link = find_link(container, ifname)
    if link is None:
        return
    attempt = f"cannot take {ifname} out of its VRF"
    remaster(container, link, 0, RT_TABLE_MAIN, had, attempt, (*IMPOSSIBLE, errno.EADDRNOTAVAIL))


def _as_it_was(container: Namespace, vrf: Link) -> None:
    change_link(container, vrf.index, up=vrf.up, group=vrf.group)
