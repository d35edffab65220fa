"""The primary's file under another name (--rename-conf-file), so that no runtime can load it in place of ours.

    <name>  ->  <name>.old

At every moment the runtime finds a configuration: the file has both names until ours is published. It gets its name
back before ours is removed.
"""

from __future__ import annotations

import errno
import os

from cni_multus.cni.errors import IoFailure
from cni_multus.state import files

SUFFIX = ".old"
_TEMPORARY = ".multus-aside"


def is_plain(name: str) -> bool:
    """Whether this is a file's name, and no path."""
    return bool(name) and "/" not in name and name not in (".", "..")


def add_name(directory: str, name: str, *, ours: bool) -> None:
    """Give the file a second name; `ours` says that what has that name was put there by us before.

    Raises IoFailure where another file has it.
    """
    path, other = os.path.join(directory, name), os.path.join(directory, name + SUFFIX)
    temporary = os.path.join(directory, _TEMPORARY)
    if _is_same(path, other):
        return
    if not ours and os.path.lexists(other):
        raise IoFailure(f"cannot rename {path} (--rename-conf-file): {other} is there already, and is not ours")
    files.remove(temporary)
    try:
        os.link(path, temporary, follow_symlinks=False)
        os.rename(temporary, other)
        files.sync_directory(directory)
    except OSError as error:
        raise files.failure(error, f"rename {path} to {other}") from error


def drop_name(directory: str, name: str) -> bool:
    """Take the first name from a file that has the second one too; one that was replaced meanwhile keeps it."""
    path = os.path.join(directory, name)
    return _is_same(path, path + SUFFIX) and files.remove(path)


def give_back(directory: str, name: str) -> bool:
    """Give the file its first name again; where the primary has written another one, that one stays."""
    path, other = os.path.join(directory, name), os.path.join(directory, name + SUFFIX)
    try:
        os.link(other, path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except FileExistsError:
        # Half done before, or the primary's newer file: the older one is of no use to anybody.
        half_done = _is_same(path, other)
        files.remove(other)
        return half_done
    except OSError as error:
        raise files.failure(error, f"rename {other} to {path}") from error
    files.remove(other)
    return True


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return False
        raise files.failure(error, f"look at {path}") from error
