"""What a process costs, its children included, measured for several sides in turns; it knows nothing of CNI."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds, from before the program is spawned until it has been waited for."""

    cpu: float
    wall: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.cpu + other.cpu, self.wall + other.wall)


Round = dict[str, Cost]
"""What one side did in its turn: each step ("ADD", "DEL") and its cost."""

Samples = dict[str, list[float]]
"""The values of every measure ("cpu" and "wall" in ms, "memory" in MiB, "calls"), in the order of the runs."""


class Failed(Exception):
    """A program did not do what was to be measured."""


def execute(program: Path, environment: Mapping[str, str], stdin: bytes = b"") -> tuple[Cost, bytes]:
    """Run `program` under the name it is given by; its cost and what it printed. Raises Failed unless it succeeds."""
    streams = [os.memfd_create(name, os.MFD_CLOEXEC) for name in ("stdin", "stdout", "stderr")]
    try:
        os.write(streams[0], stdin)
        os.lseek(streams[0], 0, os.SEEK_SET)
        actions = [(os.POSIX_SPAWN_DUP2, fd, at) for at, fd in enumerate(streams)]
        started = time.perf_counter()
        pid = os.posix_spawn(program, [str(program)], environment, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - started
        stdout, stderr = (os.pread(fd, os.fstat(fd).st_size, 0) for fd in streams[1:])
    finally:
        for fd in streams:
            os.close(fd)
    code = os.waitstatus_to_exitcode(status)
    if code:
        said = (stdout + stderr).decode(errors="replace").strip()
        raise Failed(f"{program} {environment.get('CNI_COMMAND', '')} ended with {code}: {said}")
    return Cost((usage.ru_utime + usage.ru_stime) * 1000, wall * 1000), stdout


def compare(sides: Mapping[str, Callable[[], Round]], runs: int, warmups: int) -> dict[str, dict[str, Samples]]:
    """Let the sides take turns, A B A B ...: what disturbs the machine disturbs all. By side, step and measure."""
    for _ in range(warmups):
        for take_turn in sides.values():
            take_turn()
    rounds: dict[str, list[Round]] = {side: [] for side in sides}
    for _ in range(runs):
        for side, take_turn in sides.items():
            rounds[side].append(take_turn())
    return {side: {step: _samples([one[step] for one in done]) for step in done[0]} for side, done in rounds.items()}


def _samples(costs: list[Cost]) -> Samples:
    return {"cpu": [cost.cpu for cost in costs], "wall": [cost.wall for cost in costs]}
