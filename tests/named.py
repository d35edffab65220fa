"""Tables that name tests: an indented text, and whether there is what it names."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent


def outline(table: str) -> Iterator[tuple[int, str]]:
    """The depth and the text of every line; two blanks are one step deeper."""
    for line in table.strip("\n").splitlines():
        yield (len(line) - len(line.lstrip())) // 2, line.strip()


def is_there(test: str) -> bool:
    """Whether `path::test_name` is a test; the path is below `tests`."""
    path, _, name = test.partition("::")
    file = TESTS / path
    return name.startswith("test_") and file.is_file() and name in functions_of(file)


@cache
def functions_of(path: Path) -> set[str]:
    """The tests that a file defines."""
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
