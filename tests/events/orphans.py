"""The processes whose parents are gone, and that came to this one."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


class Orphans:
    """Those that came since it was made."""

    def __init__(self) -> None:
        self._before = children()

    @property
    def now(self) -> list[int]:
        """Their process IDs, dead ones that nobody has waited for among them."""
        return sorted(children() - self._before)

    def one(self) -> int:
        """The only one; it is waited for, since its parent may have to end first."""
        deadline = time.monotonic() + 10
        while len(self.now) != 1:
            assert time.monotonic() < deadline, self.now
            time.sleep(0.002)
        return self.now[0]

    def wait(self, seconds: float = 20) -> list[int]:
        """See all of them end by themselves; how each did."""
        deadline = time.monotonic() + seconds
        ended = []
        for pid in self.now:
            while not (outcome := os.waitpid(pid, os.WNOHANG))[0]:
                assert time.monotonic() < deadline, pid
                time.sleep(0.005)
            ended.append(os.waitstatus_to_exitcode(outcome[1]))
        return ended

    def end(self) -> None:
        """Leave none behind."""
        for pid in self.now:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def children() -> set[int]:
    """Of this process, all threads together."""
    tasks = Path("/proc/self/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
