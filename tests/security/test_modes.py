"""Modes of what the built program makes, from the instant that it is made, whatever mask the runtime left it with."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.binary.calls import ask
from tests.security.test_links_planted import KEPT, everything

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

MADE = re.compile(
    r'(?:openat\([^"]*|mkdir(?:at)?\([^"]*|chmod\()"([^"]+)", (?:O_[A-Z_|]*O_CREAT[A-Z_|]*, )?(0[0-7]+)\)'
)
CLOSED = ("log", "multus", "leases", "state/tuning", "state/sbr", "state/firewall")
"""What only root may read. The reservations of host-local and static have the modes of the Go program."""


def traced(node: Node, pod: Pod, command: str, mask: str, trace: Path) -> None:
    before = ["/bin/sh", "-c", f'umask {mask}; exec "$@"', "sh"]
    calls = "trace=openat,open,creat,mkdir,mkdirat,mknod,mknodat,chmod,fchmod,fchmodat"
    strace = ["/usr/bin/strace", "-f", "-y", "-qq", "-o", str(trace), "-e", calls]
    ask(node, pod, command, everything(node), *before, *strace).succeeded()


@pytest.mark.parametrize("mask", ["000", "077"])
def test_nothing_is_anybody_elses_for_an_instant(node: Node, pod: Pod, tmp_path: Path, mask: str) -> None:
    trace = tmp_path / "trace"
    asked: dict[str, int] = {}
    for command in ("ADD", "CHECK", "DEL"):
        traced(node, pod, command, mask, trace)
        for path, mode in MADE.findall(trace.read_text()):
            if path.startswith(str(node.root)):
                asked[os.path.relpath(path, node.root)] = int(mode, 8)
        if command == "ADD":
            _look(node)
    assert len(asked) > 20
    assert asked[f"multus/journal/{pod.container_id}@eth0"] == 0o600
    for path, mode in asked.items():
        assert not mode & 0o022, f"{path} is made with {mode:o}"
        is_closed = path.startswith(CLOSED) and not mode & 0o077
        assert is_closed or mode == 0o755 or path.startswith(("addresses/", "state/static/")), f"{path}: {mode:o}"


def _look(node: Node) -> None:
    seen = 0
    for kept in KEPT:
        for directory, folders, names in os.walk(node.root / kept):
            for name in (*folders, *names):
                path = os.path.join(directory, name)
                found = os.lstat(path)
                if stat.S_ISLNK(found.st_mode):
                    continue
                seen += 1
                mode, relative = stat.S_IMODE(found.st_mode), os.path.relpath(path, node.root)
                assert not mode & 0o022, f"{relative} has {mode:o}"
                if stat.S_ISREG(found.st_mode) and relative.startswith(CLOSED):
                    assert not mode & 0o077, f"{relative} has {mode:o}"
    assert seen > 20


def test_a_log_that_is_full_is_nobody_elses_while_it_is_packed(tmp_path: Path) -> None:
    """What is moved aside, and what becomes of that."""
    code = (
        "import os, sys; os.umask(0)\n"
        "from cni_multus.cni.config import Section\n"
        "from cni_multus.multus.logfile import LogFile\n"
        "log = LogFile(sys.argv[1], Section({'maxSize': 1}))\n"
        "for _ in range(3): log.append(b'x' * 900_000 + b'\\n')\n"
    )
    trace, log = tmp_path / "trace", tmp_path / "deep" / "er" / "multus.log"
    command = [
        "strace",
        "-f",
        "-qq",
        "-o",
        str(trace),
        "-e",
        "trace=openat,mkdir,chmod,fchmod",
        sys.executable,
        "-c",
        code,
    ]
    subprocess.run([*command, str(log)], check=True)
    made = [(path, int(mode, 8)) for path, mode in MADE.findall(trace.read_text()) if path.startswith(str(tmp_path))]
    assert {mode for path, mode in made if "multus.log" in path} == {0o600}
    assert {mode for path, mode in made if "multus.log" not in path} == {0o755}
    assert any(path.endswith(".gz.part") for path, _ in made)
    for directory, folders, names in os.walk(tmp_path / "deep"):
        for name in (*folders, *names):
            assert not os.stat(os.path.join(directory, name)).st_mode & 0o022
