"""A stand for the built program, one for all tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.judge import Stand
from tools.build import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    assert PROGRAM.exists(), "run `make build` first"
    made = Stand(PROGRAM, tmp_path_factory.mktemp("stand"))
    yield made
    made.close()
