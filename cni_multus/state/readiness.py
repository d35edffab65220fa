"""Whether files could be made in a directory, for STATUS: told without making one."""

from __future__ import annotations

import os


def why_not_writable(directory: str) -> str:
    """Why no file could be created in `directory`, which need not exist yet; "" if one could."""
    path = directory
    while not os.path.lexists(path) and path != "/":
        path = os.path.dirname(path) or "/"
    if not os.path.isdir(path):
        return f"{path} is not a directory"
    if not os.access(path, os.W_OK | os.X_OK):
        return f"{path} is not writable"
    space = os.statvfs(path)
    if space.f_bavail == 0 or (space.f_files > 0 and space.f_favail == 0):
        return f"the file system of {path} is full"
    return ""
