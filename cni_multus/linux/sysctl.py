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
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR)
_NOT_SHOWN = (errno.EACCES, errno.EPERM, errno.EIO)
"""Some can only be written (route/flush), others have no value until they get one (stable_secret)."""


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


def read_many(ns: Namespace, names: Iterable[str]) -> dict[str, str | None]:
    """The values of those that the kernel has, None for one that it does not show; IoFailure."""
    pending = [(name, _path(name)) for name in names]
    found: dict[str, str | None] = {}
    with ns.inside():
        for name, path in pending:
            try:
                found[name] = _read_file(path)
            except OSError as error:
                if error.errno in _NOT_SHOWN:
                    found[name] = None
                elif error.errno not in _NOT_THERE:
                    raise IoFailure(f"cannot read {name} in {ns}: {error.strerror}") from error
    return found


def is_of_a_namespace(name: str) -> bool:
    """Whether a name stands for a setting of a namespace, and not of the whole machine."""
    parts = name.split("/")
    # Settings outside net/ are the whole machine's, whatever namespace they are written from.
    return (
        len(parts) > 1 and parts[0] == "net" and "\0" not in name and not any(part in ("", ".", "..") for part in parts)
    )


def _path(name: str) -> str:
    if not is_of_a_namespace(name):
        raise IoFailure(f"{name!r} does not name a kernel setting of a network namespace")
    return "/proc/sys/" + name


def _write_file(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        # An empty write would change nothing.
        os.write(fd, (value or "\n").encode())
    finally:
        os.close(fd)


def _read_file(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _LONGEST_VALUE).decode("utf-8", "surrogateescape").rstrip("\n")
    finally:
        os.close(fd)
