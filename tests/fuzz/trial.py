"""One input given to one target: the answer or a declared error, soon, with little memory, and nothing touched."""

from __future__ import annotations

import time
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cni_multus.cni.document import print_compact
from cni_multus.cni.errors import LONGEST, CniError
from tests.fuzz import sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fuzz.target import Target

SECONDS = 2.0
"""CPU that an input may cost, however long it is: under a tracer, on a busy machine."""
MEMORY = 64 << 20
"""Bytes that the process may grow by for an input, and so many for each byte of it besides."""
MEMORY_PER_BYTE = 512


class Violation(Exception):
    """What must not be; `signature` is the same for what has the same cause, as far as can be told."""

    def __init__(self, signature: str, why: str) -> None:
        super().__init__(f"{signature}: {why}")
        self.signature = signature


def attempt(target: Target, data: bytes) -> None:
    """Try an input; raises Violation."""
    sandbox.clean()
    before, begun = _peak(), time.process_time()
    sandbox.watch.seen.clear()
    sandbox.watch.on = True
    try:
        target.attempt(data)
    except CniError as error:
        _judge(target, error)
    except Exception as error:
        raise Violation(_signature(error), "".join(traceback.format_exception(error))[-3000:]) from error
    finally:
        sandbox.watch.on = False
    if sandbox.watch.seen:
        raise Violation("touched " + sandbox.watch.seen[0][:60], "; ".join(sandbox.watch.seen[:5]))
    if (took := time.process_time() - begun) > SECONDS:
        raise Violation("slow", f"{took:.1f} s for {len(data)} bytes")
    if (grown := _peak() - before) > MEMORY + MEMORY_PER_BYTE * len(data):
        raise Violation("large", f"{grown >> 20} MiB for {len(data)} bytes")


@contextmanager
def unfailing(what: str) -> Iterator[None]:
    """For what must not fail, whatever there is: a CniError is a violation, too."""
    try:
        yield
    except CniError as error:
        raise AssertionError(f"{what} fails: {error.code} {error.message}") from error


def _judge(target: Target, error: CniError) -> None:
    if error.code not in target.codes:
        raise Violation(f"code {error.code} {_signature(error)}", error.message)
    if not error.message or len(error.message) > 2 * LONGEST or not print_compact(error.message).isascii():
        raise Violation(f"message {_signature(error)}", error.message)


def _signature(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/cni_multus/" in frame.filename or "/plugins/" in frame.filename]
    ours += [frame for frame in frames if "/ipam/" in frame.filename]
    where = (ours or list(frames))[-1]
    return f"{type(error).__name__} in {where.filename.rpartition('/')[2]}:{where.name}"


def _peak() -> int:
    """The most bytes that this program had: what getrusage(2) tells began with whoever executed it."""
    with open("/proc/self/status", "rb") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(b"VmHWM:"))
