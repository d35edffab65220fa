"""Which processes of the node execute which file; in a container they are seen where the node's /proc is mounted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def can_be_seen(root: str) -> bool:
    """Whether the node's processes can be seen from here.

    A container that is confined sees that they are there, and no more. The first one alone may be guarded anywhere.
    """
    place = os.path.join(root, "proc")
    if not os.path.isdir(os.path.join(place, "1")):
        return False
    return not any(_is_refused(f"{place}/{name}/exe") for name in os.listdir(place) if name.isdecimal() and name != "1")


def executing(root: str, programs: Iterable[str]) -> list[int]:
    """The processes, other than this one, that execute one of these files, by whatever name."""
    wanted = {_identity(program) for program in programs} - {None}
    return [pid for pid, identity in _executed(root) if identity in wanted and pid != os.getpid()]


def _executed(root: str) -> Iterator[tuple[int, tuple[int, int] | None]]:
    place = os.path.join(root, "proc")
    for name in os.listdir(place):
        if name.isdecimal():
            yield int(name), _identity(f"{place}/{name}/exe")


def _is_refused(path: str) -> bool:
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
