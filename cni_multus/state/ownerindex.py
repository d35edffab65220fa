"""Which addresses were written for which owner, and in which boot: lines, spread over 4096 pages by the owner's hash.

A page per owner would double the inodes of a large pool, and take seconds to write anew. Pages are written in place:
only `add` may be killed while the index is believed, and it only adds lines.
"""

from __future__ import annotations

import os
from binascii import crc32

from cni_multus.cni.addressing import Ip
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_NOBODY = "-"
"""What an empty page says: one that says nothing has been cut."""
_UNCUT = 4096
"""Bytes that the kernel writes without looking whether the writer was killed; a cut must not mix old lines with new."""


class Reservation:
    """One address of an owner, its file's modification time (ns) as an identity, and the boot it was made in."""

    __slots__ = ("boot", "ip", "mtime_ns")

    def __init__(self, ip: Ip, mtime_ns: int, boot: str) -> None:
        self.ip = ip
        self.mtime_ns = mtime_ns
        self.boot = boot

    @staticmethod
    def parse(words: str) -> Reservation | None:
        """Read what stands behind the owner's key, None for what is no reservation."""
        try:
            address, mtime, boot = words.split(" ")
            return Reservation(Ip.parse(address), int(mtime, 16), boot)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.ip} {self.mtime_ns:x} {self.boot}"


class OwnerIndex:
    """The pages, in one directory."""

    __slots__ = ("_directory",)

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def owned(self, key: str) -> list[Reservation] | None:
        """What is written down for an owner; None where an end of its page is missing, or lost to a power cut."""
        mark = f"{key} "
        data = files.read(self._path(_page(key)))
        if not _is_whole(data):
            return None
        words = [line[len(mark) :] for line in _split(data or b"") if line.startswith(mark)]
        return [reservation for text in words if (reservation := Reservation.parse(text)) is not None]

    def add(self, key: str, reservations: list[Reservation]) -> None:
        """Write down what an owner is about to get. A line that an earlier writer did not finish is ended first."""
        text = "".join(f"\n{key} {reservation}\n" for reservation in reservations)
        files.append(self._path(_page(key)), os.fsencode(text))

    def remove(self, key: str, ips: Iterable[Ip]) -> None:
        """Forget these addresses of an owner."""
        page = _page(key)
        gone = {f"{key} {ip}" for ip in ips}
        before = self._lines(page)
        after = [line for line in before if " ".join(line.split(" ")[:2]) not in gone]
        if after != before:
            self._write(page, after)

    def replace(self, found: Iterable[tuple[Ip, int, str]], boot: str) -> bool:
        """Write down exactly what was found (address, modification time, key); whether any is of an earlier boot.

        What was known of it keeps its boot, the rest is of this one.
        """
        pages: dict[str, bytearray] = {}
        for ip, mtime_ns, key in found:  # as bytes: there may be 65 000 of them
            pages.setdefault(_page(key), bytearray()).extend(os.fsencode(f"{key} {ip} {mtime_ns:x}\n"))
        earlier = False
        for page in pages.keys() | set(files.names(self._directory)):
            data = files.read(self._path(page))
            before = _split(data or b"")
            known = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in before}
            after = [f"{line} {known.get(line, boot)}" for line in _split(pages.get(page, b""))]
            earlier = earlier or any(not line.endswith(boot) for line in after)
            if after != before or not _is_whole(data):
                self._write(page, after)
        return earlier

    def _lines(self, page: str) -> list[str]:
        return _split(files.read(self._path(page)) or b"")

    def _write(self, page: str, lines: list[str]) -> None:
        data = os.fsencode("".join(f"{line}\n" for line in lines) or f"{_NOBODY}\n")
        if len(data) > _UNCUT:
            files.remove(self._path(page))
        # An empty page stays: making a file costs more than anything else here.
        files.overwrite(self._path(page), data)

    def _path(self, page: str) -> str:
        return f"{self._directory}/{page}"


def _page(key: str) -> str:
    return f"{crc32(os.fsencode(key)) & 0xFFF:03x}"


def _is_whole(data: bytes | None) -> bool:
    return data is None or (data.endswith(b"\n") and data != b"\n" and b"\0" not in data)


def _split(text: bytes | bytearray) -> list[str]:
    """The complete lines."""
    return [line for line in os.fsdecode(bytes(text)).split("\n")[:-1] if line not in ("", _NOBODY)]
