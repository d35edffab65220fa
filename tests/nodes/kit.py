"""A directory that stands for a node, and the program that keeps its configuration, as a process."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cni_multus.node.configure import Configuration
from cni_multus.node.generate import Options
from tools.build import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[2]
PRIMARIES = Path(__file__).parent / "primaries"
NET_D = "/etc/cni/net.d"
PATIENCE = 20.0


def primary(name: str) -> str:
    """What the primary CNI of that file writes."""
    return (PRIMARIES / name).read_text()


class Site:
    """A node's root with nothing in it but the directory of configurations."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.net_d = root / NET_D[1:]
        self.net_d.mkdir(parents=True)

    def configuration(self, **changed: Any) -> Configuration:
        options = changed.pop("options", Options())
        return Configuration(**{"conf_dir": NET_D, "primary_dir": NET_D, "options": options, **changed})

    def put(self, name: str, content: str | None = None) -> Path:
        """Write a file as a primary does, by a rename; without content the primary's of that name."""
        temporary = self.net_d / f".{name}.new"
        temporary.write_text(primary(name) if content is None else content)
        path = self.net_d / name
        temporary.rename(path)
        return path

    def names(self) -> list[str]:
        """What a runtime would find, and what else there is, our own directory left out."""
        return sorted(path.name for path in self.net_d.iterdir() if path.name != "multus.d")

    def ours(self, name: str = "00-multus.conf") -> dict[str, Any]:
        document = json.loads((self.net_d / name).read_text())
        assert isinstance(document, dict)
        return document

    def command(self, name: str, *arguments: str, built: bool = False) -> list[str]:
        program = [str(PROGRAM)] if built else [sys.executable, "-m", "cni_multus"]
        return [*program, "node", name, "--root", str(self.root), *arguments]

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(name, *arguments), cwd=ROOT, capture_output=True, text=True, check=False)


class Watcher:
    """`multus node watch` as a process; what it says goes to a file."""

    def __init__(
        self,
        site: Site,
        *arguments: str,
        log: str = "log",
        settle: str = "1",
        built: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = site.root / log
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                site.command("watch", "--health-address=127.0.0.1:0", "--settle", settle, *arguments, built=built),
                cwd=ROOT,
                stderr=stream,
                env={"PATH": os.environ["PATH"], **(environment or {})},
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str) -> None:
        """Until it has said this."""
        until(lambda: text in self.said, lambda: f"{text!r} is not in {self.said!r}", self)

    def ask(self, path: str) -> tuple[int, str]:
        """What it answers over HTTP."""
        self.wait_for("health at ")
        address = self.said.rpartition("health at ")[2].split()[0]
        try:
            with urllib.request.urlopen(f"{address}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def wait_until_ready(self) -> None:
        until(lambda: self.ask("/readyz")[0] == 200, lambda: self.ask("/readyz")[1] + self.said, self)

    def wait_for_reason(self, text: str) -> None:
        """Until it is not ready, for this reason."""
        until(lambda: text in self.ask("/readyz")[1], lambda: self.ask("/readyz")[1] + self.said, self)

    def metric(self, name: str) -> float:
        lines = [line for line in self.ask("/metrics")[1].splitlines() if line.startswith(f"multus_node_{name}")]
        assert len(lines) == 1, lines
        return float(lines[0].rpartition(" ")[2])

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def fill(path: Path) -> None:
    """Write until the disk takes no more."""
    with path.open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def until(holds: Callable[[], bool], told: Callable[[], str], watcher: Watcher | None = None) -> None:
    """Wait for what must come true, while the watcher lives."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, told()
        assert watcher is None or watcher.process.poll() is None, watcher.said
        time.sleep(0.02)
