"""What can be changed of a link that somebody else made: its MAC, MTU, queue length, and what it listens to."""

from __future__ import annotations

import errno

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.linux.linkinfo import IFF_ALLMULTI, IFF_PROMISC
from cni_multus.linux.linktable import change_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.linux.linkinfo import Link
    from cni_multus.linux.netns import Namespace

_MAC = "cannot set the MAC"
_NOT_NOW_OR_NEVER = (errno.EBUSY, errno.EOPNOTSUPP)


class Attributes:
    """Some attributes of a link; "", 0 for `mtu`, and None stand for those that are of no interest."""

    __slots__ = ("allmulti", "mac", "mtu", "promisc", "txqlen")

    def __init__(
        self,
        mac: str = "",
        mtu: int = 0,
        *,
        promisc: bool | None = None,
        allmulti: bool | None = None,
        txqlen: int | None = None,
    ) -> None:
        self.mac = mac
        self.mtu = mtu
        self.promisc = promisc
        self.allmulti = allmulti
        self.txqlen = txqlen

    @staticmethod
    def parse(section: Section) -> Attributes:
        """Read `mac`, `mtu`, `promisc`, `allmulti` and `txQLen`."""
        return Attributes(
            section.mac("mac"),
            section.number("mtu"),
            promisc=section.flag("promisc") if section.has("promisc") else None,
            allmulti=section.flag("allmulti") if section.has("allmulti") else None,
            txqlen=section.number("txQLen") if section.has("txQLen") else None,
        )

    def to_json(self) -> dict[str, object]:
        """What is of interest, with the keys and types of the Go tuning plugin, which reads and writes them too."""
        shown = {
            "mac": self.mac or None,
            "promisc": self.promisc,
            "mtu": self.mtu or None,
            "allmulti": self.allmulti,
            "txQLen": self.txqlen,
        }
        return {key: value for key, value in shown.items() if value is not None}

    def __bool__(self) -> bool:
        return bool(self.to_json())


def those_of(link: Link, wanted: Attributes) -> Attributes:
    """What a link has of the attributes that `wanted` names."""
    return Attributes(
        link.mac if wanted.mac else "",
        link.mtu if wanted.mtu else 0,
        promisc=None if wanted.promisc is None else bool(link.flags & IFF_PROMISC),
        allmulti=None if wanted.allmulti is None else bool(link.flags & IFF_ALLMULTI),
        txqlen=None if wanted.txqlen is None else link.txqlen,
    )


def change(ns: Namespace, link: Link, wanted: Attributes) -> None:
    """Give a link the attributes; all of them are tried, then NetlinkFailure says what the kernel refused first."""
    index, batch = link.index, []
    if wanted.mac:
        batch.append((change_message(index, mac=wanted.mac), f"{_MAC} of {link.name} to {wanted.mac}"))
    if wanted.promisc is not None:
        message = change_message(index, promisc=wanted.promisc)
        batch.append((message, f"cannot turn the promiscuous mode of {link.name} {_switch(wanted.promisc)}"))
    if wanted.mtu:
        batch.append((change_message(index, mtu=wanted.mtu), f"cannot set the MTU of {link.name} to {wanted.mtu}"))
    if wanted.allmulti is not None:
        message = change_message(index, allmulti=wanted.allmulti)
        batch.append((message, f"cannot turn the all-multicast mode of {link.name} {_switch(wanted.allmulti)}"))
    if wanted.txqlen is not None:
        message = change_message(index, txqlen=wanted.txqlen)
        batch.append((message, f"cannot set the transmit queue length of {link.name} to {wanted.txqlen}"))
    try:
        ns.netlink.batch(batch)
    except NetlinkFailure as failure:
        if failure.errno in _NOT_NOW_OR_NEVER and failure.message.startswith(_MAC):
            failure.message += (
                "; its driver cannot do that while it is up, if at all: let the plugin that makes the interface set it"
            )
        raise


def attribute_differences(link: Link, wanted: Attributes) -> list[str]:
    """What a link has otherwise than `wanted` says."""
    found = those_of(link, wanted)
    wrong = []
    for what, has, should in (
        ("MAC", found.mac, wanted.mac),
        ("MTU", found.mtu, wanted.mtu),
        ("transmit queue length", found.txqlen, wanted.txqlen),
    ):
        if has != should:
            wrong.append(f"its {what} is {has}, not {should}")
    for what, on, should_be in (
        ("promiscuous", found.promisc, wanted.promisc),
        ("all-multicast", found.allmulti, wanted.allmulti),
    ):
        if on != should_be:
            wrong.append(f"its {what} mode is {_switch(on)}")
    return wrong


def _switch(on: bool | None) -> str:
    return "on" if on else "off"
