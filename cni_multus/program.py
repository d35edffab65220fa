"""Run one program with bytes on its standard input and a bound on everything: time, output, what it inherits."""

from __future__ import annotations

import errno
import os
import select
import time
from _signal import SIGKILL

from cni_multus.cni.errors import DelegateFailure, TryAgainLater

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_OUTPUT = 16 << 20
BUSY_FOR = 5.0
"""Seconds that a program which is just being replaced ("text file busy") is waited for."""

_OF_THE_BUNDLE = ("LD_LIBRARY_PATH", "_MEIPASS2")


class Outcome:
    """How a program ended: its exit status (negative: the signal that killed it) and what it printed."""

    __slots__ = ("status", "stderr", "stdout")

    def __init__(self, status: int, stdout: bytes, stderr: bytes) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


def foreign_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a program that is not ours may see: the runtime's variables without those that our own bundle needs."""
    clean = {
        name: value
        for name, value in environment.items()
        if name not in _OF_THE_BUNDLE and not name.startswith(("_PYI_", "CNI_")) and name != "LD_LIBRARY_PATH_ORIG"
    }
    original = environment.get("LD_LIBRARY_PATH_ORIG")
    if original:
        clean["LD_LIBRARY_PATH"] = original
    return clean


def run(path: str, environment: Mapping[str, str], stdin: bytes, timeout: float) -> Outcome:
    """Run `path`, which gets `stdin`; raises DelegateFailure where it cannot start or prints too much,
    TryAgainLater where it does not end within `timeout` seconds (it and its children are killed then)."""
    stdin_read, stdin_write = os.pipe()
    stdout_read, stdout_write = os.pipe()
    stderr_read, stderr_write = os.pipe()
    try:
        pid = _spawn(path, environment, (stdin_read, stdout_write, stderr_write))
    except BaseException:
        for fd in (stdin_write, stdout_read, stderr_read):
            os.close(fd)
        raise
    finally:
        for fd in (stdin_read, stdout_write, stderr_write):
            os.close(fd)
    exchange = _Exchange(path, pid, stdin, stdin_write, stdout_read, stderr_read)
    try:
        return exchange.hold(time.monotonic() + timeout, timeout)
    finally:
        exchange.close()


def _spawn(path: str, environment: Mapping[str, str], streams: tuple[int, int, int]) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, fd, at) for at, fd in enumerate(streams)]
    patience = time.monotonic() + BUSY_FOR
    while True:
        try:
            return os.posix_spawn(path, [path], environment, file_actions=actions, setsid=True)
        except OSError as error:
            if error.errno != errno.ETXTBSY or time.monotonic() > patience:
                raise DelegateFailure(f"cannot run {path}: {error.strerror}") from error
        except ValueError as error:
            raise DelegateFailure(f"cannot run {path}: {error}") from error
        time.sleep(0.05)


class _Exchange:
    """The three pipes and the process, until it has ended."""

    def __init__(self, path: str, pid: int, stdin: bytes, stdin_fd: int, stdout_fd: int, stderr_fd: int) -> None:
        self.path = path
        self.pid = pid
        self.ended = os.pidfd_open(pid)
        self.waited = False
        self.stdin = memoryview(stdin)
        self.stdin_fd = stdin_fd
        self.output = {stdout_fd: bytearray(), stderr_fd: bytearray()}
        self.stdout_fd = stdout_fd
        self.stderr_fd = stderr_fd
        self.open = {stdin_fd, stdout_fd, stderr_fd}
        for fd in self.open:
            os.set_blocking(fd, False)

    def hold(self, deadline: float, timeout: float) -> Outcome:
        poll = select.poll()
        poll.register(self.ended, select.POLLIN)
        poll.register(self.stdin_fd, select.POLLOUT)
        poll.register(self.stdout_fd, select.POLLIN)
        poll.register(self.stderr_fd, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            ready = [fd for fd, _ in poll.poll(max(0.0, left) * 1000)]
            if not ready:
                raise TryAgainLater(f"{self.path} did not end within {timeout:g} s and was killed")
            for fd in ready:
                if fd != self.ended and not self._serve(fd):
                    poll.unregister(fd)
                    self.open.discard(fd)
                    os.close(fd)
            if self.ended in ready:
                return self._outcome()

    def close(self) -> None:
        """Whatever happened: nothing of the program is left, nor of its children, nor its pipes."""
        if not self.waited:
            try:
                os.killpg(self.pid, SIGKILL)
            except ProcessLookupError:
                pass
            os.waitpid(self.pid, 0)
        os.close(self.ended)
        for fd in self.open:
            os.close(fd)

    def _outcome(self) -> Outcome:
        for fd in (self.stdout_fd, self.stderr_fd):
            if fd in self.open:
                self._serve(fd)
        _, status = os.waitpid(self.pid, 0)
        self.waited = True
        return Outcome(
            os.waitstatus_to_exitcode(status), bytes(self.output[self.stdout_fd]), bytes(self.output[self.stderr_fd])
        )

    def _serve(self, fd: int) -> bool:
        """Move what can be moved; False once the stream is at its end."""
        try:
            if fd == self.stdin_fd:
                self.stdin = self.stdin[os.write(fd, self.stdin) :] if self.stdin else self.stdin
                return bool(self.stdin)
            while chunk := os.read(fd, 1 << 16):
                self.output[fd] += chunk
                if len(self.output[fd]) > LARGEST_OUTPUT:
                    raise DelegateFailure(f"{self.path} printed more than {LARGEST_OUTPUT >> 20} MiB and was killed")
            return False
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
