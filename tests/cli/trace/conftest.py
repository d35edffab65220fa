"""A node where pods come and go, and an operator who watches."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from queue import Queue
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.terminal import Terminal
from tests.node import Pod, with_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cni_multus.linux.netns import Namespace
    from tests.conftest import MakeNamespace

PATIENCE = 20


class Watched(Terminal):
    """A node, and `multus trace` on it as a process."""

    def __init__(self, host: Namespace, root: Path, make: MakeNamespace) -> None:
        super().__init__(host, root)
        self._make = make
        self.log = root / "multus.log"
        self.running: list[Watching] = []
        self.configuration = self.config(self.bridge(), self.macvlan("red", "10.2.0.0/24"), logFile=str(self.log))
        self.write("00-multus.conf", self.configuration)

    def pod(self, name: str = "web-0") -> Pod:
        """A pod's sandbox that nothing is attached to yet."""
        return Pod(self._make(name), name)

    @property
    def places(self) -> list[str]:
        """The options that name this node's directories."""
        return ["--conf-dir", str(self.networks), "--cni-dir", str(self.cni_dir), "--results-dir", str(self.cache)]

    def trace(self, *arguments: str) -> Watching:
        """Begin to watch; it does so when this returns."""
        command = [*self.command("multus"), "trace", *arguments, *self.places, "-o", "json"]
        watching = Watching([*with_run(self.run_dir), "nsenter", f"--net={self.host.path}", *command])
        self.running.append(watching)
        return watching


class Watching:
    """`multus trace`, and what it has told."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.errors = ""
        while not self.errors.rpartition("\n")[0].rpartition("\n")[2].startswith("following "):
            line = self.process.stderr.readline()
            assert line, self.errors
            self.errors += line
        self.told: list[dict[str, Any]] = []
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def until(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next event that is like that."""
        while line := self._lines.get(timeout=PATIENCE):
            event = json.loads(line)
            assert isinstance(event, dict)
            self.told.append(event)
            if is_it(event):
                return event
        raise AssertionError(f"it ended: {self.told}")

    def says(self, text: str) -> dict[str, Any]:
        """The next event that says so."""
        return self.until(lambda event: text in event["what"])

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """The exit status after Ctrl-C, and what was said on standard error."""
        if self.process.poll() is None and number:
            self.process.send_signal(number)
        assert self.process.stderr is not None
        errors = self.errors + self.process.stderr.read()
        status = self.process.wait(PATIENCE)
        self._reader.join()
        while line := self._lines.get():
            self.told.append(json.loads(line))
        self.process.stderr.close()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status, errors


@pytest.fixture
def node(host: Namespace, tmp_path: Path, netns: MakeNamespace) -> Iterator[Watched]:
    node = Watched(host, tmp_path, netns)
    yield node
    for watching in node.running:
        if watching.process.poll() is None:
            watching.end(signal.SIGKILL)
