"""Files of lines, `<crc32> <JSON>`, the last good one of which counts: a crash costs the one that was being written.

Lines are appended, so that no write needs a new inode, and whoever has a lock on the file keeps it. A file that has
become long begins anew: the line is written over its beginning, and the rest is cut off once that is durable. Killed in
between, the last line is still the one that was there.
"""

from __future__ import annotations

import os
from binascii import crc32

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_readable
from cni_multus.cni.errors import DecodingFailure
from cni_multus.state import files

LONG = 1 << 18
"""Bytes from which on a file begins anew: some hundred records, far from what `files.read` refuses."""


def append(path: str, document: dict[str, object], *, durable: bool) -> None:
    """Make `document` what counts; `durable`: also after a power cut. Raises DecodingFailure for one too large."""
    body = print_readable(document, path)
    line = b"\n%08x %s\n" % (crc32(body), body)
    if _may_begin_anew(path, len(line)):
        _begin_anew(path, line)
    else:
        files.append(path, line, durable=durable)


def last(path: str) -> Section | None:
    """What counts, None where there is nothing; raises DecodingFailure where no line is whole."""
    data = files.read(path)
    if not data:
        return None
    for line in reversed(data.split(b"\n")):
        checksum, _, body = line.partition(b" ")
        if body and checksum == b"%08x" % crc32(body):
            return Section(parse_object(body, path), "record")
    raise DecodingFailure(f"{path} holds no record that is whole")


def _begin_anew(path: str, line: bytes) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | files.FLAGS)
        try:
            os.pwrite(fd, line, 0)  # all of it: it needs no space, and a signal does not stop a write to a file
            os.fdatasync(fd)
            os.ftruncate(fd, len(line))
            os.fdatasync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise files.failure(error, f"write {path}") from error


def _may_begin_anew(path: str, size: int) -> bool:
    """Whether a file is long, and `size` bytes at its beginning leave its last line alone."""
    try:
        if os.stat(path).st_size < LONG:
            return False
    except OSError:
        return False
    data = files.read(path) or b""
    return data.rfind(b"\n", 0, len(data) - 1) > size
