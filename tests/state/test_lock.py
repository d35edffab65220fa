"""Locks that are waited for, and what is told when they do not come."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import IoFailure, TryAgainLater
from cni_multus.state.lock import Lock

if TYPE_CHECKING:
    pass

ROOT = Path(__file__).parents[2]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def hold_until(path: Path, release: threading.Event) -> threading.Thread:
    held = threading.Event()

    def hold() -> None:
        with Lock(str(path), "hold"):
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    return thread


def test_a_lock_keeps_others_out_until_it_is_released(tmp_path: Path) -> None:
    path, release = tmp_path / "lock", threading.Event()
    thread = hold_until(path, release)
    with pytest.raises(TryAgainLater) as raised, Lock(str(path), "cannot do that", wait=0.05):
        pytest.fail("it was locked")
    assert raised.value.message == f"cannot do that: {path} has been locked by another process for 0.05 s; try again"
    assert f"fuser -v {path}" in raised.value.details
    release.set()
    with Lock(str(path), "do this", wait=5):
        pass
    thread.join()


def test_a_lock_is_released_when_the_body_raises(tmp_path: Path) -> None:
    lock = Lock(str(tmp_path / "lock"), "try")
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError
    with lock, pytest.raises(TryAgainLater), Lock(str(tmp_path / "lock"), "try", wait=0):
        pytest.fail("it was locked")


def test_waiting_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Lock(str(tmp_path / "lock"), "hold"):
        for _ in range(5):
            with pytest.raises(TryAgainLater), Lock(str(tmp_path / "lock"), "try", wait=0):
                pytest.fail("it was locked")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_lock_whose_file_is_removed_meanwhile_is_taken_on_the_new_file(tmp_path: Path) -> None:
    """Two that hold different files of one name would both believe that they are alone."""
    path, entered = tmp_path / "lock", threading.Event()

    def enter() -> None:
        with Lock(str(path), "enter", wait=10):
            entered.set()

    first = Lock(str(path), "hold")
    with first:
        waiting = threading.Thread(target=enter)
        waiting.start()
        time.sleep(0.05)
        first.remove()
        second = os.open(path, os.O_CREAT)
        fcntl.flock(second, fcntl.LOCK_EX)
    assert not entered.wait(0.1)
    os.close(second)
    assert entered.wait(10)
    waiting.join()


def test_locks_that_are_removed_by_their_holders_still_exclude(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "lock", [0], [0]

    def work() -> None:
        for _ in range(30):
            lock = Lock(str(path), "work")
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.0002)
                inside[0] -= 1
                lock.remove()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not path.exists()


def test_a_lock_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(IoFailure, match=f"cannot lock {tmp_path}/none/lock: no such file"),
        Lock(str(tmp_path / "none" / "lock"), "try"),
    ):
        pytest.fail("it was locked")
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(IoFailure, match="symbolic"), Lock(str(tmp_path / "link"), "try"):
        pytest.fail("it was locked")
    assert not (tmp_path / "elsewhere").exists()


def test_a_lock_file_has_its_mode_and_is_not_inherited(tmp_path: Path) -> None:
    with Lock(str(tmp_path / "lock"), "try", mode=0o750):
        assert mode(tmp_path / "lock") == 0o750
        with pytest.raises(TryAgainLater), Lock(str(tmp_path / "lock"), "try", wait=0):
            pytest.fail("it was locked")
        sleeper = subprocess.Popen(["sleep", "30"], close_fds=False)
    with Lock(str(tmp_path / "lock"), "try", wait=0):
        pass
    sleeper.kill()
    sleeper.wait()
