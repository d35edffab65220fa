"""One at a time on a node: who waits, for whom, and for how long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import NetlinkFailure, TryAgainLater
from cni_multus.linux.exclusion import Exclusion
from tools.build import ROOT

if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

HOLDER = """
import sys, time
from cni_multus.linux.exclusion import Exclusion
from cni_multus.linux.netns import Namespace
with Namespace.open(sys.argv[1]) as host, Exclusion(host, "bridge cni0"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_is_inside_at_a_time(host: Namespace) -> None:
    inside: list[int] = []
    most = []

    def visit() -> None:
        for _ in range(20):
            with Exclusion(host, "bridge cni0"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 160


def test_other_names_and_other_nodes_do_not_wait(host: Namespace, container: Namespace) -> None:
    with (
        Exclusion(host, "bridge cni0"),
        Exclusion(host, "bridge cni1", wait=0),
        Exclusion(container, "bridge cni0", wait=0),
    ):
        pass


def test_who_has_waited_long_enough_is_told_to_try_again(host: Namespace) -> None:
    with Exclusion(host, "bridge cni0"):
        start = time.monotonic()
        with (
            pytest.raises(TryAgainLater, match=r"bridge cni0 has been busy for 0\.2 s"),
            Exclusion(host, "bridge cni0", wait=0.2),
        ):
            pass
        assert time.monotonic() - start > 0.2
    with Exclusion(host, "bridge cni0", wait=0):
        pass


def test_a_failure_inside_ends_the_turn(host: Namespace) -> None:
    with pytest.raises(ZeroDivisionError), Exclusion(host, "bridge cni0"):
        raise ZeroDivisionError
    with Exclusion(host, "bridge cni0", wait=0):
        pass


def test_the_turn_of_a_process_that_is_killed_ends_with_it(host: Namespace) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, host.path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TryAgainLater), Exclusion(host, "bridge cni0", wait=0.05):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        with Exclusion(host, "bridge cni0", wait=2):
            pass


def test_a_name_that_no_socket_can_have_is_refused(host: Namespace) -> None:
    with pytest.raises(NetlinkFailure, match="cannot take the turn"), Exclusion(host, "x" * 200):
        pass


def test_nothing_is_left_open(host: Namespace) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with Exclusion(host, "bridge cni0"):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
