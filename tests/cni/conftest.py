"""What the protocol's tests share: a stream that cannot be read."""

import os
from collections.abc import Iterator
from io import FileIO

import pytest


@pytest.fixture
def unreadable() -> Iterator[FileIO]:
    """A descriptor that can only be written to."""
    reader, writer = os.pipe()
    with FileIO(writer, "rb", closefd=False) as stream:
        yield stream
    os.close(reader)
    os.close(writer)
