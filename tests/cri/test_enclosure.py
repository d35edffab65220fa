"""What is done in an enclosure goes with it, and it goes with whoever made it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cri.enclosure import CGROUPS, Enclosure

MAKE = """
import time
from tests.cri.enclosure import Enclosure
made = Enclosure()
print(made.pid, made.cgroup, flush=True)
time.sleep(600)
"""
PATIENCE = 20


def make_cgroup(name: str) -> Path:
    """As a runtime does it."""
    hierarchy = CGROUPS if (CGROUPS / "cgroup.procs").exists() else CGROUPS / "pids"
    cgroup = hierarchy / name / "pod"
    cgroup.mkdir(parents=True)
    return cgroup


def test_it_does_not_reach_the_machine() -> None:
    enclosure = Enclosure()
    try:
        enclosure.run("sh", "-c", "touch /run/here /var/lib/here /var/log/here; ip link add here type bridge")
        assert not any(Path(directory, "here").exists() for directory in ("/run", "/var/lib", "/var/log"))
        assert not Path("/sys/class/net/here").exists()
        assert enclosure.path("/run/here").exists()
        assert enclosure.run("hostname") != os.uname().nodename
    finally:
        enclosure.close()


def test_everything_in_it_ends_with_it() -> None:
    enclosure = Enclosure()
    cgroup = make_cgroup(enclosure.cgroup)
    enclosure.run("sh", "-c", f"ip netns add pod; sleep 600 >/dev/null 2>&1 & echo $! >{cgroup}/cgroup.procs")
    assert (cgroup / "cgroup.procs").read_text()
    assert enclosure.path("/run/netns/pod").exists()
    enclosure.close()
    assert not cgroup.parent.exists()
    assert not Path(f"/proc/{enclosure.pid}").exists()


def test_it_ends_when_its_maker_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", MAKE], stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        pid, name = maker.stdout.readline().split()
        cgroup = make_cgroup(name)
        maker.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists() or cgroup.parent.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
