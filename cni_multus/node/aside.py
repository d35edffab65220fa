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


def with_both_names(directory: str) -> set[str]:
    """The first names of files that have the second one too: whoever gave or took one was killed."""
    second = [name for name in files.names(directory) if name.endswith(SUFFIX)]
    first = {name.removesuffix(SUFFIX) for name in second}
    return {name for name in first if _is_same(os.path.join(directory, name), os.path.join(directory, name + SUFFIX))}


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
    is_back = add_first_name(directory, name)
    drop_second_name(directory, name)
    return is_back


def add_first_name(directory: str, name: str) -> bool:
    """Give the file its first name beside the second one; False where it is gone, or another file has that name."""
    path, other = os.path.join(directory, name), os.path.join(directory, name + SUFFIX)
    try:
        os.link(other, path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except FileExistsError:
        return _is_same(path, other)
    except OSError as error:
        raise files.failure(error, f"rename {other} to {path}") from error
    return True


def drop_second_name(directory: str, name: str) -> None:
    """Take the second name away: the first one is there again, of this file or of the primary's newer one."""
    if os.path.lexists(os.path.join(directory, name)):
        files.remove(os.path.join(directory, name + SUFFIX))


def tidy(directory: str) -> None:
    """Remove what a killed process left of `add_name`."""
    files.remove(os.path.join(directory, _TEMPORARY))


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return False
        raise files.failure(error, f"look at {path}") from error
