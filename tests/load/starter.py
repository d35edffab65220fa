"""Starts bursts of requests and sees them end: a process of its own, run by `python -I -S`, with the program's path.

What a process has used before exec counts as used by the program, so that this is smaller than what is measured. Each
line that it reads is a burst, a JSON list of requests; it answers with one line, what became of each.
"""

import json
import os
import resource
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def start(program: str, request: "dict[str, Any]") -> "tuple[int, int, int]":
    """The process, and what it says: the descriptors of its two outputs."""
    pipes = [os.pipe() for _ in range(3)]
    os.write(pipes[0][1], request["stdin"].encode())  # less than a pipe holds
    os.close(pipes[0][1])
    pid = os.fork()
    if pid == 0:
        try:
            for at, fd in enumerate((pipes[0][0], pipes[1][1], pipes[2][1])):
                os.dup2(fd, at)
            resource.setrlimit(resource.RLIMIT_NOFILE, (request["files"], request["files"]))
            if request["killed_after"]:
                signal.setitimer(signal.ITIMER_PROF, request["killed_after"])  # of CPU; exec keeps it
            os.execve(program, [program], request["environment"])
        finally:
            os._exit(126)
    for fd in (pipes[0][0], pipes[1][1], pipes[2][1]):
        os.close(fd)
    return pid, pipes[1][0], pipes[2][0]


def drain(fd: int) -> str:
    """All that was written."""
    found = b""
    while piece := os.read(fd, 1 << 16):
        found += piece
    os.close(fd)
    return found.decode(errors="replace")


def burst(program: str, requests: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    """Start all of them, then see each end."""
    started = {}
    for at, request in enumerate(requests):
        pid, *outputs = start(program, request)
        started[pid] = at, outputs, time.monotonic()
    ended: list[dict[str, Any]] = [{} for _ in requests]
    while started:
        pid, status, usage = os.wait4(-1, 0)
        at, (stdout, stderr), begun = started.pop(pid)
        ended[at] = {
            "seconds": time.monotonic() - begun,
            "status": os.waitstatus_to_exitcode(status),
            "stdout": drain(stdout),
            "stderr": drain(stderr),
            "cpu": usage.ru_utime + usage.ru_stime,
            "peak": usage.ru_maxrss,
        }
    return ended


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(burst(sys.argv[1], json.loads(line))) + "\n")
        sys.stdout.flush()
