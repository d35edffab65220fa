"""A program run under ptrace: told which system calls it makes, killed before one of them, or one of them refused.

A seccomp filter stops it at the calls that are looked at and at no others, so that a fault costs one stop. Numbers are
those of <linux/seccomp.h> and <linux/bpf_common.h>.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from typing import TYPE_CHECKING

from tests.faults.disturbance import KILL, NETLINK, Call, Ended, Fault
from tests.faults.syscalls import NUMBERS
from tests.faults.tracer import LIBC, TRACEME, Tracer, ptrace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["KILL", "NETLINK", "Call", "Ended", "Fault", "Hung", "run"]

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ALLOW, TRACE = 0x7FFF0000, 0x7FF00000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06

CLONE_NEWNET = 0x40000000
LONGEST = 120
"""Seconds after which a program that goes on is taken for one that hangs."""


class Hung(Exception):
    """It did not come to its end."""


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    stdin: bytes,
    netns: int = -1,
    fault: Fault | None = None,
    *,
    list_calls: bool = False,
) -> Ended:
    """Run it in a network namespace (a descriptor), untouched where neither a fault nor a list is asked for."""
    pipes = [os.pipe() for _ in range(3)]
    os.write(pipes[0][1], stdin)  # less than a pipe holds
    os.close(pipes[0][1])
    watched = fault is not None or list_calls
    pid = os.fork()
    if pid == 0:
        _become(command, environment, [pipes[0][0], pipes[1][1], pipes[2][1]], netns, watched, fault)
    for fd in (pipes[0][0], pipes[1][1], pipes[2][1]):
        os.close(fd)
    ended = Ended()
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(LONGEST)
    try:
        if watched:
            Tracer(pid, fault, ended).watch()
        else:
            ended.status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        ended.stdout, ended.stderr = _drain(pipes[1][0]), _drain(pipes[2][0])
    except Hung:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        os.close(pipes[1][0])
        os.close(pipes[2][0])
    return ended


def _become(
    command: Sequence[str],
    environment: Mapping[str, str],
    streams: list[int],
    netns: int,
    watched: bool,
    fault: Fault | None,
) -> None:
    try:
        if netns >= 0 and LIBC.setns(netns, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        for target, fd in enumerate(streams):
            os.dup2(fd, target)
        if watched:
            ptrace(TRACEME, 0, 0, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            _filter(fault)
        os.execve(command[0], list(command), dict(environment))
    finally:
        os._exit(126)


def _filter(fault: Fault | None) -> None:
    """Stop at the calls of one name, or at all where there is no fault."""
    program = [(RETURN, 0, 0, TRACE)]
    if fault is not None:
        number = NUMBERS[fault.call] if fault.call in NUMBERS else int(fault.call)
        program = [(LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, TRACE), (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    told = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    if LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, told, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _drain(fd: int) -> bytes:
    found = b""
    while piece := os.read(fd, 1 << 16):
        found += piece
    return found


def _give_up(*_: object) -> None:
    raise Hung
