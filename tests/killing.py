"""The built program killed before a system call that changes something, chosen from those that it makes."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

CHANGES = "mkdir,openat,write,link,rename,unlink,utimensat,ftruncate,flock,fsync,fdatasync,socket,bind,setns,sendto"
CALL = re.compile(r"^\d+ +(\w+)\((.*)$", re.MULTILINE)
KILLED = (-9, 137)


class Killer:
    """The meta-plugin with this configuration, for this pod."""

    def __init__(self, node: Node, pod: Pod, config: dict[str, Any]) -> None:
        self.node = node
        self.pod = pod
        self.config = config

    def points(self, command: str, log: Path) -> list[str]:
        """Every such call of a process that is not killed, as strace names it: the n-th of its kind."""
        assert self._traced(command, "-o", str(log), "-e", f"trace={CHANGES}") == 0
        found = []
        count: dict[str, int] = {}
        for name, rest in CALL.findall(log.read_text()):
            count[name] = count.get(name, 0) + 1
            if name != "openat" or "O_CREAT" in rest or "O_TRUNC" in rest:
                found.append(f"{name}:signal=KILL:when={count[name]}")
        assert len(found) > 40
        return found

    def kill(self, command: str, point: str) -> bool:
        """Kill it before that call; False where it came to its end before (a lock that was free this time)."""
        status = self._traced(command, "-o", "/dev/null", "-e", f"inject={point}")
        assert status in (0, *KILLED), point
        return status in KILLED

    def _traced(self, command: str, *options: str) -> int:
        """How the program ended under strace."""
        assert PROGRAM.exists(), "run `make build` first"
        return subprocess.run(
            ["nsenter", f"--net={self.node.host.path}", "strace", "-f", "-qq", "--seccomp-bpf", *options, PROGRAM],
            env=self.pod.environment(command, str(self.node.runtime_path)),
            input=json.dumps(self.config).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode
