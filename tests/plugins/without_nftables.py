"""Run a command on a kernel that knows no nftables: whoever opens a netfilter socket is told so.

The kernel's own filter of system calls answers; numbers are those of <linux/seccomp.h> and <linux/filter.h>.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

SOCKET = {"x86_64": 41, "aarch64": 198}
"""The number of socket(2)."""

NETFILTER = 12
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
FILTER = 2
ALLOW = 0x7FFF0000
REFUSE = 0x00050000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, THIRD_ARGUMENT = 0, 32
"""Where they are in struct seccomp_data, on machines that have the lower half of a number first."""


def main(command: list[str]) -> None:
    """Become the command."""
    program = (
        (LOAD, 0, 0, NUMBER),
        (EQUAL, 0, 3, SOCKET[platform.machine()]),
        (LOAD, 0, 0, THIRD_ARGUMENT),
        (EQUAL, 0, 1, NETFILTER),
        (RETURN, 0, 0, REFUSE | errno.EPROTONOSUPPORT),
        (RETURN, 0, 0, ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    pointer = struct.pack("@HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value, more in ((PR_SET_NO_NEW_PRIVS, 1, None), (PR_SET_SECCOMP, FILTER, pointer)):
        if libc.prctl(option, value, more, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}")
    os.execv(command[0], command)


main(sys.argv[1:])
