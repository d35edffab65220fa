"""Both processes killed before each system call that changes something: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from cni_multus.events.spool import Spool
from tests.events.spooling import ROOT, delivered, event, program, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.events.orphans import Orphans

CHANGES = "mkdir,openat,write,link,rename,unlink,flock,connect,read,sendto,recvfrom,clone,fork,vfork"
CALL = re.compile(r"^(\w+)\((.*)$", re.MULTILINE)
KILLED = (-9, 137)

ADDING = program()
DELIVERING = """
import os, sys
sys.path.insert(0, sys.argv[1])
from cni_multus.events.delivery import deliver
from cni_multus.events.spool import Spool
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.kubeconfig import load_kubeconfig
os.write(2, b"begin")
deliver(Spool(sys.argv[2]), lambda: load_kubeconfig(sys.argv[3]), None, Deadline(10))
os._exit(0)
"""


class Killer:
    """A program with these arguments, which works in a spool."""

    def __init__(self, program: str, directory: Path, kubeconfig: Path, *arguments: str) -> None:
        self.command = [sys.executable, "-I", "-S", "-c", program, ROOT, str(directory), str(kubeconfig), *arguments]

    def points(self, log: Path, begin: str) -> list[str]:
        """Every such call of one that is not killed, behind the one that has `begin` in it."""
        assert self._traced("-o", str(log), "-e", f"trace={CHANGES}") == 0
        points = []
        begun = False
        count: dict[str, int] = {}
        for name, rest in CALL.findall(log.read_text()):
            count[name] = count.get(name, 0) + 1
            begun = begun or begin in rest
            if begun and not (name == "openat" and ".py" in rest):
                points.append(f"{name}:signal=KILL:when={count[name]}")
        return points

    def kill(self, point: str) -> None:
        """Kill it before that call."""
        status = self._traced("-o", "/dev/null", "-e", f"inject={point}")
        assert status in (0, *KILLED), point

    def _traced(self, *options: str) -> int:
        traced = ["strace", "-qq", *options, *self.command]
        return subprocess.run(traced, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def test_a_delivery_that_is_killed_anywhere(cluster: Cluster, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    kubeconfig = cluster.kubeconfig(style="json")
    killer = Killer(DELIVERING, tmp_path, kubeconfig)
    expected = ["a", "b"]
    spool.add(event(cluster.namespace, "a"))
    spool.add(event(cluster.namespace, "b"))
    points = killer.points(tmp_path / "log", "begin")
    assert spool.is_empty()
    assert len(points) > 25
    for point in points:
        for which in "ab":
            expected.append(f"{point} {which}")
            assert spool.add(event(cluster.namespace, expected[-1])) == ""
        killer.kill(point)
        assert run(spool, kubeconfig) == []
        assert spool.is_empty()
    assert delivered(cluster) == sorted(expected)


def test_a_request_that_is_killed_anywhere(cluster: Cluster, tmp_path: Path, orphans: Orphans) -> None:
    """Its event is there, or it is not, and what it left is in nobody's way."""
    kubeconfig = cluster.kubeconfig(style="json")
    points = Killer(ADDING, tmp_path / "first", kubeconfig, cluster.namespace, "first").points(
        tmp_path / "log", f"{tmp_path}/first"
    )
    assert len(points) >= 8
    orphans.wait()
    there = ["first"]
    for at, point in enumerate(points):
        spool = Spool(str(tmp_path / str(at)))
        Killer(ADDING, tmp_path / str(at), kubeconfig, cluster.namespace, point).kill(point)
        orphans.wait()
        names = spool.waiting()
        assert run(spool, kubeconfig) == []
        assert spool.is_empty()
        there += [point] if point in delivered(cluster) or names else []
    assert delivered(cluster) == sorted(there)
    assert 1 < len(there) < len(points)
