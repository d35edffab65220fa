"""What is remembered about a directory of address files, so that no request has to read all of it.

    <dataDir>/.multus/<network>/
        stamp                              the directory's modification time when the index last agreed with it
        owners/<containerID>@<ifname>      lines `<boot> <mtime> <address>`: the addresses written for this owner
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

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import IoFailure
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BOOT_ID = "/proc/sys/kernel/random/boot_id"
FORMAT = "1"
_BLOCK_BITS = 16
_CACHED_BLOCKS = 64
_FULL = b"\xff"
_PAST = 10 * 10**9
_LONGEST_NAME = 255


def running_boot() -> str:
    """The kernel's name for the time since it was started, shortened to 16 hexadecimal digits."""
    data = files.read(BOOT_ID)
    if not data:
        raise IoFailure(f"cannot read {BOOT_ID}: there is none; is /proc mounted?")
    return data.decode("ascii", "replace").strip().replace("-", "")[:16]


class Reservation:
    """One address of an owner, the boot it was made in, and its file's modification time (ns) as an identity."""

    __slots__ = ("boot", "ip", "mtime_ns")

    def __init__(self, ip: Ip, boot: str, mtime_ns: int) -> None:
        self.ip = ip
        self.boot = boot
        self.mtime_ns = mtime_ns

    @staticmethod
    def parse(line: str) -> Reservation | None:
        """Read a line, None for one that is not complete."""
        try:
            boot, mtime, address = line.split()
            return Reservation(Ip.parse(address), boot, int(mtime, 16))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.boot} {self.mtime_ns:x} {self.ip}"


class Blocks:
    """The bits: which addresses have a file. Changes are kept until `flush`."""

    __slots__ = ("_changed", "_directory", "_loaded")

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._loaded: dict[tuple[int, int], bytearray] = {}
        self._changed: set[tuple[int, int]] = set()

    def find_free(self, family: int, first: int, last: int) -> int | None:
        """The lowest address from `first` to `last` whose bit is not set."""
        while first <= last:
            number = first >> _BLOCK_BITS
            base = number << _BLOCK_BITS
            free = base + _first_clear(self._load((family, number)), first - base)
            if free > last:
                return None
            if free < base + (1 << _BLOCK_BITS):
                return free
            first = free
        return None

    def mark(self, ip: Ip) -> None:
        """Set the bit of `ip`."""
        data, byte, bit = self._locate(ip)
        if len(data) <= byte:
            data.extend(bytes(byte + 1 - len(data)))
        data[byte] |= bit

    def clear(self, ip: Ip) -> None:
        """Clear the bit of `ip`."""
        data, byte, bit = self._locate(ip)
        if len(data) > byte:
            data[byte] &= ~bit

    def flush(self) -> None:
        """Write what has changed."""
        for block in self._changed:
            files.overwrite(self._path(block), bytes(self._loaded[block]))
        self._changed.clear()

    def reset(self) -> None:
        """Forget everything, on disk too."""
        self._loaded.clear()
        self._changed.clear()
        for name in files.names(self._directory):
            files.remove(f"{self._directory}/{name}")

    def _locate(self, ip: Ip) -> tuple[bytearray, int, int]:
        block = (ip.family, ip.number >> _BLOCK_BITS)
        if block not in self._loaded and len(self._loaded) >= _CACHED_BLOCKS:
            self.flush()
            self._loaded.clear()
        offset = ip.number & (1 << _BLOCK_BITS) - 1
        data = self._load(block)
        self._changed.add(block)
        return data, offset >> 3, 1 << (offset & 7)

    def _load(self, block: tuple[int, int]) -> bytearray:
        data = self._loaded.get(block)
        if data is None:
            data = self._loaded[block] = bytearray(files.read(self._path(block)) or b"")
        return data

    def _path(self, block: tuple[int, int]) -> str:
        return f"{self._directory}/{block[0]}-{block[1]:x}"


def _first_clear(data: bytearray, start: int) -> int:
    """The first clear bit from `start` on; what lies beyond the data is clear."""
    byte, bit = start >> 3, start & 7
    if byte >= len(data):
        return start
    value = data[byte] | (1 << bit) - 1
    if value == 0xFF:
        rest = data[byte + 1 :].lstrip(_FULL)
        byte = len(data) - len(rest)
        value = rest[0] if rest else 0
    return byte << 3 | (~value & value + 1).bit_length() - 1


class AddressIndex:
    """The index of one network; `watched` is the directory with its address files."""

    __slots__ = ("_directory", "_watched", "blocks", "earlier_boots", "fresh")

    def __init__(self, directory: str, watched: str) -> None:
        self._directory = directory
        self._watched = watched
        self.blocks = Blocks(f"{directory}/blocks")
        self.earlier_boots = False
        """Whether any reservation of an earlier boot was seen when the index was rebuilt."""
        self.fresh = False
        """Whether nothing has changed since the index was rebuilt."""

    def make(self) -> None:
        """Make the directories."""
        for path in (f"{self._directory}/owners", f"{self._directory}/blocks"):
            files.make_directory(path, 0o700)

    def load(self, boot: str) -> bool:
        """Read the stamp; whether the index can be believed."""
        stamp = (files.read(self._stamp) or b"").decode("ascii", "replace").split()
        if len(stamp) != 5 or stamp[:3] != [FORMAT, boot, self._state_of_directory()]:
            return False
        self.earlier_boots = stamp[3] == "earlier"
        self.fresh = stamp[4] == "fresh"
        return True

    def distrust(self) -> None:
        """Remove the stamp: from now on, until `sign`, the index is not believed."""
        files.remove(self._stamp)

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

    def owned(self, key: str) -> list[Reservation]:
        """What was written down for an owner."""
        lines = os.fsdecode(files.read(self._owner(key)) or b"").splitlines()
        return [reservation for line in lines if (reservation := Reservation.parse(line))]

    def write_down(self, key: str, reservations: list[Reservation]) -> None:
        """Replace what was written down for an owner; nothing at all removes it."""
        if len(os.fsencode(key)) > _LONGEST_NAME:
            return  # longer than any request's: a reservation of another program, which only GC can remove
        if reservations:
            text = "".join(f"{reservation}\n" for reservation in reservations)
            files.write_atomically(self._owner(key), text.encode(), durable=False)
        else:
            files.remove(self._owner(key))

    def owners(self) -> Iterator[str]:
        """The keys that something was written down for."""
        for name in files.names(f"{self._directory}/owners"):
            if name.startswith(files.TEMPORARY):
                files.remove(self._owner(name))
            else:
                yield name

    @property
    def _stamp(self) -> str:
        return f"{self._directory}/stamp"

    def _owner(self, key: str) -> str:
        return f"{self._directory}/owners/{key}"

    def _state_of_directory(self) -> str:
        try:
            found = os.stat(self._watched)
        except OSError as error:
            raise files.failure(error, f"look at {self._watched}") from error
        return f"{found.st_dev:x}:{found.st_ino:x}:{found.st_mtime_ns:x}"
