"""Runs in the frozen program before its first line: our own modules come from one file, read piece by piece.

A file for each of them costs six system calls and a walk along the search path, 2.6 ms in a request that imports sixty.
PyInstaller runs this in the program's own `__main__`: a name that is bound here is bound there.
"""

from __future__ import annotations

import fcntl
import gc
import marshal
import posix
import sys
from _frozen_importlib import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


class Modules:
    """An importer (PEP 451) for what `tools/modules.py` packed."""

    def __init__(self, path: str) -> None:
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        if fd < 3:  # a runtime that closed a standard stream must not get this file in its place
            fd, low = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3), fd
            posix.close(low)
        self.fd = fd
        self.index = marshal.loads(posix.pread(fd, int.from_bytes(posix.pread(fd, 4, 0), "little"), 4))

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Where a module of that name is, None if it is not one of ours."""
        entry = self.index.get(name)
        return ModuleSpec(name, self, origin="multus", is_package=entry[0]) if entry else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the interpreter make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        _, offset, length = self.index[module.__name__]
        exec(marshal.loads(posix.pread(self.fd, length, offset)), module.__dict__)


# Nothing that a request makes outlives it, and looking for cycles costs it 0.5 ms.
gc.disable()
bundle = getattr(sys, "_MEIPASS")  # noqa: B009 - only the bundle has it
sys.meta_path.insert(0, Modules(f"{bundle}/multus.modules"))
sys.path.append(f"{bundle}/python3.11/operators")
