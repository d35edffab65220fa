"""Names made and removed, so that they stay so over a power cut, in the order that matters."""

from __future__ import annotations

import os

from cni_multus.state import files
from cni_multus.state.leases.links import make_link


class Names:
    """The names below one directory; `ordered` as `Disk` has it: then one sync, the last, makes all durable."""

    __slots__ = ("_ordered", "_unsynced")

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._unsynced: dict[str, None] = {}

    def changed(self, path: str) -> None:
        """Remember that `path` was made, replaced or removed."""
        if self._ordered:
            self._unsynced.clear()
        self._unsynced[os.path.dirname(path)] = None

    def step(self) -> None:
        """What comes now must not survive a power cut unless all before does: syncs where the disk promises less."""
        if not self._ordered:
            self.sync()

    def sync(self) -> None:
        """Make durable whatever was changed."""
        while self._unsynced:
            directory, _ = self._unsynced.popitem()
            try:
                files.sync_directory(directory)
            except FileNotFoundError:
                continue  # removed since, and with it the names
            except OSError as error:
                raise files.failure(error, f"sync {directory}") from error

    def make_directory(self, path: str) -> None:
        """Make a directory, and what is missing above it, unless it is there."""
        if not files.is_directory(path):
            self.make_directory(os.path.dirname(path))
            files.make_directory(path)
            self.changed(path)

    def link(self, path: str, target: str) -> bool:
        """Make a link, and the directory it is in; False where something of its name is."""
        self.make_directory(os.path.dirname(path))
        if not make_link(path, target):
            return False
        self.changed(path)
        return True

    def replace_link(self, path: str, target: str, temporary: str) -> None:
        """Let the link `path` say `target`, whatever it said before; it is called `temporary` until then."""
        files.remove(temporary)
        make_link(temporary, target)
        try:
            os.rename(temporary, path)
        except OSError as error:
            raise files.failure(error, f"replace the link {path}") from error
        self.changed(path)

    def write(self, path: str, data: bytes, temporary: str) -> None:
        """Let the file `path` hold `data`, which is synced before it has its name."""
        self.make_directory(os.path.dirname(path))
        files.write_atomically(path, data, temporary=temporary, sync_name=False)
        self.changed(path)

    def remove(self, path: str) -> bool:
        """Remove a name; False where there was none."""
        if not files.remove(path):
            return False
        self.changed(path)
        return True
