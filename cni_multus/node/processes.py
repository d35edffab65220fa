"""Which processes of the node execute which file; in a container they are seen where the node's /proc is mounted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def can_be_seen(root: str) -> bool:
    """Whether the node's processes can be seen from here."""
    first = os.path.join(root, "proc/1")
    try:
        os.stat(f"{first}/exe")
    except FileNotFoundError:
        return os.path.isdir(first)
    except PermissionError:  # a container that is confined sees that they are there, and no more
        return False
    return True


def executing(root: str, programs: Iterable[str]) -> list[int]:
    """The processes, other than this one, that execute one of these files, by whatever name."""
    wanted = {_identity(program) for program in programs} - {None}
    return [pid for pid, identity in _executed(root) if identity in wanted and pid != os.getpid()]


def _executed(root: str) -> Iterator[tuple[int, tuple[int, int] | None]]:
    place = os.path.join(root, "proc")
    for name in os.listdir(place):
        if name.isdecimal():
            yield int(name), _identity(f"{place}/{name}/exe")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
