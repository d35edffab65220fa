"""What this node believes to be taken of a pool: where it looks for a free address without asking anybody.

    <dataDir>/seen/<hash of server, namespace and pool>/
      lock
      state           one JSON object: how often it was read, text of its range, what was given last, and since then
      pool/           bitmaps: what was in the pool, and what this node gave since
      elsewhere/      bitmaps: what was free in the pool and yet somebody's, in another range
      holders         8 bytes for each entry that it had when it was read: whose it was

It may be stale, torn or gone at any time: whether an address is free says the API, and nobody else. One process of the
node at a time chooses, so that those of one node do not meet.
"""

from __future__ import annotations

import os

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError, IoFailure, TryAgainLater
from cni_multus.hashes import digest
from cni_multus.state import files
from cni_multus.state.blocks import Blocks
from cni_multus.state.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from ipam.whereabouts.cluster.entry import Entry
    from ipam.whereabouts.cluster.pools import PoolView
    from ipam.whereabouts.pool import Pool

WIDEST = 256
"""The most free addresses that one is chosen from."""
MOST_RECENT = 256
"""So many addresses that were given are told from stale bits: as many as may be in the air."""


class Seen:
    """`with Seen(...) as seen:` one pool's, under its lock."""

    def __init__(self, data_dir: str, server: str, namespace: str, pool: str, attempt: str, wait: float) -> None:
        self._root = os.path.join(data_dir, "seen", digest(f"{server}\0{namespace}\0{pool}", 40))
        self._lock = Lock(f"{self._root}/lock", attempt, wait)
        self._pool = Blocks(f"{self._root}/pool")
        self._elsewhere = Blocks(f"{self._root}/elsewhere")
        self.generation = 0
        """How often the pool was read; 0: never."""
        self.text = ""
        """The pool's spec.range as it stands there."""
        self.last: int | None = None
        """The address that was given last."""
        self._recent: list[int] = []

    def __enter__(self) -> Seen:
        for name in ("pool", "elsewhere"):
            files.make_directory(f"{self._root}/{name}")
        self._lock.enter(self._load)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._save()
        finally:
            self._lock.__exit__(kind, error, trace)

    def choose(self, pool: Pool, start: int, losses: int) -> Ip | None:
        """A free address, from `start` on: the first, after losses one of the next so many; None where none is."""
        free: list[int] = []
        wanted = min(4**losses, WIDEST)
        for first, last in pool.spans_from(start):
            at = first
            while len(free) < wanted and (number := self._find(pool.family, at, last)) is not None:
                free.append(number)
                at = number + 1
        if not free:
            return None
        ip = Ip(pool.family, free[int.from_bytes(os.urandom(4), "little") % len(free)])
        self.give(ip)
        self.last = ip.number
        return ip

    def give(self, ip: Ip) -> None:
        """This node takes `ip`, or tries to."""
        self._pool.mark(ip)
        self._recent = [*self._recent[1 - MOST_RECENT :], ip.number]

    def take_back(self, ip: Ip) -> None:
        """Nobody has `ip` any more."""
        self._pool.clear(ip)
        self._elsewhere.clear(ip)
        self._recent = [number for number in self._recent if number != ip.number]

    def learn(self, view: PoolView | None, base: Cidr) -> None:
        """The pool was read: what it has is taken, and what this node gave since it was read before."""
        recent = self._recent if self.generation else []
        self._pool.reset()
        found = [ip for offset in (view.entries if view else ()) if (ip := _ip(base, offset))]
        for ip in found:
            self._pool.mark(ip)
        known = {ip.number for ip in found}
        for number in recent:
            # In the air, maybe: it is passed over until the pool is read again.
            if number not in known and base.first <= number <= base.last:
                self._pool.mark(Ip(base.family, number))
        self._recent = []
        self.text = view.range if view else ""
        self.generation += 1
        holders = {_whose(entry) for entry in view.entries.values()} if view else set()
        files.overwrite(f"{self._root}/holders", b"".join(sorted(holders)))

    def is_elsewhere(self, ip: Ip) -> None:
        """Somebody has `ip` though the pool does not say so."""
        self._elsewhere.mark(ip)

    def learn_elsewhere(self, taken: Iterable[Ip]) -> None:
        """All that is somebody's, in whichever pool."""
        self._elsewhere.reset()
        for ip in taken:
            self._elsewhere.mark(ip)

    def knows(self, entry: Entry) -> bool:
        """Whether the pool had, when it was read, an entry of that pod and interface."""
        data = files.read(f"{self._root}/holders") or b""
        whose = _whose(entry)
        at = data.find(whose)
        while at > 0 and at % len(whose):
            at = data.find(whose, at + 1)
        return at >= 0

    def _find(self, family: int, first: int, last: int) -> int | None:
        while first <= last:
            number = self._pool.find_free(family, first, last)
            if number is None:
                return None
            first = number
            other = self._elsewhere.find_free(family, first, last)
            if other == number or other is None:
                return other
            first = other
        return None

    def _load(self) -> None:
        try:
            data = files.read(f"{self._root}/state")
            state = Section(parse_object(data, "state") if data else {})
            self.generation = state.number("generation")
            self.text = state.text("range")
            self.last = int(state.text("last")) if state.has("last") else None
            self._recent = [int(text) for text in state.texts("recent")]
        except (CniError, ValueError):
            self.generation = 0

    def _save(self) -> None:
        self._pool.flush()
        self._elsewhere.flush()
        state: dict[str, object] = {"generation": self.generation, "range": self.text}
        state["recent"] = [str(number) for number in self._recent]  # numbers beyond 2^53 survive as text
        if self.last is not None:
            state["last"] = str(self.last)
        files.overwrite(f"{self._root}/state", print_compact(state))


def note_free(data_dir: str, server: str, namespace: str, pool: str, ip: Ip) -> None:
    """Nobody has `ip` any more: good to know for the next who looks, and no matter if it cannot be noted."""
    try:
        with Seen(data_dir, server, namespace, pool, "", 0.2) as seen:
            seen.take_back(ip)
    except (IoFailure, TryAgainLater):
        return


def _ip(base: Cidr, offset: int) -> Ip | None:
    number = base.first + offset
    return Ip(base.family, number) if base.first <= number <= base.last else None


def _whose(entry: Entry) -> bytes:
    return bytes.fromhex(digest(f"{entry.podref}\0{entry.ifname}", 16))
