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
TRACEME, SYSCALL, SETOPTIONS, GET_SYSCALL_INFO = 0, 24, 0x4200, 0x420E
TRACESYSGOOD, EXITKILL = 1, 0x100000
STOPPED_AT_CALL = signal.SIGTRAP | 0x80
CHANGES = frozenset(
    # write, sendfile, copy_file_range, ftruncate, fsync, fdatasync, flock, and what changes names and permissions
    (1, 40, 326, 77, 74, 75, 73, 82, 83, 84, 86, 87, 88, 90, 91, 258, 263, 264, 265, 266, 268, 316)
)
"""Numbers of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl)."""
OPEN, OPENAT = 2, 257


def calls(work: Callable[[], object], *, changing: bool = False) -> int:
    """How many system calls `work` makes, or of those that change files; it must not fail."""
    made, status = _step(work, sys.maxsize, changing)
    assert os.WIFEXITED(status), status
    assert os.WEXITSTATUS(status) == 0
    return made


def killed_before(work: Callable[[], object], number: int, *, changing: bool = False) -> bool:
    """Kill it before its system call of this number, from 1, does anything; False where it had ended before."""
    _, status = _step(work, number, changing)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _step(work: Callable[[], object], last: int, changing: bool) -> tuple[int, int]:
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
        counts = entering and (not changing or _changes(pid))
        made += counts
        if counts and made == last:
            os.kill(pid, signal.SIGKILL)
            return made, os.waitpid(pid, 0)[1]
        entering = not entering


def _changes(pid: int) -> bool:
    """Whether the call that it is about to make changes files."""
    told = (ctypes.c_uint64 * 11)()  # struct ptrace_syscall_info: the call's number and arguments from byte 24 on
    LIBC.ptrace(GET_SYSCALL_INFO, pid, ctypes.c_void_p(ctypes.sizeof(told)), told)
    number, arguments = told[3], told[4:]
    flags = arguments[1] if number == OPEN else arguments[2] if number == OPENAT else 0
    return number in CHANGES or bool(flags & (os.O_CREAT | os.O_TRUNC))


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
