"""Give a frozen program a C library of its own, and room in its executable for the path by which that is found.

    _internal/libc/ld-linux-x86-64.so.2     the loader
    _internal/libc/libc.so.6 ...            the C library's parts that the program and its libraries name
    _internal/libc/libz.so.1                a link to ../libz.so.1, which the executable itself needs

Nothing uses it until `cni_multus.node.interpreter` writes the paths: a program as it was built runs with the system's.
The executable (PyInstaller's bootloader, two segments) has a gap between its segments, where the file and the first
page that is mapped of it have nothing: there the paths go, so that nothing moves.
"""

import re
import shutil
import struct
import subprocess
from pathlib import Path

from cni_multus.node.interpreter import LIBRARIES, LOADER, ROOM

PART = re.compile(r"(ld-linux-x86-64|lib(c|m|dl|pthread|rt|util|resolv))\.so\.\d+")
"""What belongs to the C library, and is of no use with another version's loader."""
FOUND = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)
"""A library in what ldd prints, by its path."""

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_STRTAB, DT_STRSZ, DT_RPATH = 0, 5, 10, 15
PAGE = 4096


def add_library(program: Path) -> None:
    """Copy into the bundle what of the system's C library it needs."""
    target = program.parent / LIBRARIES
    target.mkdir()
    for library in system_libraries(program):
        if PART.fullmatch(library.name):
            shutil.copyfile(library, target / library.name)
            (target / library.name).chmod(0o755)
    if not (target / LOADER).exists():
        raise SystemExit(f"build: the loader of {program} is not {LOADER}")
    (target / "libz.so.1").symlink_to("../libz.so.1")


def system_libraries(program: Path) -> list[Path]:
    """The system's files that the loader maps: those of the program, and of its own libraries what it lacks."""
    own = program.parent / LIBRARIES
    brought = {path.name: path for path in program.parent.rglob("*.so*") if path.parent != own}
    needed = set(linked(program))
    for library in brought.values():
        needed.update(path for path in linked(library) if path.name not in brought)
    return sorted(needed)


def linked(path: Path) -> list[Path]:
    """What the loader would map for a file here."""
    done = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False)
    if missing := re.findall(r"(\S+) => not found", done.stdout):
        raise SystemExit(f"build: {path} needs {', '.join(missing)}, which this system lacks")
    return [Path(found) for found in FOUND.findall(done.stdout)]


def make_room(program: Path) -> None:
    """Move the path of the loader to where there is room, and let a search path begin half-way in it, empty as yet."""
    data = bytearray(program.read_bytes())
    headers = _Headers(data)
    first, second = headers.of(PT_LOAD)[:2]
    end = headers.offset(first) + headers.size(first)
    room = -(-end // 16) * 16
    if (
        room + ROOM > headers.offset(second)
        or room // PAGE != (room + ROOM - 1) // PAGE
        or any(data[end : room + ROOM])
    ):
        raise SystemExit(f"build: {program} has no room for the path of its loader")
    (interpreter,) = headers.of(PT_INTERP)
    start = headers.offset(interpreter)
    path = bytes(data[start : start + headers.size(interpreter)])
    data[room : room + ROOM] = path.ljust(ROOM, b"\0")
    address = headers.address(first) + room - headers.offset(first)
    headers.place(interpreter, room, address, ROOM)
    headers.place(first, headers.offset(first), headers.address(first), room + ROOM - headers.offset(first))
    (dynamic,) = headers.of(PT_DYNAMIC)
    _add_search_path(data, headers.offset(dynamic), headers.size(dynamic), address + ROOM // 2)
    program.write_bytes(data)


def _add_search_path(data: bytearray, start: int, size: int, address: int) -> None:
    """An entry for the search path at an address, in place of the first of those that end the table (elf(5))."""
    entries = {struct.unpack_from("<Q", data, at)[0]: at for at in range(start + size - 16, start - 16, -16)}
    free = entries[DT_NULL]
    if free + 32 > start + size or DT_RPATH in entries:
        raise SystemExit("build: the executable has no room for a search path")
    (strings,) = struct.unpack_from("<Q", data, entries[DT_STRTAB] + 8)
    struct.pack_into("<QQ", data, free, DT_RPATH, address - strings)
    struct.pack_into("<Q", data, entries[DT_STRSZ] + 8, address + ROOM // 2 - strings)


class _Headers:
    """The program headers of a 64-bit ELF file, to read and to change."""

    def __init__(self, data: bytearray) -> None:
        self._data = data
        (first,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        self._all = range(first, first + size * count, size)

    def of(self, kind: int) -> list[int]:
        """Where the headers of a kind are, in their order."""
        return [at for at in self._all if struct.unpack_from("<I", self._data, at)[0] == kind]

    def offset(self, header: int) -> int:
        return self._number(header + 8)

    def address(self, header: int) -> int:
        return self._number(header + 16)

    def size(self, header: int) -> int:
        return self._number(header + 32)

    def place(self, header: int, offset: int, address: int, size: int) -> None:
        struct.pack_into("<QQQQQ", self._data, header + 8, offset, address, address, size, size)

    def _number(self, at: int) -> int:
        number: int = struct.unpack_from("<Q", self._data, at)[0]
        return number
