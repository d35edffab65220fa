"""An operator's terminal on a node: the program as a process, called by its names."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.node import Node, with_run

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

ROOT = Path(__file__).resolve().parents[2]

LAUNCHER = """import runpy, sys
sys.path.insert(0, {root!r})
runpy.run_module("cni_multus", run_name="__main__")
"""


def seen_on_a_terminal(command: list[str], *, columns: int = 200, **environment: str) -> str:
    """What a terminal of that width gets to see of a command."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with open(ours, "rb", buffering=0) as reader:
        process = subprocess.Popen(
            command, stdout=theirs, env={"TERM": "xterm", "PATH": os.environ["PATH"], **environment}
        )
        os.close(theirs)
        seen = b""
        try:
            while chunk := reader.read(65536):
                seen += chunk
        except OSError:
            pass  # the other end is closed: that is how a terminal tells
        process.wait()
    return seen.decode().replace("\r\n", "\n")


class Ended:
    """How a command ended, and what it printed."""

    def __init__(self, status: int, stdout: str, stderr: str) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr

    def succeeded(self) -> Ended:
        """The same, which must be no failure and must not complain."""
        assert (self.status, self.stderr) == (0, "")
        return self

    def failed(self, status: int = 1) -> str:
        """The one line that says why."""
        assert self.status == status, (self.stdout, self.stderr)
        assert self.stdout == ""
        assert self.stderr.startswith("cnitool: ")
        assert self.stderr.count("\n") == 1
        return self.stderr

    @property
    def document(self) -> dict[str, Any]:
        """What was printed, as JSON."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document


class Terminal(Node):
    """A node with directories for networks (`networks`) and for what cnitool remembers (`cache`)."""

    def __init__(self, host: Namespace, root: Path) -> None:
        super().__init__(host, root)
        self.networks = root / "net.d"
        self.networks.mkdir()
        self.cache = root / "cache"
        self.names = root / "names"
        self.names.mkdir()
        self.run_dir = root / "run"
        self.run_dir.mkdir()

    def write(self, file: str, config: object) -> Path:
        """Put a file into the directory of networks; a string is written as it is."""
        path = self.networks / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return path

    def run_as(self, name: str, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        """Run the program by one of its names, on the node, with these variables and hardly any other."""
        command = [*self.command(name), *arguments]
        done = subprocess.run(
            [*with_run(self.run_dir), "nsenter", f"--net={self.host.path}", *command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], **environment},
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def command(self, name: str) -> list[str]:
        """What is executed for a name of the program."""
        launcher = self.names / name
        launcher.write_text(LAUNCHER.format(root=str(ROOT)))
        return [sys.executable, "-IE", str(launcher)]

    def cnitool(self, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        """Run cnitool with this node's directories."""
        return self.run_as(
            "cnitool",
            *arguments,
            stdin=stdin,
            **{
                "NETCONFPATH": str(self.networks),
                "CNI_CACHE_DIR": str(self.cache),
                "CNI_PATH": str(self.bin_dir),
                **environment,
            },
        )

    def remembered(self) -> list[dict[str, Any]]:
        """What is in the cache, in the order of the files' names."""
        directory = self.cache / "results"
        return [json.loads(path.read_bytes()) for path in sorted(directory.glob("*"))]


def container_id(netns: str) -> str:
    """What the Go cnitool calls the container of a namespace."""
    return "cnitool-" + hashlib.sha512(netns.encode()).hexdigest()[:20]
