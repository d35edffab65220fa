"""Symbolic links to leases: made only where nothing is, and complete at once."""

from __future__ import annotations

import os
from errno import EINVAL

from cni_multus.state.files import failure

UNKNOWN = "?"
"""What somebody else put in the place of a link names: nobody that is known."""


def read_link(path: str) -> str | None:
    """The key of the lease that a link names, None where nothing is, UNKNOWN where something else is."""
    try:
        return os.path.basename(os.readlink(path)) or UNKNOWN
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == EINVAL:
            return UNKNOWN
        raise failure(error, f"read the link {path}") from error


def make_link(path: str, target: str) -> bool:
    """Make a link; False where something of its name is."""
    try:
        os.symlink(target, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise failure(error, f"make the link {path}") from error
    return True
