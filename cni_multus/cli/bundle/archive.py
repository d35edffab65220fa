"""The archive: members in one directory, their names safe and their order theirs, compressed as they come."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

_UNSAFE = re.compile(r"[^A-Za-z0-9._@+=-]")
LONGEST = 120


class Archive:
    """Written to `stream`; every member is root's, mode 0600, and of the moment of the bundle."""

    def __init__(self, stream: BinaryIO, directory: str, moment: int) -> None:
        self.directory = directory
        self._moment = moment
        self._used: set[str] = set()
        self._packed = gzip.GzipFile("", "wb", 6, stream, mtime=moment)
        self._tar = tarfile.open(fileobj=self._packed, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, name: str, text: str) -> str:
        """Add a file; the name that it has below the directory."""
        name = self._free(safe(name))
        data = text.encode("utf-8", "replace")
        member = tarfile.TarInfo(f"{self.directory}/{name}")
        member.size, member.mtime, member.mode = len(data), self._moment, 0o600
        member.uname = member.gname = "root"
        self._tar.addfile(member, io.BytesIO(data))
        return name

    def close(self) -> None:
        """Finish it."""
        self._tar.close()
        self._packed.close()

    def _free(self, name: str) -> str:
        stem, at = name, 1
        while name.lower() in self._used:
            at += 1
            name = f"{stem}.{at}"
        self._used.add(name.lower())
        return name


def safe(name: str) -> str:
    """A path of members with plain names, none of them hidden or leading out."""
    parts = [_UNSAFE.sub("_", part)[:LONGEST] for part in name.split("/")]
    return "/".join(f"_{part}" if part.startswith(".") else part for part in parts if part) or "unnamed"
