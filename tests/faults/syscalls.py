"""System calls of Linux on x86-64: their numbers, and with which errors of those that are tried each of them may end.

Numbers are <asm/unistd_64.h>'s, errors those of the manual's page of the call (man-pages 6.03, section 2), and EIO and
ENOMEM besides where a file system is asked for more than it has in memory. Two are tried in the place of one that the
call does not know: ENOBUFS, by which netlink tells that it ran out of memory, and ENOLCK, flock's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.inject import Call

PATH = ("EACCES", "EIO", "ENOMEM")
NAME = (*PATH, "ENOSPC")
GONE = (*PATH, "EBUSY")

CALLS: dict[str, tuple[int, tuple[str, ...]]] = {
    "read": (0, ("EINTR", "EIO")),
    "write": (1, ("EINTR", "EIO", "ENOSPC")),
    "open": (2, (*PATH, "EMFILE", "EINTR")),
    "close": (3, ("EIO",)),
    "stat": (4, PATH),
    "fstat": (5, ("ENOMEM", "EIO")),
    "lstat": (6, PATH),
    "poll": (7, ("EINTR", "ENOMEM")),
    "mmap": (9, ("ENOMEM",)),
    "mprotect": (10, ("ENOMEM",)),
    "munmap": (11, ("ENOMEM",)),
    "ioctl": (16, ("EIO",)),
    "pread64": (17, ("EINTR", "EIO")),
    "access": (21, PATH),
    "mremap": (25, ("ENOMEM",)),
    "select": (23, ("EINTR", "ENOMEM")),
    "dup": (32, ("EMFILE",)),
    "dup2": (33, ("EMFILE", "EINTR", "EBUSY")),
    "nanosleep": (35, ("EINTR",)),
    "socket": (41, ("EACCES", "EMFILE", "ENOMEM")),
    "connect": (42, ("EACCES", "EINTR")),
    "sendto": (44, ("EINTR", "ENOMEM")),  # EACCES is of datagrams to a broadcast address, and of local sockets
    "recvfrom": (45, ("EINTR", "ENOMEM")),
    "sendmsg": (46, ("EACCES", "EINTR", "ENOMEM")),
    "recvmsg": (47, ("EINTR", "ENOMEM", "ENOBUFS")),
    "bind": (49, ("EACCES", "ENOMEM")),
    "socketpair": (53, ("EMFILE",)),
    "setsockopt": (54, ("ENOMEM",)),
    "clone": (56, ("ENOMEM",)),
    "fork": (57, ("ENOMEM",)),
    "vfork": (58, ("ENOMEM",)),
    "execve": (59, (*PATH, "EMFILE")),
    "wait4": (61, ("EINTR",)),
    "fcntl": (72, ("EMFILE", "EINTR")),
    "flock": (73, ("EINTR", "ENOLCK")),
    "fsync": (74, ("EIO", "ENOSPC", "EINTR")),
    "fdatasync": (75, ("EIO", "ENOSPC", "EINTR")),
    "truncate": (76, (*PATH, "EINTR")),
    "ftruncate": (77, ("EIO", "EINTR")),
    "getcwd": (79, ("EACCES", "ENOMEM")),
    "chdir": (80, PATH),
    "rename": (82, (*NAME, "EBUSY")),
    "mkdir": (83, NAME),
    "rmdir": (84, GONE),
    "link": (86, NAME),
    "unlink": (87, GONE),
    "symlink": (88, NAME),
    "readlink": (89, PATH),
    "chmod": (90, PATH),
    "fchmod": (91, ("EIO",)),
    "statfs": (137, (*PATH, "EINTR")),
    "fstatfs": (138, ("EINTR", "EIO", "ENOMEM")),
    "getxattr": (191, ("EIO", "ENOMEM")),
    "getdents64": (217, ("EIO", "ENOMEM")),
    "epoll_wait": (232, ("EINTR",)),
    "openat": (257, (*PATH, "EMFILE", "EINTR")),
    "mkdirat": (258, NAME),
    "newfstatat": (262, PATH),
    "unlinkat": (263, GONE),
    "renameat": (264, (*NAME, "EBUSY")),
    "linkat": (265, NAME),
    "symlinkat": (266, NAME),
    "readlinkat": (267, PATH),
    "faccessat": (269, PATH),
    "ppoll": (271, ("EINTR", "ENOMEM")),
    "unshare": (272, ("ENOMEM",)),
    "utimensat": (280, ("EACCES", "EIO")),
    "pipe2": (293, ("EMFILE", "ENOMEM")),
    "setns": (308, ("ENOMEM",)),
    "renameat2": (316, (*NAME, "EBUSY")),
    "getrandom": (318, ("EINTR",)),
    "copy_file_range": (326, ("EIO", "ENOMEM", "ENOSPC")),
    "statx": (332, PATH),
    "clone3": (435, ("ENOMEM",)),
    "faccessat2": (439, PATH),
}

CANNOT_FAIL: dict[str, tuple[int, str]] = {
    "lseek": (8, "it fails on a wrong descriptor only"),
    "brk": (12, "it tells the old end in place of an error; mmap stands for it"),
    "rt_sigaction": (13, "it fails on a wrong signal only"),
    "rt_sigprocmask": (14, "it fails on a wrong signal only"),
    "getpid": (39, "it always succeeds"),
    "exit": (60, "it does not return"),
    "uname": (63, "it fails on a wrong address only"),
    "getsockname": (51, "a netlink or local socket has its name at hand"),
    "getsockopt": (55, "it fails on an unknown option only"),
    "sysinfo": (99, "it fails on a wrong address only"),
    "getuid": (102, "it always succeeds"),
    "umask": (95, "it always succeeds"),
    "prctl": (157, "it fails on a wrong option only"),
    "arch_prctl": (158, "it fails on a wrong address only"),
    "gettid": (186, "it always succeeds"),
    "futex": (202, "nobody waits in a process of one thread"),
    "set_tid_address": (218, "it always succeeds"),
    "exit_group": (231, "it does not return"),
    "set_robust_list": (273, "it fails on a wrong size only"),
    "prlimit64": (302, "it asks for its own limits"),
    "rseq": (334, "it fails on a wrong address only"),
}
"""Killed before, but not refused: why not."""

NAMES = {
    **{number: name for name, (number, _) in CALLS.items()},
    **{number: name for name, (number, _) in CANNOT_FAIL.items()},
}
NUMBERS = {name: number for number, name in NAMES.items()}

F_DUPFD, F_DUPFD_CLOEXEC = 0, 1030
LOCKING = 5, 6, 7, 36, 37, 38


def errors_of(call: Call) -> tuple[str, ...]:
    """With which errors this very call may end."""
    if call.name not in CALLS:
        return ()
    errors = CALLS[call.name][1]
    if call.name == "fcntl":
        command = call.arguments[1]
        return ("EMFILE",) if command in (F_DUPFD, F_DUPFD_CLOEXEC) else ("EINTR",) if command in LOCKING else ()
    if call.name in ("open", "openat"):
        flags = call.arguments[1 if call.name == "open" else 2]
        return (*errors, "ENOSPC") if flags & os.O_CREAT else errors
    return errors
