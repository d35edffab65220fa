"""Which addresses are surely taken: a bitmap to search in, which may be lost or stale at any time.

A bit is set after the address was linked, and cleared before its link goes: so whatever is killed in between, a bit
that is wrong says "free", which the link itself then corrects. The other error, after a power cut or where somebody
removed links by hand, would hide an address: who finds none free lets the bits be made again.
"""

from __future__ import annotations

from cni_multus.cni.errors import IoFailure
from cni_multus.state import files
from cni_multus.state.blocks import Blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.cni.addressing import Ip


class Hints:
    """The bits of one domain, below `directory`. What cannot be written is done without."""

    __slots__ = ("_blocks", "_directory", "_dirty")

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._blocks = Blocks(directory)
        self._dirty = False

    def find_free(self, family: int, first: int, last: int) -> int | None:
        """The lowest address from `first` to `last` that is not known to be taken."""
        return self._blocks.find_free(family, first, last)

    def is_marked(self, ip: Ip) -> bool:
        """Whether `ip` is known to be taken."""
        return self._blocks.find_free(ip.family, ip.number, ip.number) is None

    def mark(self, ip: Ip) -> None:
        """Remember that `ip` is taken."""
        if not self.is_marked(ip):
            self._blocks.mark(ip)
            self._dirty = True

    def clear(self, ip: Ip) -> None:
        """Forget that `ip` is taken."""
        if self.is_marked(ip):
            self._blocks.clear(ip)
            self._dirty = True

    def rebuild(self, taken: Iterable[Ip]) -> None:
        """Remember `taken`, and nothing else."""
        self._blocks.reset()
        for ip in taken:
            self._blocks.mark(ip)
        self._dirty = True

    def flush(self) -> None:
        """Write what has changed."""
        if not self._dirty:
            return
        try:
            if not files.is_directory(self._directory):
                files.make_directory(self._directory)
            self._blocks.flush()
        except IoFailure:
            return  # a full disk, say: only a search becomes longer, or has to begin anew
        self._dirty = False
