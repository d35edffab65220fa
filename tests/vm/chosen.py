"""Which tests are for the virtual machine, and what pytest has to know of them."""

from __future__ import annotations

from ast import literal_eval
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class Test(NamedTuple):
    """A test for the virtual machine, as pytest tells of it."""

    nodeid: str
    location: tuple[str, int | None, str]
    wants_server: bool
    """Whether it talks to the API server of the test run."""


def tests_of(session: pytest.Session) -> list[Test]:
    """Those that are for the virtual machine."""
    return [test_of(item) for item in session.items if is_for_vm(item)]


def test_of(item: pytest.Item) -> Test:
    """What there is to know of a test."""
    return Test(item.nodeid, item.location, "api_server" in getattr(item, "fixturenames", ()))


def read_tests(written: Path) -> list[Test]:
    """What a worker wrote down."""
    return [Test(*literal_eval(line)) for line in written.read_text().splitlines()]


def is_for_vm(item: pytest.Item) -> bool:
    """Is this a test for the virtual machine?"""
    return item.get_closest_marker("vm") is not None


def failed(test: Test, reason: str) -> pytest.TestReport:
    """The report of a test that could not run."""
    return pytest.TestReport(test.nodeid, test.location, {}, "failed", reason, "setup")
