"""SECURITY.md: every line of the threat model has tests, and they are there."""

from __future__ import annotations

import pytest

from tests.named import is_there
from tests.security.threats import DOCUMENT, LINE, column, said, threats, written


def test_the_document_and_the_tests_have_the_same_lines() -> None:
    numbers = list(said(DOCUMENT.read_text()))
    assert numbers == [f"T{at}" for at in range(1, len(numbers) + 1)]
    assert list(threats()) == numbers


@pytest.mark.parametrize("number", threats())
def test_a_line_has_tests_that_are_there(number: str) -> None:
    tests = threats()[number]
    assert tests
    assert len(set(tests)) == len(tests)
    assert [test for test in tests if not is_there(test)] == []
    line, files = said(DOCUMENT.read_text())[number]
    assert files == column(tests), "python -m tests.security.threats writes it anew"
    assert line.count(" | ") == 2, "who writes what, and what stops it"


def test_a_line_that_has_no_tests_is_noticed() -> None:
    """What the tests above would say of a document with a line more, or of a test that is gone."""
    row = "| T1 | somebody | something | nothing | none |"
    assert list(said(row)) == ["T1"]
    assert list(said(row)) != list(threats())
    assert not is_there("security/test_confined.py::test_that_is_gone")
    assert not is_there("security/gone.py::test_a_line_has_tests_that_are_there")
    assert LINE.findall(written("| T1 | a | b | c | old |"))[0][2] == column(threats()["T1"])
