"""What is collected: pieces, each a file of the archive, and the collectors that make them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from cni_multus.cli.site import Site

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Place:
    """Where is looked, and from when on (seconds since 1970; 0: everything)."""

    site: Site
    arguments: argparse.Namespace
    since: float = 0.0

    @property
    def is_here(self) -> bool:
        """Whether the node's root is this process's: its programs can be run."""
        return self.site.root == "/"


@dataclass
class Piece:
    """One file of the archive; `trouble` is what of it could not be had, or why there is nothing."""

    name: str
    what: str
    text: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Collector:
    """Makes pieces, whose names begin with its own; bounded in seconds, and in bytes of all its pieces."""

    name: str
    what: str
    collect: Callable[[Place], Iterator[Piece]]
    patience: float = 20.0
    most: int = 8 * MEGABYTE


@dataclass
class Collected:
    """What came of a collector."""

    collector: Collector
    pieces: list[Piece] = field(default_factory=list)
    trouble: str = ""
