"""What is remembered about a directory of address files, so that no request has to read all of it.

    <dataDir>/.multus/<network>/
        stamp                              the directory's modification time when the index last agreed with it
        owners/<hash of the owner>         lines `<containerID>@<ifname> <address> <mtime> <boot>`, see `ownerindex`
        blocks/<family>-<number>           one bit per address, 65536 addresses per file, set where a file exists

None of it is the truth; the truth is the address files (see `reservations`). Everything here is a hint that is verified
before it is acted on, and the index as a whole is believed only while its stamp fits:

- Adding and removing a file changes the directory's modification time, by the kernel's own doing and whoever does it.
  `sign`, the last step of every change of ours, sets that time to one that the kernel will not give again: ten seconds
  in the past, to the nanosecond, so that neither the clock's tick (4 ms, or a second on old file systems) nor a change
  directly after ours can hide another program's work. It writes the same time into the stamp.
- Killed before the directory was touched: the stamp fits, the index agrees; an owner may list an address it never got.
- Killed between the first change of the directory and the end of `sign`: the times differ, and the index is rebuilt.
- Killed while rebuilding: the stamp was removed first.
- Power cut or reboot: the stamp names another boot. Nothing here is synced, because nothing here outlives the boot.

The boot in an owner's line tells which reservations can have no living namespace behind them. It counts only while the
address file still has the modification time that stands beside it: a file that somebody else wrote again under the
same name is theirs, of this boot. That time serves as an identity; no decision compares it with a clock.
"""

from __future__ import annotations

import os
import time

from cni_multus.cni.errors import IoFailure
from cni_multus.state import files
from cni_multus.state.blocks import Blocks
from cni_multus.state.ownerindex import OwnerIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cni_multus.cni.addressing import Ip

BOOT_ID = "/proc/sys/kernel/random/boot_id"
FORMAT = "1"
_PAST = 10 * 10**9


def running_boot() -> str:
    """The kernel's name for the time since it was started, shortened to 16 hexadecimal digits."""
    data = files.read(BOOT_ID)
    if not data:
        raise IoFailure(f"cannot read {BOOT_ID}: there is none; is /proc mounted?")
    return data.decode("ascii", "replace").strip().replace("-", "")[:16]


class AddressIndex:
    """The index of one network; `watched` is the directory with its address files."""

    __slots__ = ("_directory", "_watched", "blocks", "earlier_boots", "fresh", "owners")

    def __init__(self, directory: str, watched: str) -> None:
        self._directory = directory
        self._watched = watched
        self.blocks = Blocks(f"{directory}/blocks")
        self.owners = OwnerIndex(f"{directory}/owners")
        self.earlier_boots = False
        """Whether any reservation of an earlier boot was seen when the index was rebuilt."""
        self.fresh = False
        """Whether nothing has changed since the index was rebuilt."""

    def load(self, boot: str) -> bool:
        """Read the stamp; whether the index can be believed."""
        stamp = (files.read(self._stamp) or b"").decode("ascii", "replace").split()
        if len(stamp) != 5 or stamp[:3] != [FORMAT, boot, self._state_of_directory()]:
            return False
        self.earlier_boots = stamp[3] == "earlier"
        self.fresh = stamp[4] == "fresh"
        return True

    def sign(self, boot: str) -> None:
        """Write out what has changed and declare that the index agrees with the directory."""
        self.blocks.flush()
        past = time.time_ns() - _PAST
        try:
            os.utime(self._watched, ns=(past, past))
        except OSError as error:
            raise files.failure(error, f"set the times of {self._watched}") from error
        earlier, fresh = "earlier" if self.earlier_boots else "running", "fresh" if self.fresh else "changed"
        files.overwrite(
            self._stamp, f"{FORMAT} {boot} {self._state_of_directory()} {earlier} {fresh}".ljust(128).encode()
        )

    def rebuild(self, found: Iterable[tuple[Ip, int, str]], boot: str) -> None:
        """Index the whole directory: every address, its file's modification time (ns) and its owner ("" for none)."""
        self._make()
        files.remove(self._stamp)
        self.blocks.reset()
        self.earlier_boots = self.owners.replace(self._marked(found), boot)
        self.fresh = True
        self.sign(boot)

    def _marked(self, found: Iterable[tuple[Ip, int, str]]) -> Iterator[tuple[Ip, int, str]]:
        for ip, mtime_ns, key in found:
            self.blocks.mark(ip)
            if key:
                yield ip, mtime_ns, key

    def _make(self) -> None:
        for path in (f"{self._directory}/owners", f"{self._directory}/blocks"):
            files.make_directory(path, 0o700)

    @property
    def _stamp(self) -> str:
        return f"{self._directory}/stamp"

    def _state_of_directory(self) -> str:
        try:
            found = os.stat(self._watched)
        except OSError as error:
            raise files.failure(error, f"look at {self._watched}") from error
        return f"{found.st_dev:x}:{found.st_ino:x}:{found.st_mtime_ns:x}"
