"""Run one program with bytes on its standard input and a bound on everything: time, output, what it inherits."""

from __future__ import annotations

import errno
import os
import select
import time
from _signal import SIGKILL, SIGPIPE, SIGXFSZ  # type: ignore[import-not-found]

from cni_multus.cni.errors import DelegateFailure, TryAgainLater

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_OUTPUT = 16 << 20
BUSY_FOR = 5.0
"""Seconds that a program which is just being replaced ("text file busy") is waited for."""

_IGNORED_BY_PYTHON = (SIGPIPE, SIGXFSZ)
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


def run(
    path: str, environment: Mapping[str, str], stdin: bytes, timeout: float, arguments: tuple[str, ...] = ()
) -> Outcome:
    """Run `path`, which gets `stdin`, and see it end.

    Raises DelegateFailure where it cannot start or prints too much, TryAgainLater where it does not end within
    `timeout` seconds; it and its children are killed then.
    """
    exchange = _Exchange(path, stdin)
    try:
        exchange.start(environment, arguments)
        return exchange.hold(time.monotonic() + timeout, timeout)
    finally:
        exchange.close()


def _spawn(path: str, arguments: tuple[str, ...], environment: Mapping[str, str], streams: tuple[int, int, int]) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, fd, at) for at, fd in enumerate(streams)]
    patience = time.monotonic() + BUSY_FOR
    while True:
        try:
            return os.posix_spawn(
                path,
                [path, *arguments],
                environment,
                file_actions=actions,
                setsid=True,
                setsigdef=_IGNORED_BY_PYTHON,
            )
        except OSError as error:
            if error.errno != errno.ETXTBSY or time.monotonic() > patience:
                raise DelegateFailure(f"cannot run {path}: {_reason(path, error)}") from error
        except ValueError as error:
            raise DelegateFailure(f"cannot run {path}: {error}") from error
        time.sleep(0.05)


def _reason(path: str, error: OSError) -> str:
    if error.errno == errno.ENOENT and os.path.exists(path):
        return "the interpreter that its first line names, or that it was linked for, is missing"
    return error.strerror or str(error)


class _Exchange:
    """The three pipes and the process, until it has ended."""

    def __init__(self, path: str, stdin: bytes) -> None:
        self.path = path
        self.stdin = memoryview(stdin)
        self.open: set[int] = set()
        self.pid = 0
        self.waited = False

    def start(self, environment: Mapping[str, str], arguments: tuple[str, ...]) -> None:
        """Make the pipes and start the program."""
        try:
            child_stdin, self.stdin_fd = self._pipe()
            self.stdout_fd, child_stdout = self._pipe()
            self.stderr_fd, child_stderr = self._pipe()
            self.output = {self.stdout_fd: bytearray(), self.stderr_fd: bytearray()}
            self.pid = _spawn(self.path, arguments, environment, (child_stdin, child_stdout, child_stderr))
            self.ended = os.pidfd_open(self.pid)
            self.open.add(self.ended)
        except OSError as error:
            raise DelegateFailure(f"cannot run {self.path}: {error.strerror}") from error
        for fd in (child_stdin, child_stdout, child_stderr):
            self._close(fd)
        for fd in (self.stdin_fd, self.stdout_fd, self.stderr_fd):
            os.set_blocking(fd, False)

    def hold(self, deadline: float, timeout: float) -> Outcome:
        """Feed the program and listen to it until it has ended."""
        poll = select.poll()
        poll.register(self.ended, select.POLLIN)
        poll.register(self.stdin_fd, select.POLLOUT)
        poll.register(self.stdout_fd, select.POLLIN)
        poll.register(self.stderr_fd, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            ready = [fd for fd, _ in poll.poll(left * 1000)] if left > 0 else []
            if not ready:
                raise TryAgainLater(f"{self.path} did not end within {timeout:g} s and was killed")
            for fd in ready:
                if fd != self.ended and not self._serve(fd):
                    poll.unregister(fd)
                    self._close(fd)
            if self.ended in ready:
                return self._outcome()

    def close(self) -> None:
        """Whatever happened: nothing of the program is left, nor of its children, nor its pipes."""
        if self.pid and not self.waited:
            try:
                os.killpg(self.pid, SIGKILL)
            except ProcessLookupError:
                pass
            os.waitpid(self.pid, 0)
        for fd in list(self.open):
            self._close(fd)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self.open.update(ends)
        return ends

    def _close(self, fd: int) -> None:
        self.open.discard(fd)
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
