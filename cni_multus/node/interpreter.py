"""Which C library an installed program runs with: its own, by paths in its executable; it knows nothing of versions.

The kernel starts what an executable names (PT_INTERP), by an absolute path that is known when it is installed. So the
build leaves room for one (tools/loader.py), whose first half is that path, and whose second half is where the loader
looks for the C library (DT_RPATH). As built the second half is empty, and the first names the loader of the system:
that one goes with the system's C library alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cni_multus.cni.errors import InvalidEnvironment

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARIES = "_internal/libc"
"""Where the bundle has the C library, all by itself: nothing but its own loader may find it."""
LOADER = "ld-linux-x86-64.so.2"
ROOM = 2048
"""Bytes; no executable comes with as many for its loader, which tells ours."""

_HALF = ROOM // 2
_PT_INTERP = 3
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")  # elf(5): type, flags, offset, addresses, sizes in the file and in memory


def bind(program: str, home: str) -> None:
    """Let an executable run with its own C library where its directory will be `home`; others stay as they are."""
    wanted = _paths(home)
    with open(program, "r+b") as file:
        if offset := _room(file.read()):
            file.seek(offset)
            file.write(wanted)
            file.flush()
            os.fsync(file.fileno())


def is_bound(program: str, home: str) -> bool:
    """Whether it would run with its own C library there, or has no room for one."""
    with open(program, "rb") as file:
        content = file.read()
    offset = _room(content)
    return not offset or content[offset : offset + ROOM] == _paths(home)


@contextmanager
def startable(program: str) -> Iterator[str]:
    """It by a path that can be executed from here, in a container where the node's directories are elsewhere as well.

    What is made for that is beside its directory, has a name that begins with a dot, and goes.
    """
    home, name = os.path.split(program)
    if is_bound(program, home):
        yield program
        return
    beside = os.path.join(os.path.dirname(home), f".trial-{os.path.basename(home)}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        os.mkdir(beside, 0o700)
        os.symlink(os.path.join(home, "_internal"), os.path.join(beside, "_internal"))
        bind(shutil.copy(program, beside), home)
        yield os.path.join(beside, name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def digest(program: str) -> str:
    """The SHA-256 of an executable, the same wherever it is bound to."""
    with open(program, "rb") as file:
        content = bytearray(file.read())
    if offset := _room(content):
        content[offset : offset + ROOM] = bytes(ROOM)
    return hashlib.sha256(content).hexdigest()


def _paths(home: str) -> bytes:
    libraries = os.path.join(home, LIBRARIES)
    halves = [os.fsencode(path) for path in (os.path.join(libraries, LOADER), libraries)]
    if any(len(half) >= _HALF for half in halves) or b":" in halves[1] or b"$" in halves[1]:
        raise InvalidEnvironment(f"the program cannot be started in {home}: the path has ':' or '$', or is too long")
    return b"".join(half.ljust(_HALF, b"\0") for half in halves)


def _room(content: bytes | bytearray) -> int:
    """Where the paths are in an executable; 0 where it has no room for any."""
    if content[:6] != b"\x7fELF\x02\x01" or len(content) < 64:  # 64 bit, little endian
        return 0
    (first,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    if size != _PROGRAM_HEADER.size or first + size * count > len(content):
        return 0
    for kind, _, offset, _, _, length, _, _ in _PROGRAM_HEADER.iter_unpack(content[first : first + size * count]):
        if kind == _PT_INTERP and length == ROOM:
            return int(offset)
    return 0
