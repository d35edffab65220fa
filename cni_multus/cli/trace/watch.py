"""All that is followed, in one loop: the journal first, since it knows the names of pods."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.notes import Note
from cni_multus.cli.trace.journal import Following
from cni_multus.cli.trace.kernel import Kernel
from cni_multus.cli.trace.log import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cni_multus.cli.trace.event import Event

TICK = 0.2
"""Seconds after which the log, and a journal that is not there, are looked at if nothing happens."""


class Watch:
    """What is followed, of directories of this process; `log` "" for none."""

    def __init__(self, cni_dir: str, log: str) -> None:
        self.journal = Following(cni_dir)
        self.log = Tail(log) if log else None
        self.notes: list[Note] = []
        try:
            self.kernel: Kernel | None = Kernel()
        except OSError as error:
            self.kernel = None
            self.notes.append(Note("the kernel", f"the kernel tells nothing of the node's links: {error.strerror}"))

    def follow(self, until: float, tell: Callable[[Event], object], moved: Callable[[], bool] | None = None) -> None:
        """Tell every event until that moment of the monotonic clock, 0 for never; `moved` may end it earlier."""
        poll = select.poll()
        for fd in (self.journal.fd, self.kernel.fd if self.kernel else -1):
            if fd >= 0:
                poll.register(fd, select.POLLIN)
        while True:
            left = until - time.monotonic() if until else TICK
            poll.poll(max(0.0, min(TICK, left)) * 1000)
            self.tell(tell)
            if (until and time.monotonic() >= until) or (moved and moved()):
                return

    def tell(self, tell: Callable[[Event], object]) -> None:
        """Tell what has happened up to now."""
        for event in self._events():
            tell(event)

    def close(self) -> None:
        """Follow no more."""
        for each in (self.journal, self.log, self.kernel):
            if each:
                each.close()

    def troubles(self) -> list[Note]:
        """What is not seen."""
        of_log = self.log.notes if self.log else []
        return [*self.journal.notes, *of_log, *(self.kernel.notes if self.kernel else []), *self.notes]

    def _events(self) -> Iterator[Event]:
        # What the log tells has happened by the time that it is read: the others are read after it, and told before.
        summed_up = list(self.log.events()) if self.log else []
        yield from self.journal.events()
        if self.kernel:
            yield from self.kernel.events(self.journal.pods)
        yield from summed_up
