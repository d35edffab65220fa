"""A program run under ptrace: told which system calls it makes, killed before one of them, or one of them refused.

A seccomp filter stops it at the calls that are looked at and at no others, so that a fault costs one stop. Linux on
x86-64; numbers are those of <linux/ptrace.h>, <linux/seccomp.h> and <asm/unistd_64.h>.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
from typing import TYPE_CHECKING

from tests.faults.syscalls import NAMES, NUMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
LIBC.ptrace.restype = ctypes.c_long

TRACEME, CONT, POKEUSER, SETOPTIONS, GETEVENTMSG, GET_SYSCALL_INFO = 0, 7, 6, 0x4200, 0x4201, 0x420E
FOLLOW = 0x2 | 0x4 | 0x8  # fork, vfork, clone
OPTIONS = FOLLOW | 0x10 | 0x80 | 0x100000  # exec, seccomp, exit kills
EVENT_EXEC, EVENT_SECCOMP = 4, 7
RAX, ORIG_RAX = 8 * 10, 8 * 15

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ALLOW, TRACE = 0x7FFF0000, 0x7FF00000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06

CLONE_NEWNET = 0x40000000
KILL = "KILL"
"""A fault: the process is killed before its call does anything. Others are named as their errno."""

LONGEST = 120
"""Seconds after which a program that goes on is taken for one that hangs."""


class Hung(Exception):
    """It did not come to its end."""


class Call:
    """A system call, and the file that it names or the descriptor that it is about."""

    __slots__ = ("about", "arguments", "name", "number", "of")

    def __init__(self, name: str, of: int, number: int, arguments: tuple[int, ...], about: str) -> None:
        self.name = name
        self.of = of
        self.number = number
        self.arguments = arguments
        self.about = about


class Ended:
    """How a run ended: its status as a shell tells it (negative: the signal), what it printed, and what was seen."""

    def __init__(self) -> None:
        self.status = 0
        self.stdout = b""
        self.stderr = b""
        self.hit = False
        self.calls: list[Call] = []


class Fault:
    """What happens to the call `number` (from 1, of its name) of the program's process `of` (0 is the first)."""

    __slots__ = ("kind", "name", "number", "of")

    def __init__(self, name: str, number: int, kind: str, of: int = 0) -> None:
        self.name = name
        self.number = number
        self.kind = kind
        self.of = of


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
            _Tracer(pid, fault, ended).watch()
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


class _Tracer:
    """The parent's side of a process that is watched, and of those that it makes."""

    def __init__(self, pid: int, fault: Fault | None, ended: Ended) -> None:
        self.main = pid
        self.fault = fault
        self.ended = ended
        self.known = [pid]
        self.started = False
        self.counts: dict[tuple[int, str], int] = {}

    def watch(self) -> None:
        """Until the first process has ended, and all that it made with it."""
        os.waitpid(self.main, 0)
        _ptrace(SETOPTIONS, self.main, 0, OPTIONS)
        _ptrace(CONT, self.main, 0, 0)
        alive = {self.main}
        while alive:
            pid, status = os.waitpid(-1, 0x40000000)  # __WALL
            if not os.WIFSTOPPED(status):
                alive.discard(pid)
                if pid == self.main:
                    self.ended.status = os.waitstatus_to_exitcode(status)
                continue
            alive.add(pid)
            self._go_on(pid, status)

    def _go_on(self, pid: int, status: int) -> None:
        event, deliver = status >> 16, 0
        if event == EVENT_EXEC:
            self.started = True
        elif event == EVENT_SECCOMP:
            if self.started and self._at_call(pid):
                return
        elif event == 0 and pid in self.known:
            deliver = os.WSTOPSIG(status)
        if pid not in self.known:
            self.known.append(pid)
        try:
            _ptrace(CONT, pid, 0, deliver)
        except ProcessLookupError:
            return  # killed from outside meanwhile; waitpid tells

    def _at_call(self, pid: int) -> bool:
        """Look at the call that it is about to make; True where it was killed."""
        told = (ctypes.c_uint64 * 11)()  # struct ptrace_syscall_info: the call's number and arguments from byte 24 on
        LIBC.ptrace(GET_SYSCALL_INFO, pid, ctypes.sizeof(told), told)
        name, of = NAMES.get(told[3], str(told[3])), self.known.index(pid)
        number = self.counts[of, name] = self.counts.get((of, name), 0) + 1
        fault = self.fault
        if fault is None:
            self.ended.calls.append(Call(name, of, number, tuple(told[4:10]), _about(pid, name, told[4], told[5])))
            return False
        if (name, number, of) != (fault.name, fault.number, fault.of) or self.ended.hit:
            return False
        self.ended.hit = True
        if fault.kind == KILL:
            os.kill(pid, signal.SIGKILL)
            return True
        refusal = -getattr(errno, fault.kind)
        _ptrace(POKEUSER, pid, ORIG_RAX, 0xFFFFFFFFFFFFFFFF)
        _ptrace(POKEUSER, pid, RAX, refusal & 0xFFFFFFFFFFFFFFFF)
        return False


def _about(pid: int, name: str, first: int, second: int) -> str:
    """The path that a call names, else where its descriptor leads."""
    at = BY_PATH.get(name)
    try:
        if at is not None:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                memory.seek(second if at else first)
                return memory.read(256).partition(b"\0")[0].decode(errors="replace")
        return os.readlink(f"/proc/{pid}/fd/{first}") if name in BY_DESCRIPTOR else ""
    except (OSError, OverflowError, ValueError):
        return ""


BY_PATH = {
    **dict.fromkeys(
        ("open", "stat", "lstat", "access", "mkdir", "rmdir", "rename", "unlink", "readlink", "link", "symlink"), 0
    ),
    **dict.fromkeys(("statfs", "chmod", "execve", "creat", "truncate", "chdir"), 0),
    **dict.fromkeys(
        ("openat", "newfstatat", "mkdirat", "unlinkat", "renameat", "readlinkat", "linkat", "utimensat"), 1
    ),
    **dict.fromkeys(("faccessat", "faccessat2", "statx", "fchmodat", "renameat2", "symlinkat"), 1),
}
BY_DESCRIPTOR = frozenset(
    (
        *("read", "write", "pread64", "close", "fstat", "lseek", "fsync", "fdatasync", "flock", "ftruncate"),
        *("getdents64", "ioctl", "fcntl", "sendto", "recvfrom", "recvmsg", "sendmsg", "bind", "setns", "fchmod"),
        *("fstatfs", "setsockopt", "getsockopt", "getsockname"),
    )
)


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
            _ptrace(TRACEME, 0, 0, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            _filter(fault)
        os.execve(command[0], list(command), dict(environment))
    finally:
        os._exit(126)


def _filter(fault: Fault | None) -> None:
    """Stop at the calls of one name, or at all where there is no fault."""
    program = [(RETURN, 0, 0, TRACE)]
    if fault is not None:
        number = NUMBERS[fault.name] if fault.name in NUMBERS else int(fault.name)
        program = [(LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, TRACE), (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    told = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    if LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, told, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _ptrace(request: int, pid: int, address: int, data: int) -> None:
    if LIBC.ptrace(request, pid, address, data) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _drain(fd: int) -> bytes:
    found = b""
    while piece := os.read(fd, 1 << 16):
        found += piece
    return found


def _give_up(*_: object) -> None:
    raise Hung
