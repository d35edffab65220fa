"""Kernel settings of a network namespace, under /proc/sys/net; names have slashes, since link names may have dots."""

from __future__ import annotations

import errno
import os

from cni_multus.cni.errors import IoFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.linux.netns import Namespace

_LONGEST_VALUE = 4096


def write(ns: Namespace, name: str, value: str, *, missing_ok: bool = False) -> None:
    """Set "net/…" to a value; IoFailure; a kernel that does not have it is no failure with `missing_ok`."""
    write_many(ns, ((name, value, missing_ok),))


def write_many(ns: Namespace, settings: Iterable[tuple[str, str, bool]]) -> None:
    """Set several, as (name, value, missing_ok), in that order, until one fails."""
    pending = [(name, _path(name), value, missing_ok) for name, value, missing_ok in settings]
    with ns.inside():
        for name, path, value, missing_ok in pending:
            try:
                _write_file(path, value)
            except OSError as error:
                if error.errno != errno.ENOENT or not missing_ok:
                    raise IoFailure(f"cannot set {name} to {value!r} in {ns}: {error.strerror}") from error


def read(ns: Namespace, name: str) -> str | None:
    """The value of "net/…" without its line end, or None when the kernel does not have it; IoFailure."""
    path = _path(name)
    try:
        with ns.inside():
            return _read_file(path)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise IoFailure(f"cannot read {name} in {ns}: {error.strerror}") from error


def _path(name: str) -> str:
    parts = name.split("/")
    # Settings outside net/ are the whole machine's, whatever namespace they are written from.
    if len(parts) < 2 or parts[0] != "net" or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise IoFailure(f"{name!r} does not name a kernel setting of a network namespace")
    return "/proc/sys/" + name


def _write_file(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _read_file(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _LONGEST_VALUE).decode("utf-8", "surrogateescape").rstrip("\n")
    finally:
        os.close(fd)
