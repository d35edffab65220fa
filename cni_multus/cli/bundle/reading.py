"""Files as they are found: bounded, no device and no pipe, and what is wrong told in a line."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.bundle.kubeconfigs import is_kubeconfig, outline

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 1 << 20
"""Bytes of one file."""
MANY = 5000
"""Files of one directory."""


@dataclass(frozen=True)
class Found:
    """What is in a file, or why that cannot be said."""

    text: str = ""
    trouble: str = ""


def read(path: str, most: int = MOST) -> Found:
    """A file's end where it is large; a kubeconfig without its credentials."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        return Found(trouble=_why(path, error))
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return Found(trouble=f"{path}: it is no file ({stat.filemode(found.st_mode)})")
        begin = max(0, found.st_size - most)
        text = _decoded(os.pread(fd, most, begin) if begin else _all(fd, most))
    except OSError as error:
        return Found(trouble=_why(path, error))
    finally:
        os.close(fd)
    if begin:
        cut = f"{path}: cut, these are the last {most} of {found.st_size} bytes"
        return Found(text.partition("\n")[2] or text, cut)
    if is_kubeconfig(text):
        shown = outline(text)
        return (
            Found(shown) if shown is not None else Found(trouble=f"{path}: left out, a kubeconfig that cannot be read")
        )
    return Found(text)


def listing(path: str, prefix: str = "", depth: int = 3) -> Iterator[str]:
    """The names below a directory, a line each, as `ls -l` has them."""
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        yield f"{prefix}: {error.strerror or error}"
        return
    for at, entry in enumerate(entries):
        if at == MANY:
            yield f"{prefix}...: {len(entries) - MANY} more"
            return
        yield _line(entry, prefix)
        if depth > 1 and entry.is_dir(follow_symlinks=False):
            yield from listing(entry.path, f"{prefix}{entry.name}/", depth - 1)


def names(path: str) -> tuple[list[str], str]:
    """The names in a directory, and what is wrong with it; neither where there is none."""
    try:
        return sorted(os.listdir(path)), ""
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], _why(path, error)


def _line(entry: os.DirEntry[str], prefix: str) -> str:
    import time

    try:
        found = entry.stat(follow_symlinks=False)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.st_mtime))
        leads = f" -> {os.readlink(entry.path)}" if entry.is_symlink() else ""
    except OSError as error:
        return f"{prefix}{entry.name}: {error.strerror or error}"
    owner = f"{found.st_uid}:{found.st_gid}"
    return f"{stat.filemode(found.st_mode)} {owner:9} {found.st_size:>12} {when} {prefix}{entry.name}{leads}"


def _all(fd: int, most: int) -> bytes:
    """What files of /proc have is not told by their size."""
    data = b""
    while len(data) < most and (chunk := os.read(fd, most - len(data))):
        data += chunk
    return data


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8", "replace").replace("\0", "\\0")


def _why(path: str, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path}: there is none"
    return f"{path}: {error.strerror or error}" if isinstance(error, OSError) else f"{path!r}: {error}"
