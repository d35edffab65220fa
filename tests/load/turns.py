"""Two requests at once, held in the middle: whether the second waits for the first, or both are at work together.

The network is a program that notes when a request of a pod begins and ends with it, and that ends when it is let go.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node import Node, Pod

PROGRAM = """#!{python} -ISE
import os, time
what = os.environ["CNI_COMMAND"] + " " + os.environ["CNI_CONTAINERID"]
def note(word):
    fd = os.open({notes!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (word + " " + what + "\\n").encode())
    os.close(fd)
note("begin")
while not os.path.exists({let_go!r}):
    time.sleep(0.005)
note("end")
if os.environ["CNI_COMMAND"] == "ADD":
    print('{{"cniVersion": "1.1.0", "ips": []}}')
"""
PATIENCE = 60.0


class Together:
    """Requests of one node, whose program ends when `let_go` is called."""

    def __init__(self, node: Node, program: Path) -> None:
        self.node = node
        self.program = program
        self._notes = node.root / "notes"
        self._let_go = node.root / "let-go"
        path = node.bin_dir / "noting"
        path.write_text(PROGRAM.format(python=sys.executable, notes=str(self._notes), let_go=str(self._let_go)))
        path.chmod(0o755)
        self.config = node.config({"cniVersion": "1.1.0", "name": "noted", "type": "noting"})

    def start(self, verb: str, pod: Pod) -> subprocess.Popen[bytes]:
        """The program, begun."""
        started = subprocess.Popen(
            ["nsenter", f"--net={self.node.host.path}", str(self.program)],
            env=pod.environment(verb, str(self.node.runtime_path)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert started.stdin
        started.stdin.write(json.dumps(self.config).encode())
        started.stdin.close()
        started.stdin = None
        return started

    def done(self, verb: str, pod: Pod) -> None:
        """A request alone, which succeeds."""
        self.let_go()
        started = self.start(verb, pod)
        told = started.communicate()[0]
        assert started.returncode == 0, told
        self.hold()

    def notes(self) -> list[str]:
        """What the program has noted so far."""
        return self._notes.read_text().splitlines() if self._notes.exists() else []

    def hold(self) -> None:
        """Forget what was noted; from here on the program waits."""
        self._notes.unlink(missing_ok=True)
        self._let_go.unlink(missing_ok=True)

    def let_go(self) -> None:
        """Let every program go on."""
        self._let_go.touch()

    def both(self, first: str, second: str, pod: Pod) -> list[str]:
        """The notes of two requests of one pod: the second is started when the first is in the middle.

        The first is let go when the second has its pod's record open, and waits; or does not wait, but works, or ended.
        """
        earlier = self.start(first, pod)
        await_that(lambda: len(self.notes()) == 1)
        later = self.start(second, pod)
        await_that(lambda: self._waits(later, pod) or len(self.notes()) > 1 or later.poll() is not None)
        self.let_go()
        for started in (earlier, later):
            started.communicate()
        return self.notes()

    def _waits(self, started: subprocess.Popen[bytes], pod: Pod) -> bool:
        record = os.path.basename(self.node.record_file(pod))
        try:
            opened = [os.readlink(f"/proc/{started.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{started.pid}/fd")]
        except OSError:
            return False
        return any(os.path.basename(path) == record for path in opened)


def await_that(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.005)


def overlap(notes: list[str]) -> bool:
    """Whether a request began before the one before it had ended."""
    words = [note.split()[0] for note in notes]
    return words != ["begin", "end"] * (len(words) // 2)
