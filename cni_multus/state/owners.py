"""Whom an address file names: the format that the Go host-local writes, parsed and printed."""

from __future__ import annotations

import os
from stat import S_ISREG

from cni_multus.cni.errors import IoFailure
from cni_multus.cni.names import is_name
from cni_multus.state import files

_SEPARATOR = "\r\n"


class Owner:
    """Who holds an address; old reservations name no interface, and only some IPAMs write down the `netns`."""

    __slots__ = ("container_id", "ifname", "netns")

    def __init__(self, container_id: str, ifname: str = "", netns: str = "") -> None:
        self.container_id = container_id
        self.ifname = ifname
        self.netns = netns

    @staticmethod
    def parse(content: bytes) -> Owner | None:
        """Read an address file, None for one that names nobody."""
        container_id, *rest = os.fsdecode(content).strip().split(_SEPARATOR)
        if not is_name(container_id) or (rest and not _could_be_ifname(rest[0])):
            return None
        return Owner(container_id, *rest[:2])

    @property
    def content(self) -> bytes:
        """What an address file holds."""
        return os.fsencode(_SEPARATOR.join(part for part in (self.container_id, self.ifname, self.netns) if part))

    @property
    def key(self) -> str:
        """One word that tells owners apart (a container ID has no `@`); "" of no owner."""
        return f"{self.container_id}@{self.ifname}" if self.container_id else ""

    def __str__(self) -> str:
        if not self.container_id:
            return "something that is not a reservation"
        return f"container {self.container_id}" + (f", interface {self.ifname}" if self.ifname else "")


NOT_A_RESERVATION = Owner("")
"""In place of an owner: a directory, a link, a file that cannot be read. It is left alone."""

GARBAGE = Owner("")
"""In place of an owner: a file that names nobody, left by a killed writer or a power cut."""


def _could_be_ifname(text: str) -> bool:
    """Whether the Go program would take it, which is less strict than a request of ours."""
    return 0 < len(os.fsencode(text)) <= 15 and not any(part in "/:\0" or part.isspace() for part in text)


def read_owner(path: str) -> Owner | None:
    """Whom an address file names, None where there is no file."""
    try:
        content = files.read(path)
    except IoFailure:
        if _is_regular(path):
            raise
        return NOT_A_RESERVATION
    if content is None:
        return None
    owner = Owner.parse(content)
    if owner is not None:
        return owner
    return GARBAGE if _is_regular(path) else NOT_A_RESERVATION


def _is_regular(path: str) -> bool:
    try:
        return S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return True
