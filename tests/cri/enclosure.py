"""Namespaces in which a container runtime finds a node of its own: nothing that it does there reaches the machine.

    network, processes, IPC, host name     its own
    /run, /var/lib, /var/log               empty, in memory
    everything else                        the machine's
    /sys/fs/cgroup                         the machine's: what is made has to be below `cgroup`

All of it goes with one process, the first of its process namespace, and that one ends when this process does, however;
the cgroups are removed by the shell that has started it.
"""

from __future__ import annotations

import os
import subprocess
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO

CGROUPS = Path("/sys/fs/cgroup")
NAMESPACES = ("--net", "--mount", "--ipc", "--uts", "--pid")

# The first process tells its number as the machine has it, and lives until its standard input ends; `wait` is what
# reaps the processes that others leave to it.
FIRST = """
read -r pid rest </proc/self/stat
mount -t proc proc /proc
for directory in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs $directory; done
mkdir /run/netns /run/lock
ip link set lo up
hostname node1
echo "$pid"
exec 3<&0 >/dev/null
cat <&3 & wait $!
"""

AROUND = f"""
cgroup=$1; shift
"$@"
find {CGROUPS} -depth -type d '(' -path "*/$cgroup" -o -path "*/$cgroup/*" ')' -exec rmdir '{{}}' +
"""

_numbers = count()


class Enclosure:
    """The namespaces, and how to get into them."""

    def __init__(self) -> None:
        self.cgroup = f"multus-tests-{os.getpid()}-{next(_numbers)}"
        first = ["unshare", *NAMESPACES, "--fork", "--kill-child", "--propagation=private", "sh", "-ec", FIRST]
        self._around = subprocess.Popen(
            ["sh", "-c", AROUND, "sh", self.cgroup, *first],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # whoever interrupts this process does not mean the shell
        )
        assert self._around.stdout is not None
        told = self._around.stdout.readline()
        assert told, f"no namespaces: unshare ended with status {self._around.wait()}"
        self.pid = int(told)

    @property
    def netns(self) -> str:
        """The path of the network namespace."""
        return f"/proc/{self.pid}/ns/net"

    def path(self, inside: str) -> Path:
        """Where this process finds a file of the enclosure."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def entering(self, *command: object) -> list[str]:
        """A command that runs `command` in the enclosure."""
        return ["nsenter", f"--target={self.pid}", *NAMESPACES, "--", *map(str, command)]

    def run(self, *command: object, environment: Mapping[str, str] | None = None) -> str:
        """What a command prints, which must succeed."""
        ended = subprocess.run(
            self.entering(*command), env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, f"{command}: status {ended.returncode}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def start(
        self, command: Sequence[object], output: IO[bytes], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """A command that stays; it is over when its first process is, which a signal from here does not reach."""
        return subprocess.Popen(self.entering(*command), env=environment, stdout=output, stderr=output)

    def close(self) -> None:
        """End all its processes, and with them everything else."""
        assert self._around.stdin is not None
        assert self._around.stdout is not None
        self._around.stdin.close()
        self._around.stdout.close()
        self._around.wait()
        assert not self.cgroups()

    def cgroups(self) -> list[Path]:
        """The cgroups that were made in here and are still there, the innermost first."""
        tops = [path for path in (*CGROUPS.glob(self.cgroup), *CGROUPS.glob(f"*/{self.cgroup}")) if path.is_dir()]
        found = [Path(directory) for top in tops for directory, _, _ in os.walk(top)]
        return sorted(found, key=lambda path: -len(path.parts))
