"""What the tests of processes have in common."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import pytest

from tests.conftest import LIBC, checked
from tests.events.orphans import Orphans

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture
def orphans() -> Iterator[Orphans]:
    """The processes that requests of the test leave behind become ours, and end with it."""
    checked(LIBC.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0))
    orphans = Orphans()
    yield orphans
    orphans.end()
    checked(LIBC.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(0), 0, 0, 0))
