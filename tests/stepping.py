"""A piece of work in a child process that is stopped at each of its system calls, and killed before the n-th."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
TRACEME, SYSCALL, SETOPTIONS = 0, 24, 0x4200
TRACESYSGOOD, EXITKILL = 1, 0x100000
STOPPED_AT_CALL = signal.SIGTRAP | 0x80


def calls(work: Callable[[], object]) -> int:
    """How many system calls `work` makes; it must not fail."""
    made, status = _step(work, sys.maxsize)
    assert os.WIFEXITED(status), status
    assert os.WEXITSTATUS(status) == 0
    return made


def killed_before(work: Callable[[], object], number: int) -> bool:
    """Kill it before its system call of this number, from 1, does anything; False where it had ended before."""
    _, status = _step(work, number)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _step(work: Callable[[], object], last: int) -> tuple[int, int]:
    """Let a child run until its call number `last`; how many calls it made, and how it ended."""
    pid = os.fork()
    if pid == 0:
        _be_traced(work)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSTOPPED(status)
    _ptrace(SETOPTIONS, pid, TRACESYSGOOD | EXITKILL)
    made, entering, deliver = 0, True, 0
    while True:
        _ptrace(SYSCALL, pid, deliver)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            return made, status
        if os.WSTOPSIG(status) != STOPPED_AT_CALL:
            deliver = os.WSTOPSIG(status)
            continue
        deliver = 0
        made += entering
        if entering and made == last:
            os.kill(pid, signal.SIGKILL)
            return made, os.waitpid(pid, 0)[1]
        entering = not entering


def _be_traced(work: Callable[[], object]) -> None:
    status = 1
    try:
        gc.disable()
        _ptrace(TRACEME, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - a child must end here, whatever happens
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(status)


def _ptrace(request: int, pid: int, data: int) -> None:
    if LIBC.ptrace(request, pid, None, ctypes.c_void_p(data)) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
