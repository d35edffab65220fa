"""The node's files as this process sees them: all paths are the node's, and its root may be a directory here.

In a container the node's root is mounted somewhere (`/host`), and a link there means what it means on the node: an
absolute one begins at that root again, and none leads out of it. It knows nothing of what the files are.
"""

from __future__ import annotations

import errno
import os

from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.state.files import failure

MOST_LINKS = 40
"""As many as the kernel follows (path_resolution(7))."""


def under(root: str, path: str) -> str:
    """Where `path` of the node is: every link on the way is resolved inside the root, the last component is not.

    What does not exist is taken as it is written.
    """
    parent, name = os.path.split(_absolute(path))
    return os.path.join(_resolve(root, parent), name) if name else _top(root)


def resolved(root: str, path: str) -> str:
    """The same with the last component resolved as well."""
    return _resolve(root, _absolute(path))


def seen_from(root: str, path: str) -> str:
    """The node's name of a path that `under` gave."""
    top = _top(root)
    if top == "/":
        return path
    return path[len(top) :] or "/"


def _absolute(path: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise InvalidEnvironment(f"{path[:200]!r} is not an absolute path")
    return os.path.normpath("/" + path.lstrip("/"))


def _top(root: str) -> str:
    return os.path.realpath(root)


def _resolve(root: str, path: str) -> str:
    top = _top(root)
    base = "" if top == "/" else top
    left = path.split("/")[::-1]
    here: list[str] = []
    links = 0
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            here = here[:-1]
            continue
        target = _link(f"{base}/{'/'.join([*here, part])}")
        if target is None:
            here.append(part)
            continue
        links += 1
        if links > MOST_LINKS:
            raise failure(OSError(errno.ELOOP, os.strerror(errno.ELOOP)), f"resolve {path} below {top}")
        if target.startswith("/"):
            here = []
        left += target.split("/")[::-1]
    return f"{base}/{'/'.join(here)}" if here else top


def _link(path: str) -> str | None:
    """What a link says; None for anything else, and for nothing."""
    try:
        return os.readlink(path)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
            return None
        raise failure(error, f"look at {path}") from error
