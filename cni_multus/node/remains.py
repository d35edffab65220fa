"""Whether a directory of state still holds what somebody needs: reservations, leases, loans; not indexes and locks."""

from __future__ import annotations

import os

DISPENSABLE = frozenset(("lock", "meta", "closed", "stamp"))
"""Files that may be deleted at any time once nothing is attached (ARCHITECTURE.md, On disk)."""
INDEXES = frozenset(("hint", "last", "seen", "slices", "turns", "released", "events", "domain", ".multus"))


def still_used(directory: str) -> str:
    """A file that is more than an index, "" where there is none."""
    is_index = os.path.basename(directory) in INDEXES
    for place, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if name not in INDEXES]
        for name in [] if is_index else sorted(names):
            path = os.path.join(place, name)
            if name not in DISPENSABLE and not name.startswith((".multus-", "last_reserved_ip")) and _holds(path):
                return path
    return ""


def _holds(path: str) -> bool:
    """Whether it is more than an empty file, which a lock leaves."""
    return os.path.islink(path) or os.path.getsize(path) > 0
