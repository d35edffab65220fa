"""What lint is given: files, and what it knows of the node that they are for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """A file's name, as findings tell it, and its bytes; `named`: somebody asked for this very file."""

    file: str
    data: bytes
    named: bool = True
    trouble: str = ""
    """Why it could not be read."""


@dataclass(frozen=True)
class Options:
    """`bin_dirs` have the plugins that are not built in."""

    bin_dirs: tuple[str, ...] = ()
