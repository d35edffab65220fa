"""A netlink request that the kernel refuses: it does not know the last message, and its answer is made another one.

What comes before that message in the same datagram is done, of a transaction of nftables nothing. Numbers are those of
<linux/netlink.h>; an answer's error follows its header.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = struct.Struct("=IHHII")
ERROR = 2
BATCH_BEGIN = 16
UNKNOWN = 0x00FE
"""Beyond all types of rtnetlink, and no subsystem of the packet filter's."""
UNKNOWN_IN_BATCH = 0x7FFE


def spoil(pid: int, address: int, length: int) -> int:
    """Let the kernel refuse what a process is about to send; the number of the message that is refused."""
    data = _read(pid, address, length)
    found = list(_messages(data))
    is_batch = HEADER.unpack_from(data)[:2] == (20, BATCH_BEGIN)
    at, sequence = found[-2 if is_batch else -1]
    _write(pid, address + at + 4, struct.pack("=H", UNKNOWN_IN_BATCH if is_batch else UNKNOWN))
    return sequence


def answer(pid: int, header: int, length: int, sequence: int, code: int) -> bool:
    """Replace the error of the message by `code` in what a process has received by a msghdr; whether it was there."""
    (vector,) = struct.unpack("=Q", _read(pid, header + 16, 8))
    (base,) = struct.unpack("=Q", _read(pid, vector, 8))
    data = _read(pid, base, length)
    for at, number in _messages(data):
        if number == sequence and HEADER.unpack_from(data, at)[1] == ERROR:
            _write(pid, base + at + HEADER.size, struct.pack("=i", -code))
            return True
    return False


def _messages(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each message of a datagram begins, and its number."""
    at = 0
    while at + HEADER.size <= len(data):
        length, _, _, sequence, _ = HEADER.unpack_from(data, at)
        yield at, sequence
        at += max((length + 3) & ~3, HEADER.size)


def _read(pid: int, address: int, length: int) -> bytes:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(length)


def _write(pid: int, address: int, data: bytes) -> None:
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(address)
        memory.write(data)
