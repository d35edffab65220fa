"""The tracer's side: it counts the calls of a process that a seccomp filter stops, and lets a fault come true at one.

Linux on x86-64; numbers are those of <linux/ptrace.h> and <sys/user.h>.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal

from tests.faults import refusal
from tests.faults.disturbance import KILL, NETLINK, Call, Ended, Fault
from tests.faults.syscalls import NAMES, NUMBERS

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
LIBC.ptrace.restype = ctypes.c_long

TRACEME, CONT, POKEUSER, SYSCALL, SETOPTIONS, GET_SYSCALL_INFO = 0, 7, 6, 24, 0x4200, 0x420E
FOLLOW = 0x2 | 0x4 | 0x8  # fork, vfork, clone
OPTIONS = FOLLOW | 0x1 | 0x10 | 0x80 | 0x100000  # calls are told from signals, exec, seccomp, exit kills
AT_CALL = signal.SIGTRAP | 0x80
EVENT_EXEC, EVENT_SECCOMP = 4, 7
RAX, ORIG_RAX = 8 * 10, 8 * 15


class Tracer:
    """The parent's side of a process that is watched, and of those that it makes."""

    def __init__(self, pid: int, fault: Fault | None, ended: Ended) -> None:
        self.main = pid
        self.fault = fault
        self.ended = ended
        self.known = [pid]
        self.started = False
        self.refused = 0
        self.entered: ctypes.Array[ctypes.c_uint64] = (ctypes.c_uint64 * 11)()
        self.counts: dict[tuple[int, str], int] = {}

    def watch(self) -> None:
        """Until the first process has ended, and all that it made with it."""
        os.waitpid(self.main, 0)
        ptrace(SETOPTIONS, self.main, 0, OPTIONS)
        ptrace(CONT, self.main, 0, 0)
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
        if os.WSTOPSIG(status) == AT_CALL:
            self._follow(pid)
            return
        if event == EVENT_EXEC:
            self.started = True
        elif event == EVENT_SECCOMP:
            if self.started and self._at_call(pid):
                return
        elif event == 0 and pid in self.known:
            deliver = os.WSTOPSIG(status)
        if pid not in self.known:
            self.known.append(pid)
        self._continue(pid, deliver)

    def _continue(self, pid: int, deliver: int = 0) -> None:
        try:
            ptrace(SYSCALL if self.refused else CONT, pid, 0, deliver)
        except ProcessLookupError:
            return  # killed from outside meanwhile; waitpid tells

    def _follow(self, pid: int) -> None:
        """Wait for the answer to what was refused, and make it the one that is meant."""
        told = _call_of(pid)
        if told[0] & 0xFF == 1:
            self.entered = told
        elif self.entered[3] == NUMBERS["recvmsg"] and 0 < told[3] < 1 << 32 and self.fault:
            code = getattr(errno, self.fault.kind)
            if refusal.answer(pid, self.entered[5], told[3], self.refused, code):
                self.refused = 0
        self._continue(pid)

    def _at_call(self, pid: int) -> bool:
        """Look at the call that it is about to make; True where it was killed."""
        told = _call_of(pid)
        name, of = NAMES.get(told[3], str(told[3])), self.known.index(pid)
        number = self.counts[of, name] = self.counts.get((of, name), 0) + 1
        fault = self.fault
        if fault is None:
            self.ended.calls.append(Call(name, of, number, tuple(told[4:10]), _about(pid, name, told[4], told[5])))
            return False
        if (name, number, of) != (fault.call, fault.number, fault.of) or self.ended.hit:
            return False
        self.ended.hit = True
        if fault.kind == KILL:
            os.kill(pid, signal.SIGKILL)
            return True
        if fault.name == NETLINK:
            self.refused = refusal.spoil(pid, told[5], told[6])
            return False
        ptrace(POKEUSER, pid, ORIG_RAX, 0xFFFFFFFFFFFFFFFF)
        ptrace(POKEUSER, pid, RAX, -getattr(errno, fault.kind) & 0xFFFFFFFFFFFFFFFF)
        return False


def _call_of(pid: int) -> ctypes.Array[ctypes.c_uint64]:
    """The kernel's ptrace_syscall_info: which stop, and from byte 24 on the call and its arguments, or its result."""
    told = (ctypes.c_uint64 * 11)()
    LIBC.ptrace(GET_SYSCALL_INFO, pid, ctypes.sizeof(told), told)
    return told


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


def ptrace(request: int, pid: int, address: int, data: int) -> None:
    if LIBC.ptrace(request, pid, address, data) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
