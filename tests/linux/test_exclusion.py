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

from cni_multus.cni.errors import NetlinkFailure
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
    start = time.monotonic()
    with Exclusion(host, "bridge cni0"), Exclusion(host, "bridge cni1"), Exclusion(container, "bridge cni0"):
        assert time.monotonic() - start < 2.5, "who waits does so for 3 s"


def seconds_to_enter(host: Namespace, wait: float) -> float:
    start = time.monotonic()
    with Exclusion(host, "bridge cni0", wait=wait):
        return time.monotonic() - start


def test_who_has_waited_long_enough_goes_on(host: Namespace) -> None:
    """A name that any process of the node can take must not keep pods from starting."""
    with Exclusion(host, "bridge cni0"):
        assert 0.2 < seconds_to_enter(host, 0.2) < 2
    assert seconds_to_enter(host, 5) < 2


def test_a_failure_inside_ends_the_turn(host: Namespace) -> None:
    with pytest.raises(ZeroDivisionError), Exclusion(host, "bridge cni0"):
        raise ZeroDivisionError
    assert seconds_to_enter(host, 5) < 2


def test_the_turn_of_a_process_that_is_killed_ends_with_it(host: Namespace) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, host.path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert seconds_to_enter(host, 0.05) > 0.05
        os.kill(holder.pid, signal.SIGKILL)
        assert seconds_to_enter(host, 20) < 10


def test_a_name_that_no_socket_can_have_is_refused(host: Namespace) -> None:
    with pytest.raises(NetlinkFailure, match="cannot take the turn"), Exclusion(host, "x" * 200):
        pass


def test_nothing_is_left_open(host: Namespace) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with Exclusion(host, "bridge cni0"):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
