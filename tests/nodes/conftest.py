"""A node's root, and processes that are ended with the test."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.nodes.kit import Site, Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Start(Protocol):
    def __call__(self, *arguments: str, **named: Any) -> Watcher: ...


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "node")


@pytest.fixture
def watch(site: Site) -> Iterator[Start]:
    """Start `multus node watch` on the site."""
    started: list[Watcher] = []

    def start(*arguments: str, **named: Any) -> Watcher:
        started.append(Watcher(site, *arguments, **named))
        return started[-1]

    yield start
    for watcher in started:
        watcher.end(signal.SIGKILL)
