"""Annotations are read by the thousand, on a machine that may be busy with other things."""

import os
from collections.abc import Iterator
from io import FileIO

import pytest
from hypothesis import settings

# How long one example takes depends on what else the machine does.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def unreadable() -> Iterator[FileIO]:
    """A descriptor that can only be written to."""
    reader, writer = os.pipe()
    with FileIO(writer, "rb", closefd=False) as stream:
        yield stream
    os.close(reader)
    os.close(writer)
