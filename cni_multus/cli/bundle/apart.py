"""A collector in a process of its own: whatever it does, or meets, it ends in time and says no more than it may.

Pieces come through a pipe, a line of JSON each, without secrets by then; what came until the end is kept.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from cni_multus.cli.bundle.piece import Collected, Collector, Piece
from cni_multus.cni.errors import CniError

if TYPE_CHECKING:
    from cni_multus.cli.bundle.piece import Place
    from cni_multus.cli.bundle.redaction import Redactor

GRACE = 2.0
"""Seconds that a collector has to end the programs it has started."""
_CHUNK = 1 << 16
_CUT = 4096
"""Bytes more than a piece's own that its line of JSON may have."""


def collect(
    collector: Collector, place: Place, redactor: Redactor, patience: float, *, clean: bool = True
) -> Collected:
    """Let it collect for so many seconds at most; not `clean` is for what never leaves this program."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(collector, place, redactor if clean else None, writing)
    os.close(writing)
    collected = Collected(collector)
    try:
        _understand(_listen(reading, collected, time.monotonic() + patience, patience), collected)
    finally:
        os.close(reading)
        _end(pid, collected)
    return collected


def _work(collector: Collector, place: Place, redactor: Redactor | None, writing: int) -> NoReturn:
    """The process's whole life; it prints nothing."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    silence = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in range(3):
        os.dup2(silence, fd)
    try:
        left = collector.most
        for piece in collector.collect(place):
            left -= _send(piece, redactor, left, writing)
    finally:
        # Neither the caller's handlers nor its buffers are this process's.
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, SystemExit):
            _write(writing, redactor.text(_why(error)) if redactor else type(error).__name__)
        os._exit(0 if error is None else 1)


def _send(piece: Piece, redactor: Redactor | None, left: int, writing: int) -> int:
    """Write a piece, cut to what is left to it; how many characters that were."""
    if redactor is None:
        _write(writing, [piece.name, piece.what, piece.text, piece.trouble])
        return len(piece.text)
    clean, trouble = redactor.content(piece.text), redactor.text(piece.trouble)
    if len(clean) > max(left, 0):
        cut = f"cut: these are the first {max(left, 0)} of {len(clean)} characters"
        clean, trouble = clean[: max(left, 0)], f"{trouble}; {cut}" if trouble else cut
    _write(writing, [redactor.text(piece.name), redactor.text(piece.what), clean, trouble])
    return len(clean)


def _write(writing: int, told: object) -> None:
    data = memoryview(json.dumps(told).encode() + b"\n")
    while data:
        data = data[os.write(writing, data) :]


def _why(error: BaseException) -> str:
    return f"{error}" if isinstance(error, CniError) else f"{type(error).__name__}: {error}"


def _leave(*_: object) -> NoReturn:
    raise SystemExit(1)


def _listen(reading: int, collected: Collected, deadline: float, patience: float) -> bytes:
    """What the process writes until it ends, is late, or has said too much."""
    data = bytearray()
    os.set_blocking(reading, False)
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            collected.trouble = f"it did not end within {patience:g} s: what it had by then is here"
            return bytes(data)
        chunk = os.read(reading, _CHUNK)
        if not chunk:
            return bytes(data)
        data += chunk
        if len(data) > 8 * collected.collector.most + _CUT:
            collected.trouble = "it said too much: the beginning is here"
            return bytes(data)


def _understand(data: bytes, collected: Collected) -> None:
    for line in data.split(b"\n")[:-1]:
        told = json.loads(line)
        if isinstance(told, str):
            collected.trouble = told
        else:
            collected.pieces.append(Piece(*told))


def _end(pid: int, collected: Collected) -> None:
    """See the process end: by itself, when it is asked to, or by force."""
    for number in (0, signal.SIGTERM, signal.SIGKILL):
        if number:
            os.kill(pid, number)
        if _ended(pid, collected, GRACE if number else (0.0 if collected.trouble else GRACE)):
            return
    os.waitpid(pid, 0)


def _ended(pid: int, collected: Collected, patience: float) -> bool:
    handle = os.pidfd_open(pid)
    try:
        if not select.select([handle], [], [], patience)[0]:
            return False
    finally:
        os.close(handle)
    _, status = os.waitpid(pid, 0)
    if status and not collected.trouble:
        collected.trouble = f"its process ended with status {os.waitstatus_to_exitcode(status)}"
    return True
