"""Which addresses have a file, one bit each: 65536 addresses per block, a block per file named `<family>-<number>`."""

from __future__ import annotations

from cni_multus.cni.addressing import Ip
from cni_multus.state import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_BITS = 16
_CACHED_BLOCKS = 64
_FULL = b"\xff"


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

    def marked(self) -> Iterator[Ip]:
        """Every address whose bit is set on disk."""
        for name in files.names(self._directory):
            family, _, number = name.partition("-")
            data = files.read(f"{self._directory}/{name}") or b""
            for byte, value in enumerate(data):
                for bit in range(8):
                    if value >> bit & 1:
                        yield Ip(int(family), (int(number, 16) << _BLOCK_BITS) + (byte << 3) + bit)

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
